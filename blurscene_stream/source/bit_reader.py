"""Bits of a codec header: numbers of any width, flags, and the Exp-Golomb codes of H.264 and HEVC."""

from __future__ import annotations


class BitReader:
    """Reads bits, the highest of each byte first.

    number:   all bits, as one number
    count:    bits in all
    position: bits read so far
    """

    def __init__(self, data: bytes) -> None:
        self.number = int.from_bytes(data, "big")
        self.count = 8 * len(data)
        self.position = 0

    def take(self, count: int) -> int:
        """Read `count` bits. Raises IndexError at the end."""
        self.position += count
        if self.position > self.count:
            raise IndexError
        return self.number >> (self.count - self.position) & ((1 << count) - 1)

    def take_if(self, wanted: int, count: int) -> bool:
        """Read `count` bits if they are there and equal `wanted`; return whether they were."""
        before = self.position
        if before + count <= self.count and self.take(count) == wanted:
            return True
        self.position = before
        return False

    def align(self) -> None:
        """Go on at the next whole byte."""
        self.position = (self.position + 7) // 8 * 8

    def golomb(self) -> int:
        """Read an unsigned Exp-Golomb code, ue(v) (ITU-T H.264, 9.1). Raises IndexError at the end."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
