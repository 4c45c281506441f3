"""Prints recall, precision and speed of the detector on folders of labelled pictures.

    python scripts/measure_detector.py FOLDER [--size 1280] [--threshold 0.2] [--enlarge 2] [--device cpu]

FOLDER holds folders, each with a `labels.jsonl`, one picture a line:
{"file": ..., "boxes": [{"label": "face", "xyxy": [x0, y0, x1, y1]}, ...], "exhaustive": ["face", ...]}
Boxes are pixels of the stored file. Precision is stated only where every object of the class is labelled.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections, iou
from blurscene_stream.config.schema import ClassConfig, DetectConfig, Precision, Settings
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo

LEAST_IOU = 0.3


@dataclass
class Tally:
    """Counts of one class over a set of pictures; the last two only where the class is labelled exhaustively."""

    labelled: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0


def frame_of(rgb: NDArray[np.uint8], number: int = 0) -> Frame:
    """A frame that shows `rgb`, uint8 (H, W, 3), RGB, as it is; its planes are empty of meaning."""
    height, width = rgb.shape[:2]

    def scale_rgb(to_width: int, to_height: int) -> NDArray[np.uint8]:
        smaller = to_width < width
        scaled = cv2.resize(rgb, (to_width, to_height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        return np.asarray(scaled, np.uint8)

    planes = tuple(np.zeros((height, width), np.uint8) for _ in range(3))
    return Frame(number, number, PictureInfo(width, height, PIXEL_FORMATS["yuv444p"]), planes, scale_rgb, None)


def match(found: Boxes, labelled: Boxes) -> int:
    """How many of `found`, best first, take a labelled box of their own that no better one took, at LEAST_IOU."""
    overlap = iou(found, labelled)
    taken = 0
    for row in overlap:
        if len(row) and row.max() >= LEAST_IOU:
            overlap[:, row.argmax()] = 0
            taken += 1
    return taken


def pictures(folder: Path) -> Iterator[tuple[dict[str, Any], Frame]]:
    """Each labelled picture of `folder`, with its labels."""
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        labels = json.loads(line)
        bgr = cv2.imread(str(folder / labels["file"]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if bgr is None:
            raise SystemExit(f"{folder / labels['file']}: not a picture that can be read")
        yield labels, frame_of(np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8))


def add(tallies: dict[str, Tally], labels: dict[str, Any], found: Detections) -> None:
    """Count one picture."""
    for label, name in enumerate(found.classes):
        mine = found[found.labels == label]
        truth = [box["xyxy"] for box in labels["boxes"] if box["label"] == name]
        best_first = mine.boxes[np.argsort(-mine.scores, kind="stable")]
        hits = match(best_first, np.asarray(truth, np.float32).reshape(-1, 4))
        tally = tallies[name]
        tally.labelled += len(truth)
        tally.found += hits
        if name in labels["exhaustive"]:
            tally.right += hits
            tally.wrong += len(mine) - hits


def measure(folder: Path, detector: Detector) -> tuple[dict[str, Tally], float]:
    """Counts by class over the pictures of `folder`, and milliseconds a picture of the detector."""
    tallies = {name: Tally() for name in detector.classes}
    seconds, count = 0.0, 0
    for labels, frame in pictures(folder):
        start = time.perf_counter()
        (found,) = detector([frame])
        seconds += time.perf_counter() - start
        count += 1
        add(tallies, labels, found)
    return tallies, 1000 * seconds / max(count, 1)


def report(name: str, tallies: dict[str, Tally], ms: float) -> None:
    """Print one line a class that the set has labels of."""
    for label, tally in tallies.items():
        if tally.labelled:
            boxes = tally.right + tally.wrong
            precision = f"{tally.right / boxes:.3f}" if boxes else "  -  "
            recall = tally.found / tally.labelled
            print(
                f"{name:16} {label:14} recall {recall:.3f} ({tally.found}/{tally.labelled})"
                f"  precision {precision}  {ms:6.1f} ms a picture"
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every set in the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=DetectConfig().size_px)
    parser.add_argument("--threshold", type=float, default=ClassConfig().threshold)
    parser.add_argument("--enlarge", type=float, default=DetectConfig().enlarge)
    parser.add_argument("--precision", choices=[each.name for each in Precision], default="auto")
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args(arguments)
    settings = Settings(
        device=chosen.device,
        detect=DetectConfig(size_px=chosen.size, enlarge=chosen.enlarge, precision=Precision[chosen.precision]),
    )
    settings.classes = {name: ClassConfig(threshold=chosen.threshold) for name in settings.model.classes}
    detector = load_detector(settings)
    print(f"{detector.device_name}, size {chosen.size}, enlarged {chosen.enlarge} times, threshold {chosen.threshold}")
    for labels in sorted(chosen.folder.glob("*/labels.jsonl")):
        report(labels.parent.name, *measure(labels.parent, detector))


if __name__ == "__main__":
    main()
