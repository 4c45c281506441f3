"""A second look at dark and washed-out frames, and dark parts, with their contrast raised: viewers can raise it too."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from blurscene_stream.boxes import Detections, Origin, iou
from blurscene_stream.detect.contrast import stretched
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.detection import Detect, detect_frames

log = logging.getLogger(__name__)

SAME_OBJECT_IOU = 0.5  # boxes of one class that overlap by more are one object


def with_faint_frames(detect: Detect, name: str) -> Detect:
    """Return `detect` for the frames of one stream, which finds more where luma spans few levels.

    name: of the stream, for the log
    Such a frame is scanned as it is, and in grey with its contrast raised. Others cost no more than a count of levels.
    """
    logged = False

    def detect_all(frames: Sequence[Frame]) -> list[Detections]:
        nonlocal logged
        found = list(detect_frames(frames, detect))
        faint = {index: made for index, frame in enumerate(frames) if (made := stretched(frame)) is not None}
        if not faint:
            return found
        if not logged:
            what = "frames that span few levels of brightness, or have a dark part,"
            log.info("%s", f"{name}: {what} are scanned with their contrast raised as well")
            logged = True
        for index, more in zip(faint, detect_frames(list(faint.values()), detect), strict=True):
            found[index] = _union(found[index], more)
        return found

    return detect_all


def _union(one: Detections, other: Detections) -> Detections:
    """Return the boxes of both, what is detected before what has low confidence, each object once."""
    merged = one.confident()
    for more in (other.confident(), _low_confidence(one), _low_confidence(other)):
        same = (iou(more.xyxy, merged.xyxy) > SAME_OBJECT_IOU) & (more.class_ids[:, None] == merged.class_ids[None, :])
        merged = Detections.concatenate([merged, more[~same.any(axis=1)]])
    return merged


def _low_confidence(detections: Detections) -> Detections:
    return detections[detections.origins == Origin.low_confidence]
