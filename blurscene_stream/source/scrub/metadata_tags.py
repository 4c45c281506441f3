"""Metadata tags that pass: the language of a stream, the title of audio, and what was asked for by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from blurscene_stream.credentials import redacted

# What a container or a muxer writes by itself, into every file: nobody misses it.
FORMAT_TAGS = re.compile(
    "major_brand|minor_version|compatible_brands|encoder|handler_name|vendor_id|language|variant_bitrate|duration"
    "|(bps|duration|number_of_(frames|bytes)|source_id|_statistics_.*)(-.*)?",
    re.IGNORECASE,
)
LANGUAGE = re.compile("[a-z]{2,3}(-[a-z0-9]{2,4}){0,2}", re.IGNORECASE)  # RFC 5646, its short forms
LOCATION_TAGS = re.compile("location|gps|iso6709|xyz|latitude|longitude|coordinate|geo", re.IGNORECASE)


def kept_tags(tags: Mapping[str, str], named: Iterable[str], always: Sequence[str] = ()) -> dict[str, str]:
    """Return the tags that pass, without the credentials of addresses in them.

    named:  keys that were asked for, in any case
    always: keys that need no asking
    """
    keys = {key.casefold() for key in (*named, *always)}
    passed = {key: value for key, value in tags.items() if key.casefold() in keys and _is_plausible(key, value)}
    return {
        key: _last_time(value) if key.casefold() == "creation_time" else redacted(value)
        for key, value in passed.items()
    }


def _last_time(value: str) -> str:
    """Return the last of several times: FFmpeg 9 joins them by ";", which no muxer reads; FFmpeg 8 gives the last."""
    return value.rpartition(";")[2]


def _is_plausible(key: str, value: str) -> bool:
    """Matroska takes any text for a language."""
    return key.casefold() != "language" or LANGUAGE.fullmatch(value) is not None


def with_title(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a stream with its title under that key: in MP4 libav reads it as "name" and writes "title"."""
    return {"title" if key == "name" and "title" not in tags else key: value for key, value in tags.items()}


def is_language_duplicate(key: str, tags: Mapping[str, str]) -> bool:
    """Return whether libav gives the same tag again with its language, as for MP4: location and location-eng."""
    base, _, language = key.rpartition("-")
    return len(language) == 3 and tags.get(base) == tags[key]


def is_format_tag(key: str) -> bool:
    """Return whether a tag only tells how the file was written."""
    return FORMAT_TAGS.fullmatch(key) is not None


def is_location_tag(key: str) -> bool:
    """Return whether a tag tells where something was recorded, by its key."""
    return LOCATION_TAGS.search(key) is not None


def describe_dropped(keys: Sequence[str]) -> str:
    """Describe dropped tags of these keys for a message, without any value; "" when nobody misses any of them.

    A key that several streams have counts once.
    """
    missed = {key.casefold() for key in keys if not is_format_tag(key)}
    if not missed:
        return ""
    location = "a location" if len(missed) == 1 else "a location among them"
    count = f"{len(missed)} tag{'' if len(missed) == 1 else 's'}"
    return f"{count} ({location})" if any(map(is_location_tag, missed)) else count
