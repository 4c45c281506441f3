"""Lines of a file of detections: the header, then one line for each frame, as text and back without loss."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from blurscene_stream.boxes import NO_TRACK, Detections, Origin
from blurscene_stream.config.areas import AreasConfig
from blurscene_stream.config.schema import Settings
from blurscene_stream.config.serialization import models, program, settings_sha256
from blurscene_stream.config.validation import shown
from blurscene_stream.errors import ConfigError, UsageError
from blurscene_stream.frames import Frame, PictureInfo, RedactedFrame
from blurscene_stream.json_lines import (
    LineError,
    parse_line,
    require_choice,
    require_float32,
    require_int,
    require_list,
    require_object,
)
from blurscene_stream.own_files import DETECTIONS
from blurscene_stream.sidecar.manual_tracks import UNSET_TRACK
from blurscene_stream.streams import StreamInfo

VERSION = 1
EARLY_END = "ended_early"  # the key of the last line of a live stream that went away
RATIO = re.compile("[1-9][0-9]{0,18}(/[1-9][0-9]{0,18})?")
CHECKSUM = re.compile("[0-9a-fA-F]{8}")
ORIGINS = [origin.name for origin in Origin]


@dataclass(frozen=True, slots=True)
class Header:
    """Identity of the video that the lines are of.

    width, height: pixels of the picture as stored, in which the boxes are
    time_base:     seconds a tick of pts
    class_names:   by class id
    always:        the areas that were covered in every frame, as `areas.always` has them
    model_names:   of the run, as the file says; () where it says nothing
    """

    width: int
    height: int
    time_base: Fraction
    class_names: tuple[str, ...]
    always: tuple[str, ...] = ()
    model_names: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, info: StreamInfo, class_names: tuple[str, ...], always: Sequence[str] = ()) -> Header:
        """Make the header for a stream."""
        return cls(info.picture.width, info.picture.height, info.time_base, class_names, tuple(always))

    def check(self, info: StreamInfo, name: str) -> None:
        """Refuse a stream of another shape.

        name: of the file that the header is from
        Raises UsageError.
        """
        expected = Header.of(info, self.class_names)
        for key in ("width", "height", "time_base"):
            stated, actual = getattr(self, key), getattr(expected, key)
            if stated != actual:
                raise UsageError(f"{name}: is of another input than {info.name}: {key} {stated} instead of {actual}")


def header_line(header: Header, settings: Settings) -> str:
    """Format the first line, with the models and a checksum of the settings; without where the video comes from."""
    content = {
        "format": DETECTIONS.label,
        "format_version": VERSION,
        "program": program(),
        "models": models(settings),
        "settings_sha256": settings_sha256(settings),
        "width": header.width,
        "height": header.height,
        "time_base": str(header.time_base),
        "classes": list(header.class_names),
        "always": list(header.always),
    }
    return json.dumps(content) + "\n"


def parse_header(line: bytes) -> Header:
    """Parse the first line; program, settings and the models' checksums are ignored.

    Raises LineError.
    """
    content = require_object(parse_line(line), ("format", "format_version"), None)
    if content["format"] != DETECTIONS.label:
        raise LineError(f"format must be {DETECTIONS.label!r}, got {shown(content['format'])}")
    if (version := require_int("format_version", content["format_version"], 1)) != VERSION:
        raise LineError(f"format_version {version} is not known, only {VERSION}; use the program that has written it")
    require_object(content, ("width", "height", "time_base", "classes"), None)
    classes = require_list("classes", content["classes"])
    names = [name for name in classes if isinstance(name, str)]
    if not len(classes) == len(names) == len(set(names)) > 0:
        raise LineError(f"classes must be different names, got {shown(classes)}")
    return Header(
        require_int("width", content["width"], 1),
        require_int("height", content["height"], 1),
        _time_base(content["time_base"]),
        tuple(names),
        _areas(content.get("always", [])),
        _model_names(content.get("models")),
    )


def _model_names(value: object) -> tuple[str, ...]:
    """Return the names in a list of models; what is none is left out, for nothing depends on it but a warning."""
    entries = value if isinstance(value, list) else []
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    return tuple(name for name in names if isinstance(name, str))


def _areas(value: object) -> tuple[str, ...]:
    areas = require_list("always", value)
    texts = [area for area in areas if isinstance(area, str)]
    try:
        if len(texts) < len(areas):
            raise LineError(f"always must be a list of polygons, got {shown(areas)}")
        return tuple(AreasConfig(always=texts).always)
    except ConfigError as error:
        raise LineError(str(error).removeprefix("areas.")) from error


def _time_base(value: object) -> Fraction:
    if isinstance(value, str) and RATIO.fullmatch(value):
        return Fraction(value)
    raise LineError(f"time_base must be a ratio such as '1/12800', got {shown(value)}")


def frame_line(frame: Frame | RedactedFrame, detections: Detections, time_base: Fraction) -> str:
    """Format the line of a frame; the boxes keep their order, in which they are covered.

    A corrupt frame may be decoded otherwise the next time: it has no checksum.
    """
    columns = (detections.class_ids, detections.scores, detections.xyxy, detections.origins, detections.track_ids)
    boxes = [
        {
            "label": detections.class_names[class_id],
            "score": _short(score),
            "xyxy": list(map(_short, box)),
            "origin": Origin(origin).name,
            "track": None if track_id == NO_TRACK else int(track_id),
        }
        for class_id, score, box, origin, track_id in zip(*columns, strict=True)
    ]
    content = {
        "frame": frame.number,
        "pts": frame.pts,
        "time_s": round(float(frame.pts * time_base), 6),
        **({"corrupt": True} if frame.corrupt else {"checksum": f"{frame.checksum:08x}"}),
        "boxes": boxes,
    }
    return json.dumps(content, allow_nan=False) + "\n"


def early_end_line(why: str) -> str:
    """Format the last line for a live stream that went away after the frame of the line before it."""
    return json.dumps({EARLY_END: why}) + "\n"


def is_early_end(line: bytes) -> bool:
    """Tell whether a line is the one of `early_end_line`."""
    with suppress(LineError):
        return isinstance(require_object(parse_line(line), (EARLY_END,), ())[EARLY_END], str)
    return False


def _short(value: np.float32) -> float:
    """The number of fewest digits that is `value` again as float32: 0.1, not 0.10000000149011612."""
    return float(str(value))


def parse_frame(line: bytes, frame: Frame, class_names: tuple[str, ...]) -> tuple[Detections, bool]:
    """Parse the line of a frame: its detections, and whether it is corrupt and covered whole.

    Raises LineError, also when the line is for another frame.
    """
    content = require_object(parse_line(line), ("frame", "pts", "boxes"), ("time_s", "corrupt", "checksum"))
    for key, expected in (("frame", frame.number), ("pts", frame.pts)):
        stated = content[key]
        if type(stated) is not int or stated != expected:
            raise LineError(f"is for {key} {shown(stated)}, but the input goes on with {key} {expected}")
    _check_picture(content, frame)
    if "time_s" in content:
        require_float32("time_s", content["time_s"])
    if type(corrupt := content.get("corrupt", False)) is not bool:
        raise LineError(f"corrupt must be true or false, got {shown(corrupt)}")
    listed = require_list("boxes", content["boxes"])
    boxes = [_parse_box(index, box, class_names, frame.picture) for index, box in enumerate(listed)]
    return _detections(boxes, class_names), corrupt


def _check_picture(content: Mapping[str, object], frame: Frame) -> None:
    """Refuse another picture, be it as large and at the same time: the boxes would leave open what it shows."""
    stated = content.get("checksum")
    if stated is None or frame.corrupt:
        return
    if not isinstance(stated, str) or not CHECKSUM.fullmatch(stated):
        raise LineError(f"checksum must be 8 hex digits, got {shown(stated)}")
    if int(stated, 16) != frame.checksum:
        raise LineError(
            f"is for another picture than frame {frame.number} of the input shows; "
            "give the input that the file was written for, or take the checksums out of the file"
        )


@dataclass(frozen=True, slots=True)
class _Box:
    """One box of a line; see `Detections`."""

    class_id: int
    score: float
    xyxy: list[float]
    origin: Origin
    track_id: int


def _parse_box(index: int, box: object, class_names: tuple[str, ...], picture: PictureInfo) -> _Box:
    """A box that was added by hand needs but a label and its corners; without the key its track is UNSET_TRACK."""
    try:
        content = require_object(box, ("label", "xyxy"), ("score", "origin", "track"))
        corners = require_list("xyxy", content["xyxy"])
        if len(corners) != 4:
            raise LineError(f"xyxy must be 4 numbers, got {len(corners)}")
        xyxy = [require_float32("xyxy", corner) for corner in corners]
        if "origin" not in content:  # tracks leave the picture, but who adds a box by hand has seen something
            _refuse_outside(xyxy, picture)
        track = content.get("track")
        return _Box(
            class_names.index(require_choice("label", content["label"], class_names)),
            require_float32("score", content.get("score", 1.0)),
            xyxy,
            Origin[require_choice("origin", content.get("origin", Origin.detected.name), ORIGINS)],
            UNSET_TRACK if "track" not in content else NO_TRACK if track is None else require_int("track", track, 0),
        )
    except LineError as error:
        raise LineError(f"box {index + 1}: {error}") from error


def _refuse_outside(xyxy: Sequence[float], picture: PictureInfo) -> None:
    (left, right), (top, bottom) = sorted(xyxy[0::2]), sorted(xyxy[1::2])
    if right <= 0 or bottom <= 0 or left >= picture.width or top >= picture.height:
        raise LineError(
            f"lies outside the picture of {picture.width}x{picture.height} pixels (as stored, before any rotation) "
            "and would cover nothing"
        )


def _detections(boxes: Sequence[_Box], class_names: tuple[str, ...]) -> Detections:
    return Detections(
        xyxy=np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4),
        scores=np.array([box.score for box in boxes], np.float32),
        class_ids=np.array([box.class_id for box in boxes], np.int64),
        class_names=class_names,
        origins=np.array([box.origin for box in boxes], np.int8),
        track_ids=np.array([box.track_id for box in boxes], np.int64),
    )
