"""Which tags pass: the language of a track, the title of sound, and what was asked for by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

# What a container or a muxer writes by itself, into every file: nobody misses it.
OF_THE_FORMAT = re.compile(
    "major_brand|minor_version|compatible_brands|encoder|handler_name|vendor_id|language|variant_bitrate|duration"
    "|(bps|duration|number_of_(frames|bytes)|source_id|_statistics_.*)(-.*)?",
    re.IGNORECASE,
)
LANGUAGE = re.compile("[a-z]{2,3}(-[a-z0-9]{2,4}){0,2}", re.IGNORECASE)  # RFC 5646, its short forms
PLACES = re.compile("location|gps|iso6709|xyz|latitude|longitude|coordinate|geo", re.IGNORECASE)


def passing(tags: Mapping[str, str], named: Iterable[str], always: Sequence[str] = ()) -> dict[str, str]:
    """The tags that pass.

    named:  keys that were asked for, in any case
    always: keys that need no asking
    """
    keys = {key.casefold() for key in (*named, *always)}
    passed = {key: value for key, value in tags.items() if key.casefold() in keys and _is_what_it_says(key, value)}
    return {key: _last(value) if key.casefold() == "creation_time" else value for key, value in passed.items()}


def _last(value: str) -> str:
    """The last of several times: FFmpeg 9 joins them by ";", which no muxer can read; FFmpeg 8 gives the last."""
    return value.rpartition(";")[2]


def _is_what_it_says(key: str, value: str) -> bool:
    """Matroska takes any text for a language."""
    return key.casefold() != "language" or LANGUAGE.fullmatch(value) is not None


def titled(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a track with its title under that name: in MP4 libav reads it as "name" and writes "title"."""
    return {"title" if key == "name" and "title" not in tags else key: value for key, value in tags.items()}


def said_twice(key: str, tags: Mapping[str, str]) -> bool:
    """Whether libav gives the same tag again with its language, as it does for MP4: location and location-eng."""
    base, _, language = key.rpartition("-")
    return len(language) == 3 and tags.get(base) == tags[key]


def is_of_the_format(key: str) -> bool:
    """Whether a tag only tells how the file was written."""
    return OF_THE_FORMAT.fullmatch(key) is not None


def tells_a_place(key: str) -> bool:
    """Whether a tag tells where something was recorded, by its key."""
    return PLACES.search(key) is not None


def in_words(dropped: Sequence[str]) -> str:
    """What tags of these keys are in a message, "" when nobody misses any of them. No value is ever told.

    A key that several streams have counts once.
    """
    missed = {key.casefold() for key in dropped if not is_of_the_format(key)}
    if not missed:
        return ""
    place = "a place" if len(missed) == 1 else "a place among them"
    count = f"{len(missed)} tag{'' if len(missed) == 1 else 's'}"
    return f"{count} ({place})" if any(map(tells_a_place, missed)) else count
