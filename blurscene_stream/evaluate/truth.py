"""Videos of which is known where every object is, in every frame.

One line a frame, in pixels of the stored picture:
{"frame": 0, "pts_s": 0.0, "objects": [{"track": 1, "label": "face", "xyxy": [x0, y0, x1, y1], "visible": 1.0}]}
`pts_s`: seconds since the first frame. `visible`: the share of the object, 0 to 1, that is neither hidden nor outside.
A track is one object, and stands once in a frame. What contradicts itself is refused: it would be measured as no leak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.errors import SourceError, UsageError
from blurscene_stream.evaluate.datasets.values import corners, field, json_rows, number, refuse
from blurscene_stream.evaluate.names import Names

VIDEOS = (".mp4", ".mkv", ".mov", ".m4v", ".webm", ".ts", ".m2ts", ".mts", ".avi")
TRUTH = ".truth.jsonl"
LATEST_S = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class FrameTruth:
    """What is in one frame.

    where:   names its line in errors
    tracks:  the track of each object
    labels:  int64 (N,)
    boxes:   float32 (N, 4)
    visible: float64 (N,)
    """

    where: str
    pts_s: float
    tracks: tuple[str, ...]
    labels: NDArray[np.int64]
    boxes: Boxes
    visible: NDArray[np.float64]


def find_pairs(video: Path, truth: Path | None) -> list[tuple[Path, Path]]:
    """The videos and their truths: the two files, or all that a folder has (NAME.mp4 and NAME.truth.jsonl).

    Raises UsageError when a truth is missing or there is no pair.
    """
    if not video.is_dir():
        beside = truth or video.with_suffix(TRUTH)
        if not beside.is_file():
            raise UsageError(f"{video}: its truth is missing: there is no {beside}; name it with --truth")
        return [(video, beside)]
    if truth is not None:
        raise UsageError(f"{video}: is a folder, --truth is for one video; of each in it the truth is NAME{TRUTH}")
    clips = sorted(file for file in video.iterdir() if file.suffix.lower() in VIDEOS)
    if not clips:
        raise SourceError(f"{video}: holds no video")
    return [pair for clip in clips for pair in find_pairs(clip, None)]


def read_truth(path: Path, names: Names) -> list[FrameTruth]:
    """The truth of every frame, in order.

    Raises SourceError when it cannot be read or contradicts itself, UsageError for a class that is not known.
    """
    frames: list[FrameTruth] = []
    labels: dict[str, int] = {}
    for where, row in json_rows(path):
        if field(row, "frame", int, where) != len(frames):
            refuse(where, f"frame {brief(row['frame'])} stands where frame {len(frames)} should")
        frames.append(_frame(row, names, where))
        for track, label in zip(frames[-1].tracks, frames[-1].labels.tolist(), strict=True):
            if labels.setdefault(track, label) != label:
                one, other = names.classes[label], names.classes[labels[track]]
                refuse(where, f"track {track} is {one!r}, in a line before {other!r}; a track is one object")
    if not frames:
        refuse(str(path), "is empty")
    boxes = np.concatenate([frame.boxes for frame in frames])
    if len(boxes) and boxes.max() <= 1:
        refuse(str(path), "all boxes lie in the first pixel: 'xyxy' must be in pixels, not in shares of the picture")
    return frames


def _frame(row: Any, names: Names, where: str) -> FrameTruth:
    known = []
    for each in field(row, "objects", list, where):
        label = names.label(field(each, "label", str, where), where)
        if label is not None:
            track = str(field(each, "track", (int, str), where))
            known.append((track, label, _box(each, where), number(each, "visible", (0, 1), where)))
    tracks = tuple(track for track, _, _, _ in known)
    for place, track in enumerate(tracks):
        if track in tracks[:place]:
            refuse(where, f"track {track} stands twice in this frame; a track is one object")
    return FrameTruth(
        where,
        number(row, "pts_s", (-LATEST_S, LATEST_S), where),
        tracks,
        np.array([label for _, label, _, _ in known], np.int64),
        np.array([box for _, _, box, _ in known], np.float32).reshape(-1, 4),
        np.array([visible for _, _, _, visible in known], np.float64),
    )


def _box(each: Any, where: str) -> Boxes:
    box: Boxes = np.array(corners(each.get("xyxy"), where), np.float32)
    if not (box[2:] > box[:2]).all():
        refuse(where, f"'xyxy' must be x0, y0, x1, y1 with x1 above x0 and y1 above y0, got {brief(each['xyxy'])}")
    return box


def refuse_outside(truth: Sequence[FrameTruth], width: int, height: int) -> None:
    """Refuse a truth that says of an object outside a picture of `width` x `height` that something of it is visible.

    Raises SourceError.
    """
    for frame in truth:
        outside = ~with_area(inside(frame.boxes, width, height)) & (frame.visible > 0)
        for box in frame.boxes[outside].tolist():
            refuse(
                frame.where,
                f"'xyxy' {brief(box)} lies outside the picture, which has {width}x{height} pixels as it is stored; "
                "leave the object out, or say that 'visible' is 0",
            )


def inside(boxes: Boxes, width: int, height: int) -> Boxes:
    """The boxes (N, 4), cut at the border of a picture."""
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float32))


def with_area(boxes: Boxes) -> NDArray[np.bool_]:
    """Which (N,) of the boxes have an area."""
    return np.asarray((boxes[:, 2:] > boxes[:, :2]).all(axis=1), np.bool_)
