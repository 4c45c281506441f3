"""The first line of a file of detections: what it is, which video it is of, and with what it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from blurscene_stream.config.areas import AreasConfig
from blurscene_stream.config.provenance import models, program, settings_sha256
from blurscene_stream.config.rules import shown
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import ConfigError, UsageError
from blurscene_stream.json_lines import LineError, array, keys, loaded, whole
from blurscene_stream.streams import StreamInfo

FORMAT, VERSION = "blurscene-stream detections", 1
RATIO = re.compile("[1-9][0-9]{0,18}(/[1-9][0-9]{0,18})?")


@dataclass(frozen=True, slots=True)
class Header:
    """Which video the lines are of.

    width, height: pixels of the picture as stored, in which the boxes are
    time_base:     seconds a tick of pts
    classes:       the names of what was looked for, in the order of the labels
    always:        the areas that were covered in every frame, as `areas.always` has them
    """

    width: int
    height: int
    time_base: Fraction
    classes: tuple[str, ...]
    always: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: StreamInfo, classes: tuple[str, ...], always: Sequence[str] = ()) -> Header:
        """The header for a stream."""
        return cls(info.picture.width, info.picture.height, info.time_base, classes, tuple(always))

    def check(self, info: StreamInfo, name: str) -> None:
        """Refuse a stream of another shape.

        name: of the file that the header is from
        Raises UsageError.
        """
        expected = Header.of(info, self.classes)
        for field in ("width", "height", "time_base"):
            told, there = getattr(self, field), getattr(expected, field)
            if told != there:
                raise UsageError(f"{name}: is of another video than {info.name}: {field} {told} instead of {there}")


def header_line(header: Header, settings: Settings) -> str:
    """The first line, with the models and a checksum of the settings; without where the video comes from."""
    content = {
        "format": FORMAT,
        "format_version": VERSION,
        "program": program(),
        "models": models(settings),
        "settings_sha256": settings_sha256(settings),
        "width": header.width,
        "height": header.height,
        "time_base": str(header.time_base),
        "classes": list(header.classes),
        "always": list(header.always),
    }
    return json.dumps(content) + "\n"


def parse_header(line: bytes) -> Header:
    """Read the first line; with what it was made is not looked at.

    Raises LineError.
    """
    content = keys(loaded(line), ("format", "format_version"), None)
    if content["format"] != FORMAT:
        raise LineError(f"format must be {FORMAT!r}, got {shown(content['format'])}")
    if (version := whole("format_version", content["format_version"], 1)) != VERSION:
        raise LineError(f"format_version {version} is not known, only {VERSION}; use the program that has written it")
    keys(content, ("width", "height", "time_base", "classes"), None)
    classes = array("classes", content["classes"])
    names = [name for name in classes if isinstance(name, str)]
    if not len(classes) == len(names) == len(set(names)) > 0:
        raise LineError(f"classes must be different names, got {shown(classes)}")
    return Header(
        whole("width", content["width"], 1),
        whole("height", content["height"], 1),
        _time_base(content["time_base"]),
        tuple(names),
        _areas(content.get("always", [])),
    )


def _areas(told: object) -> tuple[str, ...]:
    areas = array("always", told)
    texts = [area for area in areas if isinstance(area, str)]
    try:
        if len(texts) < len(areas):
            raise LineError(f"always must be a list of polygons, got {shown(areas)}")
        return tuple(AreasConfig(always=texts).always)
    except ConfigError as error:
        raise LineError(str(error).removeprefix("areas.")) from error


def _time_base(text: object) -> Fraction:
    if isinstance(text, str) and RATIO.fullmatch(text):
        return Fraction(text)
    raise LineError(f"time_base must be a ratio such as '1/12800', got {shown(text)}")
