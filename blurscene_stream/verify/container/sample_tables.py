"""Sample tables of MP4 (ISO/IEC 14496-12, 8.6 and 8.7): where each sample lies, and what of `mdat` is in none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.verify.container.stray import Stray

TABLES = {  # leaves that are tables: bytes before the first row, and of a row; the last number before is the count
    **{b"stts": (8, 8), b"ctts": (8, 8), b"stss": (8, 4), b"stsc": (8, 12), b"stco": (8, 4), b"co64": (8, 8)},
    **{b"stsz": (12, 4), b"sbgp": (12, 8)},
}

MAX_GROUPS = 32  # descriptions in sgpd


def is_whole_table(name: bytes, body: bytes) -> bool:
    """Return True when a table has as many rows as it says; stsz has none where all samples are of one size."""
    before, row = TABLES[name]
    fixed = name == b"stsz" and body[4:8] != bytes(4)
    count = 0 if fixed else int.from_bytes(body[before - 4 : before], "big")
    return len(body) == before + row * count


def sample_spans(tables: dict[bytes, bytes]) -> NDArray[np.int64] | None:
    """Return start and end of each sample in the order of decoding, int64 (N, 2); None when the tables disagree.

    tables: bodies of stsz, stsc, stco or co64, and of those that must speak of as many samples
    """
    sizes = tables.get(b"stsz", bytes(12))
    count, fixed = (int.from_bytes(sizes[at : at + 4], "big") for at in (8, 4))
    lengths = np.full(count, fixed, np.int64) if fixed else np.frombuffer(sizes, ">u4", offset=12).astype(np.int64)
    width, places = (">u8", b"co64") if b"co64" in tables else (">u4", b"stco")
    chunks = np.frombuffer(tables.get(places, bytes(8)), width, offset=8).astype(np.int64)
    per_chunk = _samples_per_chunk(_rows(tables.get(b"stsc", bytes(8)), 3), len(chunks))
    if per_chunk is None or per_chunk.sum() != count or not _agree(tables, count):
        return None
    ends = np.cumsum(lengths)
    starts = np.append(0, ends[:-1])[:count]
    first_in_chunk = np.append(starts, 0)[np.cumsum(per_chunk) - per_chunk]
    starts += np.repeat(chunks - first_in_chunk, per_chunk)
    return np.stack((starts, starts + lengths), axis=1)


def _samples_per_chunk(runs: NDArray[np.int64], chunks: int) -> NDArray[np.int64] | None:
    """Return the number of samples in each chunk; `runs`: first chunk from 1 on, samples in each, sample format."""
    if not len(runs):
        return None if chunks else np.zeros(0, np.int64)
    firsts = np.append(runs[:, 0] - 1, chunks)
    if firsts[0] or (np.diff(firsts) <= 0).any() or (runs[:, 2] != 1).any() or not runs[:, 1].all():
        return None
    return np.repeat(runs[:, 1], np.diff(firsts))


def _agree(tables: dict[bytes, bytes], count: int) -> bool:
    """Return True when the tables of times and of key frames speak of so many samples."""
    runs = (_rows(tables[name], 2) for name in (b"stts", b"ctts") if name in tables)
    groups = _rows(tables.get(b"sbgp", bytes(12))[4:], 2)  # behind its type; samples at the end may be in none
    keys = _rows(tables.get(b"stss", bytes(8)), 1)[:, 0]
    return (
        all(rows[:, 0].sum() == count and rows[:, 0].all() for rows in runs)
        and bool(groups[:, 0].all())
        and bool(groups[:, 0].sum() <= count)
        and bool((groups[:, 1] <= MAX_GROUPS).all())
        and bool((np.diff(keys) > 0).all())
        and bool((keys <= count).all())
        and len(tables.get(b"sdtp", bytes(4 + count))) == 4 + count
    )


def _rows(table: bytes, columns: int) -> NDArray[np.int64]:
    return np.frombuffer(table, ">u4", offset=8).astype(np.int64).reshape(-1, columns)


def unreferenced(spans: NDArray[np.int64], start: int, end: int) -> Iterator[Stray]:
    """Yield what of `mdat`, from `start` to `end`, is in no sample or in two, and samples that lie elsewhere.

    spans: start and end of the samples of all tracks, int64 (N, 2)
    """
    at = start
    for first, last in spans[np.lexsort((spans[:, 1], spans[:, 0]))].tolist():
        if first > at:
            yield Stray(at, min(first, end) - at, "of mdat, in no sample of any track")
        elif first < at and last > first:
            yield Stray(first, at - first, "in two samples, or in one that lies outside mdat")
        at = max(at, last)
    if at < end:
        yield Stray(at, end - at, "of mdat, in no sample of any track")
    elif at > end:
        yield Stray(end, at - end, "of a sample that reaches out of mdat")
