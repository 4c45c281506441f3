"""One line of a file of detections: what is covered in one frame, as text and back without loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from blurscene_stream.boxes import NO_TRACK, Detections, Origin
from blurscene_stream.config.rules import shown
from blurscene_stream.pipeline.sidecar.by_hand import UNTOLD
from blurscene_stream.pipeline.sidecar.strict import LineError, array, keys, loaded, number, whole, word

ORIGINS = [origin.name for origin in Origin]


def frame_line(frame: int, pts: int, time_base: Fraction, detections: Detections, damaged: bool = False) -> str:
    """The line for a frame; the boxes keep their order, which tells what is covered over what.

    damaged: all of the frame is covered
    """
    columns = (detections.labels, detections.scores, detections.boxes, detections.origins, detections.tracks)
    boxes = [
        {
            "label": detections.classes[label],
            "score": _short(score),
            "xyxy": list(map(_short, box)),
            "origin": Origin(origin).name,
            "track": None if track == NO_TRACK else int(track),
        }
        for label, score, box, origin, track in zip(*columns, strict=True)
    ]
    content = {"frame": frame, "pts": pts, "time_s": round(float(pts * time_base), 6), "boxes": boxes}
    content |= {"damaged": True} if damaged else {}
    return json.dumps(content, allow_nan=False) + "\n"


def _short(value: np.float32) -> float:
    """The number of fewest digits that is `value` again as float32: 0.1, not 0.10000000149011612."""
    return float(str(value))


def parse_frame(line: bytes, frame: int, pts: int, classes: tuple[str, ...]) -> tuple[Detections, bool]:
    """What must be covered in the frame of this number and time, and whether all of it must be, as it is damaged.

    Raises LineError, also when the line is for another frame.
    """
    content = keys(loaded(line), ("frame", "pts", "boxes"), ("time_s", "damaged"))
    for key, expected in (("frame", frame), ("pts", pts)):
        told = content[key]
        if type(told) is not int or told != expected:
            raise LineError(f"is for {key} {shown(told)}, but the video goes on with {key} {expected}")
    if "time_s" in content:
        number("time_s", content["time_s"])
    if type(damaged := content.get("damaged", False)) is not bool:
        raise LineError(f"damaged must be true or false, got {shown(damaged)}")
    boxes = [_parse_box(*box, classes) for box in enumerate(array("boxes", content["boxes"]))]
    return _detections(boxes, classes), damaged


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
            Origin[word("origin", content.get("origin", Origin.found.name), ORIGINS)],
            UNTOLD if "track" not in content else NO_TRACK if track is None else whole("track", track, 0),
        )
    except LineError as error:
        raise LineError(f"box {place + 1}: {error}") from error


def _detections(boxes: Sequence[_Box], classes: tuple[str, ...]) -> Detections:
    return Detections(
        boxes=np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4),
        scores=np.array([box.score for box in boxes], np.float32),
        labels=np.array([box.label for box in boxes], np.int64),
        classes=classes,
        origins=np.array([box.origin for box in boxes], np.int8),
        tracks=np.array([box.track for box in boxes], np.int64),
    )
