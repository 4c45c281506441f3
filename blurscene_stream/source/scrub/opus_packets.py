"""Opus packets with nothing in their padding (RFC 6716, 3.2)."""

from __future__ import annotations

MAX_FRAME_BYTES = 1275
DURATIONS = (4, 8, 16, 24) * 3 + (4, 8) * 2 + (1, 2, 4, 8) * 4  # of a frame by its configuration, in 2.5 ms (3.1)
MAX_DURATION = 48  # of a packet
PADDED, VARIABLE = 0x40, 0x80
FAMILY_OFFSET, STREAMS_OFFSET = 18, 19  # of the header (RFC 7845, 5.1)


def scrub_opus(data: bytes, header: bytes | None) -> bytes:
    """Return a packet with zeros as padding.

    header: OpusHead, which tells how many streams a packet holds; all but the last one delimit themselves
    Raises ValueError or IndexError when this is no packet of Opus.
    """
    streams = header[STREAMS_OFFSET] if header and len(header) > STREAMS_OFFSET and header[FAMILY_OFFSET] else 1
    scrubbed = b""
    for number in range(streams):
        scrubbed += _Packet(data[len(scrubbed) :], number < streams - 1).scrubbed()
    return scrubbed


class _Packet:
    """The packet of one stream, at the start of `data`, and up to its end unless it delimits itself (appendix B)."""

    def __init__(self, data: bytes, delimited: bool) -> None:
        self._data = data
        self._delimited = delimited
        self._position = 1

    def scrubbed(self) -> bytes:
        code = self._data[0] & 3
        counted = self._byte() if code == 3 else (1, 2, 2)[code]
        count = counted & 0x3F if code == 3 else counted
        padding = self._padding() if code == 3 and counted & PADDED else 0
        is_variable = code == 2 or (code == 3 and counted & VARIABLE)
        sizes = self._sizes(count, bool(is_variable), len(self._data) - padding)
        duration = count * DURATIONS[self._data[0] >> 3]
        if not 0 < duration <= MAX_DURATION or not all(0 <= size <= MAX_FRAME_BYTES for size in sizes):
            raise ValueError
        end = self._position + sum(sizes)
        if end + padding > len(self._data):
            raise ValueError
        return self._data[:end] + bytes(padding)

    def _sizes(self, count: int, is_variable: bool, end: int) -> list[int]:
        """Return the bytes of each frame; `end`: where the padding begins, if the packet is up to the end."""
        if is_variable:
            sizes = [self._size() for _ in range(count if self._delimited else count - 1)]
            return sizes if self._delimited else [*sizes, end - self._position - sum(sizes)]
        if self._delimited:
            return [self._size()] * count
        size, rest = divmod(end - self._position, max(count, 1))
        if rest:
            raise ValueError
        return [size] * count

    def _size(self) -> int:
        first = self._byte()
        return first if first < 252 else first + 4 * self._byte()

    def _padding(self) -> int:
        """Return the bytes of padding behind the frames."""
        size = 0
        while (more := self._byte()) == 255:
            size += 254
        return size + more

    def _byte(self) -> int:
        self._position += 1
        return self._data[self._position - 1]
