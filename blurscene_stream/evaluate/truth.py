"""Videos of which is known where every object is, in every frame.

One line a frame, in pixels of the stored picture:
{"frame": 0, "pts_s": 0.0, "objects": [{"track": 1, "label": "face", "xyxy": [x0, y0, x1, y1], "visible": 1.0}]}
`pts_s`: seconds since the first frame. `visible`: the share of the object that is neither hidden nor outside.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.errors import SourceError, UsageError
from blurscene_stream.evaluate.datasets.values import corners, field, refuse
from blurscene_stream.evaluate.names import Names

VIDEOS = (".mp4", ".mkv", ".mov", ".m4v", ".webm", ".ts", ".m2ts", ".mts", ".avi")
TRUTH = ".truth.jsonl"


@dataclass(frozen=True, slots=True, eq=False)
class FrameTruth:
    """What is in one frame.

    tracks:  the track of each object
    labels:  int64 (N,)
    boxes:   float32 (N, 4)
    visible: float64 (N,)
    """

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

    Raises SourceError when it cannot be read, UsageError for a class that is not known.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text") from error
    frames = []
    for number, line in enumerate(filter(str.strip, lines)):
        where = f"{path}: line {number + 1}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            refuse(where, "not JSON")
        if field(row, "frame", int, where) != number:
            refuse(where, f"frame {row['frame']} stands where frame {number} should")
        frames.append(_frame(row, names, where))
    if not frames:
        refuse(str(path), "is empty")
    return frames


def _frame(row: Any, names: Names, where: str) -> FrameTruth:
    known = []
    for each in field(row, "objects", list, where):
        label = names.label(field(each, "label", str, where), where)
        if label is not None:
            track = str(field(each, "track", (int, str), where))
            visible = float(field(each, "visible", (int, float), where))
            known.append((track, label, corners(each.get("xyxy"), where), visible))
    pts_s = float(field(row, "pts_s", (int, float), where))
    if not math.isfinite(pts_s):
        refuse(where, "'pts_s' must be a number of seconds")
    return FrameTruth(
        pts_s,
        tuple(track for track, _, _, _ in known),
        np.array([label for _, label, _, _ in known], np.int64),
        np.array([box for _, _, box, _ in known], np.float32).reshape(-1, 4),
        np.array([visible for _, _, _, visible in known], np.float64),
    )
