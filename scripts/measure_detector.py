"""Prints recall, precision and speed of the detector on folders of labelled pictures.

    python scripts/measure_detector.py FOLDER [--size 1280] [--threshold 0.2] [--max-upscale 2] [--device cpu]
        [--variants none mirror regions=2 scales=1:0.5 mirror,regions=2] [--merge nms wbf nmm] [--zoom 3] [--every 2]

Every variant with every way of merging is measured on the same pictures; all ways of merging share what the network
gives. --zoom enlarges or shrinks the pictures first, --every takes each so manyth of them.

FOLDER holds folders, each with a `labels.jsonl` (blurscene_stream/evaluate/datasets/jsonl.py). Pictures are read and
boxes matched as by `blurscene-stream evaluate`, but what is transparent is not looked at twice. Precision is stated
only where every object of the class is labelled.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from blurscene_stream.boxes import Detections, scale
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
from blurscene_stream.evaluate import Names
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.labels import Dataset, Truth
from blurscene_stream.evaluate.matching import match, of_class
from blurscene_stream.evaluate.pictures import read_labelled
from blurscene_stream.evaluate.scores import LOOSE
from blurscene_stream.frames import Frame
from blurscene_stream.image import DecodedImage

Detectors = Mapping[str, Detector]
Methods = Sequence[MergeMethod]


@dataclass
class Tally:
    """Counts of one class over a set of pictures; the last two only where the class is labelled exhaustively."""

    labelled: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0


@dataclass(frozen=True)
class Sample:
    """A picture, what is to be found in it, and of which classes every object is."""

    frame: Frame
    truth: Truth
    exhaustive: frozenset[int]


def samples(dataset: Dataset, zoom: float, every: int) -> Iterator[Sample]:
    """Each picture of `dataset`, or each so manyth, `zoom` times as large."""
    for labelled in dataset.pictures[::every]:
        picture, truth = read_labelled(labelled)
        if zoom != 1:
            picture, truth = zoomed(picture, truth, zoom)
        yield Sample(picture.frames()[0], truth, labelled.exhaustive)


def zoomed(picture: DecodedImage, truth: Truth, zoom: float) -> tuple[DecodedImage, Truth]:
    """Both `zoom` times as large."""
    height, width, channels = picture.samples.shape
    size = round(width * zoom), round(height * zoom)
    made = cv2.resize(picture.samples, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    boxes = scale(truth.boxes, size[0] / width, size[1] / height)
    larger = np.asarray(made, np.uint8).reshape(size[1], size[0], channels)
    return replace(picture, samples=larger), replace(truth, boxes=boxes)


def add(tallies: dict[str, Tally], sample: Sample, found: Detections) -> None:
    """Count one picture."""
    for label, name in enumerate(found.class_names):
        mine = found[found.class_ids == label]
        best_first = mine.xyxy[np.argsort(-mine.scores, kind="stable")]
        wanted, spared = (of_class(sample.truth, label, counts) for counts in (True, False))
        matched = match(best_first, wanted, spared, LOOSE)
        hits = int((matched.taken >= 0).sum())
        tally = tallies[name]
        tally.labelled += len(wanted)
        tally.found += hits
        if label in sample.exhaustive:
            tally.right += hits
            tally.wrong += len(mine) - hits - int(matched.ignored.sum())


@dataclass
class Result:
    """One variant, merged in one way, over one set of pictures."""

    tallies: dict[str, Tally]
    seconds: float = 0.0
    count: int = 0


Results = dict[tuple[str, MergeMethod], Result]


def measure(pictures: Iterable[Sample], detectors: Detectors, methods: Methods) -> Results:
    """Counts and time of every detector with every way of merging, the detectors in turn on each picture."""
    results: Results = {
        (name, method): Result({label: Tally() for label in detector.classes})
        for name, detector in detectors.items()
        for method in methods
    }
    for sample in pictures:
        for name, detector in detectors.items():
            start = time.perf_counter()
            candidates, views = detector.candidates([sample.frame])
            looked = time.perf_counter() - start
            for method in methods:
                start = time.perf_counter()
                found = detector.merge(candidates, 0, views, MergeConfig(method))
                result = results[name, method]
                result.seconds += looked + time.perf_counter() - start
                result.count += 1
                add(result.tallies, sample, found)
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
    parser.add_argument("--max-upscale", type=float, default=DetectConfig().max_upscale)
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
        f"{next(iter(detectors.values())).device_name}, size {chosen.size}, enlarged {chosen.max_upscale} times, "
        f"threshold {chosen.threshold}, pictures zoomed {chosen.zoom:g} times"
    )
    for labels in sorted(chosen.folder.glob("*/labels.jsonl")):
        try:
            dataset = read_dataset(labels, Names(Settings().model.classes, ["*="]))
            results = measure(samples(dataset, chosen.zoom, chosen.every), detectors, methods)
        except BlurSceneError as error:
            raise SystemExit(str(error)) from error
        report(labels.parent.name, results)


def detector_of(chosen: argparse.Namespace, variants: VariantsConfig) -> Detector:
    """The detector that the options ask for."""
    detect = DetectConfig(
        size_px=chosen.size, max_upscale=chosen.max_upscale, precision=Precision[chosen.precision], variants=variants
    )
    settings = Settings(device=chosen.device, detect=detect, track=TrackConfig(enabled=False))
    settings.classes = {name: ClassConfig(threshold=chosen.threshold) for name in settings.model.classes}
    return load_detector(settings)


if __name__ == "__main__":
    main()
