"""The only place where a RedactedFrame is made."""

from __future__ import annotations

from collections.abc import Callable

from blurscene_stream.boxes import Detections
from blurscene_stream.errors import ConfigError, RedactionError
from blurscene_stream.frames import Frame, RedactedFrame
from blurscene_stream.redact.windows import check_planes


def release(
    frame: Frame, detections: Detections, classes: tuple[str, ...], change: Callable[[Frame, Detections], Detections]
) -> RedactedFrame:
    """Run `change`, which writes into the planes of `frame`, and let the picture go only when it went well.

    change: returns those of the detections that it was for: the others do not count
    Raises RedactionError for whatever goes wrong, and when the labels of `detections` do not stand for `classes`;
    ConfigError when `change` does.
    """
    try:
        if detections.class_names != classes:
            raise RedactionError(f"frame {frame.number}: found classes {detections.class_names}, expected {classes}")
        check_planes(frame)
        checksum = frame.checksum
        covered = change(frame, detections)
    except (RedactionError, ConfigError):
        raise
    except Exception as error:  # its text stays out: it may have lines, or hold samples
        raise RedactionError(f"frame {frame.number}: could not be redacted, {type(error).__name__}") from error
    return RedactedFrame(frame.number, frame.pts, covered, frame.native, frame.corrupt, checksum)
