"""Measure recall and precision of the detector on annotated images; scripts/bench measures its speed.

    python scripts/measure_detector.py FOLDER [--model face_plate_v2] [--size 1280] [--threshold 0.2] [--max-upscale 2]
        [--variants none mirror regions=2 scales=1:0.5,min=12 mirror,regions=2] [--merge nms wbf nmm] [--zoom 3]
        [--every 2] [--device cpu]

Every TTA variant with every merge method is measured on the same images; all merge methods share one inference.
--zoom resizes the images first, --every takes every n-th of them.

FOLDER holds folders, each with a `labels.jsonl` (blurscene_stream/evaluate/datasets/jsonl.py). Images are read and
detections matched as by `blurscene-stream evaluate`, but transparent images are detected over one background only.
Precision is stated only where annotations of the class are exhaustive.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from blurscene_stream.boxes import Detections, scale
from blurscene_stream.config.load import load_settings
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
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.annotations import Dataset, GroundTruth, read_annotated_image
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.image_results import MATCH_IOU, by_descending_score
from blurscene_stream.evaluate.matching import match_detections
from blurscene_stream.frames import Frame
from blurscene_stream.image import DecodedImage

Detectors = Mapping[str, Detector]
Methods = Sequence[MergeMethod]


@dataclass
class Tally:
    """Counts of one class over a data set.

    objects, detected:              objects that must be found, and those that were
    true_positives, false_positives: detections, only in images with exhaustive annotations of the class
    """

    objects: int = 0
    detected: int = 0
    true_positives: int = 0
    false_positives: int = 0


@dataclass(frozen=True)
class Sample:
    """Image with its ground truth, and the class ids with exhaustive annotations."""

    frame: Frame
    truth: GroundTruth
    exhaustive: frozenset[int]


def samples(dataset: Dataset, zoom: float, every: int) -> Iterator[Sample]:
    """Yield every `every`-th image of the data set, `zoom` times as large."""
    for image in dataset.images[::every]:
        decoded, truth = read_annotated_image(image)
        if zoom != 1:
            decoded, truth = zoomed(decoded, truth, zoom)
        yield Sample(decoded.frames()[0], truth, image.exhaustive)


def zoomed(decoded: DecodedImage, truth: GroundTruth, zoom: float) -> tuple[DecodedImage, GroundTruth]:
    """Return the image and its ground truth, `zoom` times as large."""
    height, width, channels = decoded.samples.shape
    size = round(width * zoom), round(height * zoom)
    made = cv2.resize(decoded.samples, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    boxes = scale(truth.boxes, size[0] / width, size[1] / height)
    larger = np.asarray(made, np.uint8).reshape(size[1], size[0], channels)
    return replace(decoded, samples=larger), replace(truth, boxes=boxes)


def add(tallies: dict[str, Tally], sample: Sample, detections: Detections) -> None:
    """Add the detections of one image to the tally of each class."""
    for class_id, name in enumerate(detections.class_names):
        mine = detections[detections.class_ids == class_id]
        required, ignored = sample.truth.boxes_of(class_id), sample.truth.boxes_of(class_id, ignored=True)
        matches = match_detections(by_descending_score(mine).xyxy, required, ignored, MATCH_IOU)
        true_positives = int(matches.true_positives.sum())
        tally = tallies[name]
        tally.objects += len(required)
        tally.detected += true_positives
        if class_id in sample.exhaustive:
            tally.true_positives += true_positives
            tally.false_positives += len(mine) - true_positives - int(matches.ignored.sum())


Results = dict[tuple[str, MergeMethod], dict[str, Tally]]
"""TTA variant and merge method -> the tally of each class over a data set."""


def measure(samples: Iterable[Sample], detectors: Detectors, methods: Methods) -> Results:
    """Measure every detector with every merge method, the detectors in turn on each image."""
    results: Results = {
        (name, method): {label: Tally() for label in detector.class_names}
        for name, detector in detectors.items()
        for method in methods
    }
    for sample in samples:
        for name, detector in detectors.items():
            candidates, views = detector.candidates([sample.frame])
            for method in methods:
                add(results[name, method], sample, detector.merge(candidates, 0, views, MergeConfig(method)))
    return results


def report(name: str, results: Results) -> None:
    """Print a line for each annotated class, TTA variant and merge method."""
    for label in next(iter(results.values())):
        for (variant, method), tallies in results.items():
            tally = tallies[label]
            if not tally.objects:
                continue
            boxes = tally.true_positives + tally.false_positives
            precision = f"{tally.true_positives / boxes:.3f}" if boxes else "  -  "
            print(
                f"{name:16} {label:14} {variant:22} {method.name:12} recall {tally.detected / tally.objects:.3f} "
                f"({tally.detected}/{tally.objects})  precision {precision}",
                flush=True,
            )


def parse_variants(text: str) -> VariantsConfig:
    """Parse a --variants value such as "mirror,regions=2,scales=1:0.5", or "none"."""
    config = VariantsConfig()
    for option in text.split(","):
        name, _, value = option.partition("=")
        if name == "mirror":
            config = replace(config, mirror_image=True)
        elif name == "regions":
            config = replace(config, enlarged_regions_n=int(value))
        elif name == "overlap":
            config = replace(config, region_overlap=float(value))
        elif name == "scales":
            config = replace(config, scales=[float(scale) for scale in value.split(":")])
        elif name == "min":
            config = replace(config, reduced_min_size_px=float(value))
        elif name != "none":
            known = "mirror, regions=N, overlap=X, scales=X:Y, min=PX"
            raise SystemExit(f"--variants {text}: must be none, or some of {known}")
    return config


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every data set in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=Settings().model.name)
    parser.add_argument("--size", type=int, default=DetectConfig().size_px)
    parser.add_argument("--threshold", type=float, default=ClassConfig().threshold)
    parser.add_argument("--max-upscale", type=float, default=DetectConfig().max_upscale)
    parser.add_argument("--precision", choices=[each.name for each in Precision], default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--variants", nargs="+", default=["none"])
    parser.add_argument("--merge", nargs="+", choices=[each.name for each in MergeMethod], default=["nms"])
    parser.add_argument("--zoom", type=float, default=1.0)
    parser.add_argument("--every", type=int, default=1)
    chosen = parser.parse_args(arguments)
    detectors = {name: load_for(chosen, parse_variants(name)) for name in chosen.variants}
    methods = [MergeMethod[name] for name in chosen.merge]
    print(
        f"{next(iter(detectors.values())).device_name}, size {chosen.size}, enlarged {chosen.max_upscale} times, "
        f"threshold {chosen.threshold}, images zoomed {chosen.zoom:g} times"
    )
    for labels in sorted(chosen.folder.glob("*/labels.jsonl")):
        try:
            dataset = read_dataset(labels, ClassMapping(Settings().model.classes, ["*="]))
            results = measure(samples(dataset, chosen.zoom, chosen.every), detectors, methods)
        except BlurSceneError as error:
            raise SystemExit(str(error)) from error
        report(labels.parent.name, results)


def load_for(chosen: argparse.Namespace, variants: VariantsConfig) -> Detector:
    """Load the detector for the options."""
    detect = DetectConfig(
        size_px=chosen.size, max_upscale=chosen.max_upscale, precision=Precision[chosen.precision], variants=variants
    )
    model = load_settings([f"model={chosen.model}"]).model
    settings = Settings(device=chosen.device, model=model, detect=detect, track=TrackConfig(enabled=False))
    classes = {name: ClassConfig(threshold=chosen.threshold) for name in settings.model.classes}
    return load_detector(replace(settings, classes=classes))


if __name__ == "__main__":
    main()
