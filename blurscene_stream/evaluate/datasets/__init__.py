"""Reads the data sets that others have: our labels.jsonl, COCO, YOLO and Pascal VOC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from blurscene_stream.errors import SourceError, reason
from blurscene_stream.evaluate.datasets import coco, jsonl, voc, yolo
from blurscene_stream.evaluate.labels import Dataset, Entry, assemble
from blurscene_stream.evaluate.names import Names

Find = Callable[[Path], Path | None]
Read = Callable[[Path], Iterable[Entry]]
FORMATS: dict[str, tuple[Find, Read]] = {  # the first whose labels are there is taken
    "jsonl": (jsonl.find, jsonl.read),
    "YOLO": (yolo.find, yolo.read),
    "COCO": (coco.find, coco.read),
    "Pascal VOC": (voc.find, voc.read),
}


def read_dataset(place: Path, names: Names) -> Dataset:
    """The labelled pictures at `place`: a folder, or the file with the labels.

    Raises SourceError when there is no data set or it cannot be read, UsageError when a class is not known.
    """
    if not place.exists():
        raise SourceError(f"{place}: there is no such file or folder")
    for kind, (find, read) in FORMATS.items():
        labels = find(place)
        if labels is not None:
            try:
                entries = sorted(read(labels), key=lambda entry: str(entry.file))
            except OSError as error:
                raise SourceError(f"{labels}: cannot be read: {reason(error)}") from error
            return assemble(str(place), kind, entries, names)
    raise SourceError(
        f"{place}: holds no labels that are known: labels.jsonl, COCO's .json, "
        "YOLO's data.yaml or classes.txt, Pascal VOC's .xml"
    )
