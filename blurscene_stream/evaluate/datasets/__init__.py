"""Data set formats: labels.jsonl of our own, COCO, YOLO and Pascal VOC."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from blurscene_stream.errors import SourceError, reason
from blurscene_stream.evaluate.annotations import Dataset, ImageAnnotations, build_dataset
from blurscene_stream.evaluate.datasets import coco, jsonl, pascal_voc, yolo
from blurscene_stream.evaluate.options import ClassMapping

Find = Callable[[Path], Path | None]
Read = Callable[[Path], Iterable[ImageAnnotations]]
FORMATS: dict[str, tuple[Find, Read]] = {  # in the order in which they are tried
    "jsonl": (jsonl.find, jsonl.read),
    "YOLO": (yolo.find, yolo.read),
    "COCO": (coco.find, coco.read),
    "Pascal VOC": (pascal_voc.find, pascal_voc.read),
}


def read_dataset(path: Path, mapping: ClassMapping, *, objects_required: bool = True) -> Dataset:
    """Read the data set at `path`: a folder, or its annotation file; see `build_dataset`.

    Raises SourceError when there is no data set or it cannot be read, UsageError for an unknown class.
    """
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder")
    for name, (find, read) in FORMATS.items():
        found = find(path)
        if found is not None:
            try:
                images = sorted(read(found), key=lambda image: str(image.file))
            except OSError as error:
                raise SourceError(f"{found}: cannot be read: {reason(error)}") from error
            return build_dataset(str(path), name, images, mapping, objects_required=objects_required)
    raise SourceError(
        f"{path}: holds no annotations in a known format: labels.jsonl, COCO's .json, "
        "YOLO's data.yaml or classes.txt, Pascal VOC's .xml"
    )
