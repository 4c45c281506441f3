"""Headers of AV1 frames (AV1 specification, 5.5 and 5.9): which coded pictures are shown, at once or later."""

from __future__ import annotations

from dataclasses import dataclass

from blurscene_stream.source.bit_reader import BitReader

KEY, INTRA_ONLY, SWITCH = 0, 2, 3  # frame_type
PER_FRAME = 2  # SELECT_SCREEN_CONTENT_TOOLS, SELECT_INTEGER_MV: each frame says it
SLOTS = 8  # of reference frames


class SequenceHeader:
    """Properties of a sequence on which the headers of its frames depend.

    screen_content, integer_mv: what is chosen for all frames; PER_FRAME: each one says it
    order_hint_bits:            width of a frame's place in the order
    """

    def __init__(self, body: bytes) -> None:
        """Raises ValueError for what no encoder of ours writes, IndexError for a header that is cut short."""
        bits = BitReader(body)
        bits.take(4)
        if bits.take(1) or bits.take(1):  # a header of still pictures; times of a decoder model
            raise ValueError
        delays, more_points = bits.take(1), bits.take(5)
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delays and bits.take(1):
            bits.take(4)
        width, height = bits.take(4) + 1, bits.take(4) + 1
        bits.take(width + height)
        if more_points or bits.take(1):  # layers; numbers of frames
            raise ValueError
        bits.take(3 + 4)
        ordered = bits.take(1)
        bits.take(2 if ordered else 0)
        self.screen_content = PER_FRAME if bits.take(1) else bits.take(1)
        self.integer_mv = PER_FRAME
        if self.screen_content and not bits.take(1):
            self.integer_mv = bits.take(1)
        self.order_hint_bits = bits.take(3) + 1 if ordered else 0


@dataclass(frozen=True, slots=True, eq=False)
class _Slot:
    """A reference slot.

    hidden: number of the picture in it; None once it was shown
    is_key: it is a key frame
    """

    hidden: int | None = None
    is_key: bool = False


class ReferenceSlots:
    """Follows the pictures that are coded, refer to each other, and are shown.

    pictures: how many were coded, or are shown once more
    """

    def __init__(self) -> None:
        self.pictures = 0
        self._slots = [_Slot()] * SLOTS

    def show(self, slot: int) -> None:
        """Take a frame that shows what is in a slot: a hidden picture, or one that is shown again."""
        content = self._slots[slot]
        if content.hidden is None:
            self.pictures += 1
        shown = _Slot(None, content.is_key)
        for number, other in enumerate(self._slots):  # a key frame then is in all of them (7.21)
            if other is content or content.is_key:
                self._slots[number] = shown

    def add(self, sequence: SequenceHeader, body: bytes) -> bool:
        """Take a coded picture; return whether it is shown at once. Raises IndexError when it is cut short."""
        bits = BitReader(body[:16])
        bits.take(1)
        frame_type, shown = bits.take(2), bool(bits.take(1))
        bits.take(0 if shown else 1)
        all_new = frame_type == SWITCH or (frame_type == KEY and shown)
        resilient = all_new or bits.take(1)
        bits.take(1)
        if (bits.take(1) if sequence.screen_content == PER_FRAME else sequence.screen_content) and (
            sequence.integer_mv == PER_FRAME
        ):
            bits.take(1)
        bits.take(0 if frame_type == SWITCH else 1)
        bits.take(sequence.order_hint_bits)
        bits.take(0 if resilient or frame_type in (KEY, INTRA_ONLY) else 3)
        refreshed = (1 << SLOTS) - 1 if all_new else bits.take(SLOTS)
        self.pictures += 1
        content = _Slot(None if shown else self.pictures, frame_type == KEY)
        self._slots = [content if refreshed >> number & 1 else one for number, one in enumerate(self._slots)]
        return shown
