"""Ends of coded pictures: bytes behind them, which no decoder reads, are found by changing the last ones.

The entropy coders of H.264, HEVC and FFV1 stop when the picture is complete, and whatever follows in the same unit is
skipped. But what is read makes another picture, or an error, when it is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blurscene_stream.source.inspection.decoding import Coding, decodes_alike

END_BYTES = 8  # that must not all be without effect
SMALL_BYTES, SMALL_END_BYTES = 64, 16
"""Less than so much says so little, as that nothing has moved, that it may be read as the same when it is changed."""
MASKS = (0xFF, 0x5A, 0xA5, 0x3C)
MAX_GROUP = 600  # packets that are kept, back to a key frame: our encoders write one every 250
REPLACEMENT = 0x5A  # for bytes that could make a start code

Mend = Callable[[bytes], bytes]


class PacketEnds:
    """Tells whether decoders read the ends of the packets of one video."""

    def __init__(self) -> None:
        self._group: list[bytes] = []  # of packets from the last key frame on

    def are_read(self, coding: Coding, data: bytes, picture: slice, is_key: bool, mended: Mend = bytes) -> bool:
        """Return whether the last bytes of a coded picture matter.

        data:    the packet
        picture: where in it the picture is, or a part of it with an end of its own
        mended:  makes the checksums of a changed packet right
        """
        size = picture.stop - picture.start
        start = picture.stop - min(size, END_BYTES if size >= SMALL_BYTES else SMALL_END_BYTES)
        before = [] if is_key else self._group
        self._group = [*before[-MAX_GROUP:], data]
        return any(
            not decodes_alike(coding, [*first, data], [*first, mended(other)], strict)
            for first, strict in (([], False), (before, True))  # the second is seldom needed, and takes longer
            for other in _changed(data, start, picture.stop)
        )


def _changed(data: bytes, start: int, end: int) -> Iterator[bytes]:
    for mask in MASKS:
        part = (byte ^ mask for byte in data[start:end])
        yield data[:start] + bytes(byte if byte > 3 else REPLACEMENT for byte in part) + data[end:]
