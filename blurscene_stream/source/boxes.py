"""What libav does not tell of an MP4 or MOV file: the format of each track, and boxes for what programs note."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

Found = TypeVar("Found")

FORMS = ("mp4", "mov")
FOR_NOTES = ("udta", "meta", "uuid")  # tags, and XMP among them
ID_AT = {0: 12, 1: 20}  # of a track, in its tkhd box of version 0 or 1, ISO/IEC 14496-12, 8.3.2


def track_formats(path: Path, form: str) -> dict[int, str]:
    """The four characters that name the format of each track, such as "gpmd", by the number of the track.

    form: libav's name of the container
    Empty for other containers, for what is no file, and when the boxes cannot be read: it is only for words.
    """
    return dict(_read(path, form, _tracks))


def boxes_for_notes(path: Path, form: str) -> list[str]:
    """Where in the file there are boxes for tags and the like, such as "moov/udta"; as `track_formats`, for words."""
    return _read(path, form, _notes)


def _read(path: Path, form: str, find: Callable[[BinaryIO, int], Iterator[Found]]) -> list[Found]:
    if not set(FORMS) & set(form.split(",")) or not path.is_file():
        return []
    try:
        with path.open("rb") as file:
            return list(find(file, path.stat().st_size))
    except (OSError, struct.error, IndexError):
        return []


def _notes(file: BinaryIO, size: int) -> Iterator[str]:
    moov = list(_inside(file, 0, size, "moov"))
    traks = [found for place in moov for found in _inside(file, *place, "trak")]
    for where, places in (("", [(0, size)]), ("moov/", moov), ("moov/trak/", traks)):
        for name in FOR_NOTES:
            if any(list(_inside(file, *place, name)) for place in places):
                yield where + name


def _tracks(file: BinaryIO, size: int) -> Iterator[tuple[int, str]]:
    for moov in _inside(file, 0, size, "moov"):
        for trak in _inside(file, *moov, "trak"):
            number = next((_number(file, *tkhd) for tkhd in _inside(file, *trak, "tkhd")), None)
            places = [trak]
            for name in ("mdia", "minf", "stbl", "stsd"):
                places = [found for place in places for found in _inside(file, *place, name)]
            if number is not None and places:
                file.seek(places[0][0] + 12)  # version, flags, count of entries, size of the first
                yield number, file.read(4).decode("latin-1")


def _number(file: BinaryIO, start: int, end: int) -> int | None:
    file.seek(start)
    place = ID_AT.get(file.read(1)[0]) if end > start else None
    if place is None:
        return None
    file.seek(start + place)
    return int(struct.unpack(">I", file.read(4))[0])


def _inside(file: BinaryIO, start: int, end: int, wanted: str) -> Iterator[tuple[int, int]]:
    """Where the bodies of the boxes of one name are, among those that fill a stretch of the file."""
    while end - start >= 8:
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(8))
        body = start + 8
        if length == 1:
            length, body = struct.unpack(">Q", file.read(8))[0], start + 16
        stop = end if length == 0 else start + length
        if stop < body or stop > end:
            return
        if name == wanted.encode():
            yield body, stop
        start = stop
