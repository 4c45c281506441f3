"""What must hold for any clip and its anonymized copy, read back from the files."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings, class_configs
from blurscene_stream.frames import Frame
from blurscene_stream.redact import Redactor, cover_regions
from blurscene_stream.source import open_source
from tests.videos import audio_packets

LEVELS_OFF = 6.0  # mean difference that the encoder may make in a covered box, in 8-bit levels
SHARE_OFF = 0.4  # or, where a small box lies in a busy picture, of the difference that covering it made
LEAST_CONTRAST = 4.0  # a region as flat as this looks the same covered and uncovered


def check_clip(source: Path, target: Path, found: list[Detections], settings: Settings) -> int:
    """Compare frame by frame; returns the number of boxes that were looked at.

    Asserts: as many frames, at the same times, every box covered in the decoded output, the audio as it was.
    """
    boxes = frames = 0
    redactor = Redactor(settings, found[0].class_names)
    for before, after, detections in zip(_frames(source), _frames(target), found, strict=True):
        assert before[1] == after[1], f"frame {frames}: time {after[1]} instead of {before[1]}"
        boxes += _check_cover(before[0], after[0], detections, settings, redactor)
        frames += 1
    assert frames > 0
    with open_source(Address(str(source)), Settings()) as opened:
        tracks = len(opened.info.copied_streams)
    for track in range(tracks):
        assert audio_packets(source, track) == audio_packets(target, track), f"audio track {track} has changed"
    return boxes


def _frames(path: Path) -> Iterator[tuple[Frame, Fraction]]:
    with open_source(Address(str(path)), Settings()) as source:
        for item in source.items():
            if isinstance(item, Frame):
                yield item, item.pts * source.info.time_base


def _check_cover(before: Frame, after: Frame, detections: Detections, settings: Settings, redactor: Redactor) -> int:
    """Every covered region of the output is what redaction makes of the input, and not the input."""
    before = before.owned()
    original = before.planes[0].astype(np.int16)
    shown = after.planes[0].astype(np.int16)
    redactor(before, detections)  # writes into these planes
    hidden = before.planes[0].astype(np.int16)
    classes = class_configs(settings, detections.class_names)
    regions = cover_regions(before.picture, detections, classes, settings.redact.min_margin_px)
    for region in regions:
        part = np.s_[region.y0 : region.y1, region.x0 : region.x1]
        made = _off(original[part], hidden[part])
        allowed = max(LEVELS_OFF, SHARE_OFF * made)
        assert _off(shown[part], hidden[part]) < allowed, f"frame {before.number}: a box is not covered"
        if made > LEAST_CONTRAST + LEVELS_OFF:
            assert _off(shown[part], original[part]) > LEAST_CONTRAST, f"frame {before.number}: a box shows through"
    return len(regions)


def _off(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    return float(np.abs(one - other).mean())
