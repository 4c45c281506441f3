"""Evaluation of weights on labelled pictures, by set and by size, with the detector as the product runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from blurscene_stream import load_settings
from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate import Bootstrap, ClassMapping, EvaluationOptions, ImageReport
from blurscene_stream.evaluate.annotations import Dataset
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.image_results import (
    ClassResults,
    DatasetResults,
    collect_results,
    load_detectors,
)
from blurscene_stream.evaluate.precision_recall import SIZE_EDGES_PX, measure_class
from blurscene_stream.evaluate.report import markdown_table
from blurscene_stream.pipeline.detection import load_configured_detector

HEAD = ["set", "class", "objects", "AP50", "AR50", "recall", "precision"]


def settings_for(weights: Path, threshold: float, overrides: Iterable[str] = ()) -> Settings:
    """Return the product's default settings with face_plate_v2 and `weights`; `overrides`: KEY=VALUE."""
    settings = load_settings(["model=face_plate_v2", *overrides])
    model = replace(settings.model, weights=str(weights), sha256=None)
    classes = {name: replace(config, threshold=threshold) for name, config in settings.classes.items()}
    return replace(settings, model=model, classes=classes)


def evaluate(
    paths: Sequence[Path], settings: Settings, mapping: ClassMapping
) -> Iterator[tuple[Dataset, DatasetResults, str]]:
    """Detect in all data sets: yield each, by the folders that its pictures lie in, with its results and the device.

    Raises SourceError when a data set cannot be read, UsageError for an unknown class, DetectionError.
    """
    detectors = load_detectors(settings, load_configured_detector)
    options = EvaluationOptions(settings, mapping)
    for path in paths:
        for dataset in by_folder(read_dataset(path, mapping)):
            results = collect_results(dataset, detectors, options)
            yield dataset, results, detectors.low_threshold.device_name


def by_folder(dataset: Dataset) -> list[Dataset]:
    """Split a packed data set into its sets, whose pictures lie in images/SET; others, in one folder, stay whole."""
    folders = sorted({image.file.parent for image in dataset.images})
    if len(folders) == 1:
        return [dataset]
    parts = [[image for image in dataset.images if image.file.parent == folder] for folder in folders]
    return [replace(dataset, name=str(part[0].file.parent), images=tuple(part)) for part in parts]


def table(rows: Iterable[tuple[str, str, ClassResults]]) -> str:
    """Format one line for each set and class: set, class and results; by size: recall / precision and objects."""
    sizes = [f"{low:g} to {high:g} px" for low, high in pairwise(SIZE_EDGES_PX)]
    lines = [[name, label, *numbers(results)] for name, label, results in rows]
    return markdown_table([[*HEAD, *sizes], *lines])


def numbers(results: ClassResults) -> list[str]:
    """Format objects, AP50, AR50, recall and precision at the threshold, then the last two by size.

    Precision by size goes by the sizes of the boxes that were found, for what is nothing has no size.
    """
    report = measure_class(results, 0.0, Bootstrap(draws=1))
    detected, sizes = np.array(results.detected, bool), np.array(results.sizes_px)
    right, found = np.array(results.run.true_positives, bool), np.array(results.run.sizes_px)
    cells = [str(len(sizes)), _text(report.average_precision["AP50"].value), _text(average_recall(results))]
    cells += [_text(_share(detected)), _text(_share(right))]
    for low, high in pairwise(SIZE_EDGES_PX):
        inside, found_inside = (sizes >= low) & (sizes < high), (found >= low) & (found < high)
        cells.append(f"{_text(_share(detected[inside]))} / {_text(_share(right[found_inside]))} n={inside.sum()}")
    return cells


def average_recall(results: ClassResults) -> float | None:
    """Return AR50: the share of objects that a box of any score matches at IoU 0.5; None without objects."""
    objects = sum(results.exhaustive[image] for image in results.images)
    return sum(results.predictions[0.5].true_positives) / objects if objects else None


def _share(values: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    return float(values.mean()) if len(values) else None


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def image_report(dataset: Dataset, results: DatasetResults, settings: Settings, device: str) -> ImageReport:
    """Return the report that the product's plots are drawn from."""
    classes = {
        name: measure_class(each, settings.classes[name].threshold, Bootstrap())
        for name, each in results.classes.items()
        if each.images
    }
    return ImageReport(
        dataset.name, dataset.format, device, len(dataset.images), results.clipped, results.dropped, classes
    )
