"""Annotations as JSON lines: labels.jsonl of images, NAME.truth.jsonl with the tracks of a video.

labels.jsonl has one image a line, `file` relative to it:
{"file": ..., "width": ..., "height": ..., "boxes": [{"label": ..., "xyxy": [x0, y0, x1, y1]}], "exhaustive": [...]}
A box with "ignore": true need not be found; "score", 0 to 1, is that of a detector which made it. Without
"exhaustive", every class in the file is taken to be annotated exhaustively.

NAME.truth.jsonl has one frame a line:
{"frame": 0, "pts_s": 0.0, "objects": [{"track": 1, "label": "face", "xyxy": [x0, y0, x1, y1], "visible": 1.0}]}
`pts_s`: seconds since the first frame. `visible`: share of the object, 0 to 1, neither occluded nor outside the frame.
A track is one object, at most once in a frame. A contradiction is refused: it would be measured as no leak.

Boxes are in pixels of the stored picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np

from blurscene_stream.boxes import Boxes
from blurscene_stream.errors import SourceError, UsageError
from blurscene_stream.evaluate.annotations import (
    Annotation,
    FrameGroundTruth,
    ImageAnnotations,
    clip_boxes,
    has_area,
)
from blurscene_stream.evaluate.datasets.parsing import (
    find_image,
    parse_size,
    parse_xyxy,
    read_json_lines,
    refuse,
    require,
    require_number,
)
from blurscene_stream.evaluate.options import ClassMapping

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".m4v", ".webm", ".ts", ".m2ts", ".mts", ".avi")
TRUTH_SUFFIX = ".truth.jsonl"
MAX_TIME_S = 1e9


def find(path: Path) -> Path | None:
    """Find the annotation file: `path` itself, or labels.jsonl in it."""
    file = path / "labels.jsonl" if path.is_dir() else path
    return file if file.suffix == ".jsonl" and file.is_file() else None


def read(file: Path) -> Iterator[ImageAnnotations]:
    """Yield the annotations of every image in the file.

    Raises SourceError.
    """
    for where, row in read_json_lines(file):
        yield _image_annotations(row, file.parent, where)


def _image_annotations(row: Any, folder: Path, where: str) -> ImageAnnotations:
    annotations = [
        Annotation(
            require(box, "label", str, where),
            parse_xyxy(box.get("xyxy"), where),
            bool(box.get("ignore", False)),
            require_number(box, "score", (0, 1), where) if "score" in box else 1.0,
        )
        for box in require(row, "boxes", list, where)
    ]
    exhaustive = row.get("exhaustive")
    named = isinstance(exhaustive, list) and all(isinstance(name, str) for name in exhaustive)
    if exhaustive is not None and not named:
        refuse(where, "'exhaustive' must be a list of labels")
    image = find_image(require(row, "file", str, where), [folder], where)
    return ImageAnnotations(image, annotations, parse_size(row), exhaustive)


def find_video_pairs(video: Path, truth: Path | None) -> list[tuple[Path, Path]]:
    """Find videos and their ground truth: the two files, or all in a folder (NAME.mp4 and NAME.truth.jsonl).

    Raises UsageError when a ground truth is missing, SourceError for a folder without videos.
    """
    if not video.is_dir():
        beside = truth or video.with_suffix(TRUTH_SUFFIX)
        if not beside.is_file():
            raise UsageError(f"{video}: its ground truth is missing: there is no {beside}; name it with --truth")
        return [(video, beside)]
    if truth is not None:
        raise UsageError(
            f"{video}: is a folder, --truth is for one video; the ground truth of each in it is NAME{TRUTH_SUFFIX}"
        )
    clips = sorted(file for file in video.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES)
    if not clips:
        raise SourceError(f"{video}: holds no video")
    return [pair for clip in clips for pair in find_video_pairs(clip, None)]


def read_video_ground_truth(path: Path, mapping: ClassMapping) -> list[FrameGroundTruth]:
    """Read the ground truth of every frame, in order.

    Raises SourceError when it cannot be read or contradicts itself, UsageError for an unknown class.
    """
    frames: list[FrameGroundTruth] = []
    class_ids: dict[str, int] = {}
    for where, row in read_json_lines(path):
        if require(row, "frame", int, where) != len(frames):
            refuse(where, f"is frame {brief(row['frame'])}, expected frame {len(frames)}")
        frames.append(_frame(row, mapping, where))
        for track_id, class_id in zip(frames[-1].track_ids, frames[-1].class_ids.tolist(), strict=True):
            if class_ids.setdefault(track_id, class_id) != class_id:
                name, earlier = mapping.class_names[class_id], mapping.class_names[class_ids[track_id]]
                refuse(where, f"track {track_id} is {name!r}, in an earlier line {earlier!r}; a track is one object")
    if not frames:
        refuse(str(path), "is empty")
    boxes = np.concatenate([frame.boxes for frame in frames])
    if len(boxes) and boxes.max() <= 1:
        refuse(str(path), "all boxes lie in the first pixel: 'xyxy' must be in pixels, not relative to the picture")
    return frames


def _frame(row: Any, mapping: ClassMapping, where: str) -> FrameGroundTruth:
    objects = []
    for each in require(row, "objects", list, where):
        class_id = mapping.class_id(require(each, "label", str, where), where)
        if class_id is not None:
            track_id = str(require(each, "track", (int, str), where))
            objects.append((track_id, class_id, _box(each, where), require_number(each, "visible", (0, 1), where)))
    track_ids = tuple(track_id for track_id, _, _, _ in objects)
    for index, track_id in enumerate(track_ids):
        if track_id in track_ids[:index]:
            refuse(where, f"track {track_id} is twice in this frame; a track is one object")
    return FrameGroundTruth(
        where,
        require_number(row, "pts_s", (-MAX_TIME_S, MAX_TIME_S), where),
        track_ids,
        np.array([class_id for _, class_id, _, _ in objects], np.int64),
        np.array([box for _, _, box, _ in objects], np.float32).reshape(-1, 4),
        np.array([visible for _, _, _, visible in objects], np.float64),
    )


def _box(row: Any, where: str) -> Boxes:
    box: Boxes = np.array(parse_xyxy(row.get("xyxy"), where), np.float32)
    if not (box[2:] > box[:2]).all():
        refuse(where, f"'xyxy' must be x0, y0, x1, y1 with x1 above x0 and y1 above y0, got {brief(row['xyxy'])}")
    return box


def check_inside_picture(truth: Sequence[FrameGroundTruth], width: int, height: int) -> None:
    """Check that no object outside a picture of `width` x `height` is said to be visible.

    Raises SourceError.
    """
    for frame in truth:
        outside = ~has_area(clip_boxes(frame.boxes, width, height)) & (frame.visible > 0)
        for box in frame.boxes[outside].tolist():
            refuse(
                frame.where,
                f"'xyxy' {brief(box)} lies outside the picture, which has {width}x{height} pixels as it is stored; "
                "leave the object out, or set 'visible' to 0",
            )
