"""Entries of a Matroska index (RFC 9559, 5.1.1 and 5.1.5): each points at what is there, and none twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from blurscene_stream.source.container.ebml import Element, ebml_number, elements

SEEK, SEEK_ID, SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
CUE_POINT, CUE_TIME, CUE_POSITIONS, CUE_TRACK, CUE_CLUSTER, CUE_PLACE = 0xBB, 0xB3, 0xB7, 0xF7, 0xF1, 0xF0
CLUSTER, TIME, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1


class IndexEntries:
    """Checks entries that libav writes: of SeekHead, to elements of the segment, and of Cues, to blocks."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """`size`: of the file in bytes."""
        self.segment_start = 0
        self._file, self._size = file, size
        self._known: set[tuple[int, ...]] = set()

    def is_own(self, entry: Element, end: int) -> bool:
        """Return True for an entry, which ends at `end`, that says where something is, and no more."""
        if entry.id == SEEK:
            found = self._numbers(entry.start, end)
            target = self._at(self.segment_start + found.get(SEEK_POSITION, 0))
            return target is not None and target.id == found.get(SEEK_ID) and self._is_new(SEEK, target.id)
        time, positions = None, []
        for one in elements(self._file, entry.start, end):
            if one.id == CUE_TIME:
                time = self._number(one)
            elif one.id == CUE_POSITIONS:
                positions.append(self._numbers(one.start, one.end or end))
        return bool(positions) and all(
            self._block(found) == (found.get(CUE_TRACK), time)
            and self._is_new(CUE_POINT, *(found.get(key, 0) for key in (CUE_TRACK, CUE_CLUSTER, CUE_PLACE)))
            for found in positions
        )

    def _is_new(self, *entry: int) -> bool:
        known, count = self._known, len(self._known)
        known.add(entry)
        return len(known) > count

    def _block(self, position: dict[int, int]) -> tuple[int | None, int] | None:
        """Return the number of the track and the time of the block that a cue points at."""
        cluster = self._at(self.segment_start + position.get(CUE_CLUSTER, 0))
        block = self._at(cluster.start + position[CUE_PLACE]) if cluster and CUE_PLACE in position else None
        if cluster is None or cluster.id != CLUSTER or block is None:
            return None
        if block.id == BLOCK_GROUP:
            block = self._at(block.start)
        if block is None or block.id not in (SIMPLE_BLOCK, BLOCK):
            return None
        self._file.seek(block.start)
        track, time = ebml_number(self._file), int.from_bytes(self._file.read(2), "big", signed=True)
        return track, time + self._numbers(cluster.start, block.at).get(TIME, 0)

    def _at(self, offset: int) -> Element | None:
        return next(iter(elements(self._file, offset, self._size)), None)

    def _numbers(self, start: int, end: int) -> dict[int, int]:
        return dict(self._each(start, end))

    def _each(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for one in elements(self._file, start, end):
            yield one.id, self._number(one)

    def _number(self, one: Element) -> int:
        self._file.seek(one.start)
        return int.from_bytes(self._file.read(max(0, min(8, (one.end or one.start) - one.start))), "big")
