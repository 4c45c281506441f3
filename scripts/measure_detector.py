"""Prints recall, precision and speed of the detector on folders of labelled pictures.

    python scripts/measure_detector.py FOLDER [--size 1280] [--threshold 0.2] [--enlarge 2] [--device cpu]
        [--variants none mirror regions=2 scales=1:0.5 mirror,regions=2] [--merge nms wbf nmm] [--zoom 3] [--every 2]

Every variant with every way of merging is measured on the same pictures; all ways of merging share what the network
gives. --zoom enlarges or shrinks the pictures first, --every takes each so manyth of them.

FOLDER holds folders, each with a `labels.jsonl`, one picture a line:
{"file": ..., "boxes": [{"label": "face", "xyxy": [x0, y0, x1, y1]}, ...], "exhaustive": ["face", ...]}
Boxes are pixels of the stored file. Precision is stated only where every object of the class is labelled.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections, iou
from blurscene_stream.config.schema import (
    ClassConfig,
    DetectConfig,
    MergeConfig,
    MergeMethod,
    Precision,
    Settings,
    TrackConfig,
    VariantsConfig,
)
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo

LEAST_IOU = 0.3
Detectors = Mapping[str, Detector]
Methods = Sequence[MergeMethod]


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


def pictures(folder: Path, zoom: float, every: int) -> Iterator[tuple[dict[str, Any], Frame]]:
    """Each labelled picture of `folder`, or each so manyth, with its labels; both `zoom` times as large."""
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()[::every]:
        labels = json.loads(line)
        bgr = cv2.imread(str(folder / labels["file"]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if bgr is None:
            raise SystemExit(f"{folder / labels['file']}: not a picture that can be read")
        if zoom != 1:
            method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
            size = (round(bgr.shape[1] * zoom), round(bgr.shape[0] * zoom))
            factors = np.tile(np.array(size) / bgr.shape[1::-1], 2)
            bgr = cv2.resize(bgr, size, interpolation=method)
            for box in labels["boxes"]:
                box["xyxy"] = (factors * box["xyxy"]).tolist()
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


@dataclass
class Result:
    """One variant, merged in one way, over one set of pictures."""

    tallies: dict[str, Tally]
    seconds: float = 0.0
    count: int = 0


Results = dict[tuple[str, MergeMethod], Result]


def measure(frames: Iterable[tuple[dict[str, Any], Frame]], detectors: Detectors, methods: Methods) -> Results:
    """Counts and time of every detector with every way of merging, the detectors in turn on each picture."""
    results: Results = {
        (name, method): Result({label: Tally() for label in detector.classes})
        for name, detector in detectors.items()
        for method in methods
    }
    for labels, frame in frames:
        for name, detector in detectors.items():
            start = time.perf_counter()
            peaks, views = detector.candidates([frame])
            looked = time.perf_counter() - start
            for method in methods:
                start = time.perf_counter()
                found = detector.merged(peaks, 0, views, MergeConfig(method))
                result = results[name, method]
                result.seconds += looked + time.perf_counter() - start
                result.count += 1
                add(result.tallies, labels, found)
    return results


def report(name: str, results: Results) -> None:
    """Print one line a class that the set has labels of, for each variant and way of merging."""
    for label in next(iter(results.values())).tallies:
        for (variant, method), result in results.items():
            tally = result.tallies[label]
            if not tally.labelled:
                continue
            boxes = tally.right + tally.wrong
            precision = f"{tally.right / boxes:.3f}" if boxes else "  -  "
            print(
                f"{name:16} {label:14} {variant:22} {method.name:12} recall {tally.found / tally.labelled:.3f} "
                f"({tally.found}/{tally.labelled})  precision {precision}  "
                f"{1000 * result.seconds / result.count:6.1f} ms a picture",
                flush=True,
            )


def variants_of(text: str) -> VariantsConfig:
    """What a word such as "mirror,regions=2,scales=1:0.5" stands for; "none" for nothing."""
    config = VariantsConfig()
    for word in text.split(","):
        kind, _, value = word.partition("=")
        if kind == "mirror":
            config = replace(config, mirror_image=True)
        elif kind == "regions":
            config = replace(config, enlarged_regions_n=int(value))
        elif kind == "overlap":
            config = replace(config, region_overlap=float(value))
        elif kind == "scales":
            config = replace(config, scales=[float(scale) for scale in value.split(":")])
        elif kind != "none":
            raise SystemExit(f"--variants {text}: must be none, or some of mirror, regions=N, overlap=X, scales=X:Y")
    return config


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every set in the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=DetectConfig().size_px)
    parser.add_argument("--threshold", type=float, default=ClassConfig().threshold)
    parser.add_argument("--enlarge", type=float, default=DetectConfig().enlarge)
    parser.add_argument("--precision", choices=[each.name for each in Precision], default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--variants", nargs="+", default=["none"])
    parser.add_argument("--merge", nargs="+", choices=[each.name for each in MergeMethod], default=["nms"])
    parser.add_argument("--zoom", type=float, default=1.0)
    parser.add_argument("--every", type=int, default=1)
    chosen = parser.parse_args(arguments)
    detectors = {name: detector_of(chosen, variants_of(name)) for name in chosen.variants}
    methods = [MergeMethod[name] for name in chosen.merge]
    print(
        f"{next(iter(detectors.values())).device_name}, size {chosen.size}, enlarged {chosen.enlarge} times, "
        f"threshold {chosen.threshold}, pictures zoomed {chosen.zoom:g} times"
    )
    for labels in sorted(chosen.folder.glob("*/labels.jsonl")):
        frames = pictures(labels.parent, chosen.zoom, chosen.every)
        report(labels.parent.name, measure(frames, detectors, methods))


def detector_of(chosen: argparse.Namespace, variants: VariantsConfig) -> Detector:
    """The detector that the options ask for."""
    detect = DetectConfig(
        size_px=chosen.size, enlarge=chosen.enlarge, precision=Precision[chosen.precision], variants=variants
    )
    settings = Settings(device=chosen.device, detect=detect, track=TrackConfig(use=False))
    settings.classes = {name: ClassConfig(threshold=chosen.threshold) for name in settings.model.classes}
    return load_detector(settings)


if __name__ == "__main__":
    main()
