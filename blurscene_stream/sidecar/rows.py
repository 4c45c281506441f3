"""One line of a file of detections: what is covered in one frame, as text and back without loss."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from blurscene_stream.boxes import NO_TRACK, Detections, Origin
from blurscene_stream.config.rules import shown
from blurscene_stream.frames import Frame, RedactedFrame
from blurscene_stream.json_lines import LineError, array, keys, loaded, number, whole, word
from blurscene_stream.sidecar.manual_tracks import UNTOLD

ORIGINS = [origin.name for origin in Origin]
CHECKSUM = re.compile("[0-9a-fA-F]{8}")


def frame_line(frame: RedactedFrame, time_base: Fraction) -> str:
    """The line for a frame; the boxes keep their order, which tells what is covered over what.

    A damaged frame may be decoded otherwise the next time: it has no checksum.
    """
    detections = frame.detections
    columns = (detections.class_ids, detections.scores, detections.xyxy, detections.origins, detections.track_ids)
    boxes = [
        {
            "label": detections.class_names[label],
            "score": _short(score),
            "xyxy": list(map(_short, box)),
            "origin": Origin(origin).name,
            "track": None if track == NO_TRACK else int(track),
        }
        for label, score, box, origin, track in zip(*columns, strict=True)
    ]
    content = {
        "frame": frame.number,
        "pts": frame.pts,
        "time_s": round(float(frame.pts * time_base), 6),
        **({"damaged": True} if frame.corrupt else {"checksum": f"{frame.checksum:08x}"}),
        "boxes": boxes,
    }
    return json.dumps(content, allow_nan=False) + "\n"


def _short(value: np.float32) -> float:
    """The number of fewest digits that is `value` again as float32: 0.1, not 0.10000000149011612."""
    return float(str(value))


def parse_frame(line: bytes, frame: Frame, classes: tuple[str, ...]) -> tuple[Detections, bool]:
    """What must be covered in a frame, and whether all of it must be, as it is damaged.

    Raises LineError, also when the line is for another frame.
    """
    content = keys(loaded(line), ("frame", "pts", "boxes"), ("time_s", "damaged", "checksum"))
    for key, expected in (("frame", frame.number), ("pts", frame.pts)):
        told = content[key]
        if type(told) is not int or told != expected:
            raise LineError(f"is for {key} {shown(told)}, but the video goes on with {key} {expected}")
    _check_picture(content, frame)
    if "time_s" in content:
        number("time_s", content["time_s"])
    if type(damaged := content.get("damaged", False)) is not bool:
        raise LineError(f"damaged must be true or false, got {shown(damaged)}")
    boxes = [_parse_box(*box, classes) for box in enumerate(array("boxes", content["boxes"]))]
    return _detections(boxes, classes), damaged


def _check_picture(content: Mapping[str, object], frame: Frame) -> None:
    """Boxes for one picture leave open what another one shows, be it as large and at the same time."""
    told = content.get("checksum")
    if told is None or frame.corrupt:
        return
    if not isinstance(told, str) or not CHECKSUM.fullmatch(told):
        raise LineError(f"checksum must be 8 hex digits, got {shown(told)}")
    if int(told, 16) != frame.checksum:
        raise LineError(
            f"is for another picture than frame {frame.number} of the video shows; "
            "give the video that the file was written for, or take the checksums out of the file"
        )


@dataclass(frozen=True, slots=True)
class _Box:
    """One box of a line; see `Detections`."""

    label: int
    score: float
    xyxy: list[float]
    origin: Origin
    track: int


def _parse_box(place: int, box: object, classes: tuple[str, ...]) -> _Box:
    """A box that was added by hand needs but a label and its corners; without the key its track is UNTOLD."""
    try:
        content = keys(box, ("label", "xyxy"), ("score", "origin", "track"))
        corners = array("xyxy", content["xyxy"])
        if len(corners) != 4:
            raise LineError(f"xyxy must be 4 numbers, got {len(corners)}")
        track = content.get("track")
        return _Box(
            classes.index(word("label", content["label"], classes)),
            number("score", content.get("score", 1.0)),
            [number("xyxy", corner) for corner in corners],
            Origin[word("origin", content.get("origin", Origin.detected.name), ORIGINS)],
            UNTOLD if "track" not in content else NO_TRACK if track is None else whole("track", track, 0),
        )
    except LineError as error:
        raise LineError(f"box {place + 1}: {error}") from error


def _detections(boxes: Sequence[_Box], classes: tuple[str, ...]) -> Detections:
    return Detections(
        xyxy=np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4),
        scores=np.array([box.score for box in boxes], np.float32),
        class_ids=np.array([box.label for box in boxes], np.int64),
        class_names=classes,
        origins=np.array([box.origin for box in boxes], np.int8),
        track_ids=np.array([box.track for box in boxes], np.int64),
    )
