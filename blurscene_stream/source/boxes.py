"""What libav does not tell of an MP4 or MOV file: the format of each track, and boxes for what programs note."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from blurscene_stream.source.mp4 import Boxes, boxes_in, movie_of, number_of, top_boxes

Found = TypeVar("Found")

FORMS = ("mp4", "mov")
FOR_NOTES = (b"udta", b"meta", b"uuid")  # tags, and XMP among them
FORMAT = slice(12, 16)  # of stsd, behind version, flags, the number of entries and the size of the first (8.5.2)


def track_formats(path: Path, form: str) -> dict[int, str]:
    """The four characters that name the format of each track, such as "gpmd", by the number of the track.

    form: libav's name of the container
    Empty for other containers, for what is no file, and when the boxes cannot be read: it is only for words.
    """
    return dict(_read(path, form, lambda: _formats(movie_of(path))))


def boxes_for_notes(path: Path, form: str) -> list[str]:
    """Where in the file there are boxes for tags and the like, such as "moov/udta"; as `track_formats`, for words."""
    return _read(path, form, lambda: _notes(path))


def _read(path: Path, form: str, find: Callable[[], Iterator[Found]]) -> list[Found]:
    if not set(FORMS) & set(form.split(",")) or not path.is_file():
        return []
    try:
        return list(find())
    except OSError:
        return []


def _notes(path: Path) -> Iterator[str]:
    movie = movie_of(path)
    in_tracks = {name for track in map(boxes_in, movie[b"trak"]) for name in track}
    for where, names in (("", {name for name, _ in top_boxes(path)}), ("moov/", set(movie)), ("moov/trak/", in_tracks)):
        yield from (where + name.decode() for name in FOR_NOTES if name in names)


def _formats(movie: Boxes) -> Iterator[tuple[int, str]]:
    for track in map(boxes_in, movie[b"trak"]):
        with suppress(struct.error, IndexError):  # boxes that cannot be
            table = boxes_in(boxes_in(boxes_in(track[b"mdia"][0])[b"minf"][0])[b"stbl"][0])
            yield number_of(track), table[b"stsd"][0][FORMAT].decode("latin-1")
