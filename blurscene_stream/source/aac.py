"""The header of AAC sound without the comment that may stand in it, and without what may follow it."""

from __future__ import annotations

# ISO/IEC 14496-3: AudioSpecificConfig is 1.6.2.1, GASpecificConfig 4.4.1, program_config_element 4.4.1.1
PLAIN_TYPES = (1, 2, 3, 4)  # Main, LC, SSR, LTP
WITH_SBR, WITH_PS = 5, 29
ESCAPE = 31
OWN_RATE = 15
SYNC_SBR, SYNC_PS = 0x2B7, 0x548
COUNTS = (4, 4, 4, 2, 3, 4)  # bits that count the elements in front, at the sides, in the back, for the low ...
ELEMENT = (5, 5, 5, 4, 4, 5)  # and bits of each such element


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._count = 8 * len(data)
        self.at = 0

    def take(self, count: int) -> int:
        """Raises IndexError at the end."""
        self.at += count
        if self.at > self._count:
            raise IndexError
        return self._number >> (self._count - self.at) & ((1 << count) - 1)

    def take_if(self, wanted: int, count: int) -> bool:
        """Whether the next bits are there and make this number; else they are left."""
        before = self.at
        if before + count <= self._count and self.take(count) == wanted:
            return True
        self.at = before
        return False


def without_comment(header: bytes) -> bytes:
    """The AudioSpecificConfig with an empty comment, cut where it ends.

    Headers of error-resilient and later kinds of AAC have no place for a comment, and pass as they are.
    Raises IndexError when it is too short.
    """
    bits = _Bits(header)
    kind = _object_type(bits)
    _rate(bits)
    channels = bits.take(4)
    if kind in (WITH_SBR, WITH_PS):
        _rate(bits)
        kind = _object_type(bits)
    if kind not in PLAIN_TYPES:
        return header
    bits.take(1)
    if bits.take(1):  # it depends on a core coder, with a delay
        bits.take(14)
    bits.take(1)
    if channels == 0:
        place = _comment_place(bits)
        header = header[:place] + b"\0" + header[place + 1 + header[place] :]
        bits = _Bits(header)
        bits.take(8 * (place + 1))
    _extension(bits)
    return header[: (bits.at + 7) // 8]


def _object_type(bits: _Bits) -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == ESCAPE else kind


def _rate(bits: _Bits) -> None:
    if bits.take(4) == OWN_RATE:
        bits.take(24)


def _comment_place(bits: _Bits) -> int:
    """The byte that counts the bytes of the comment, behind the elements of a channel layout of its own."""
    bits.take(10)
    counts = [bits.take(width) for width in COUNTS]
    for width in (4, 4, 3):  # ways to mix down
        if bits.take(1):
            bits.take(width)
    for count, width in zip(counts, ELEMENT, strict=True):
        bits.take(count * width)
    return (bits.at + 7) // 8


def _extension(bits: _Bits) -> None:
    """What tells older decoders nothing of the doubled rate."""
    if bits.take_if(SYNC_SBR, 11) and _object_type(bits) == WITH_SBR and bits.take(1):
        _rate(bits)
        if bits.take_if(SYNC_PS, 11):
            bits.take(1)
