"""Annotations and ground truth of images and video frames, whatever data set format they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.options import ClassMapping
from blurscene_stream.image import DecodedImage
from blurscene_stream.pipeline.image_files import read_image

ROUNDING_PX = 1.0  # a box that reaches less far past the border was rounded, not wrong


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated object.

    name:    class name in the data set
    xyxy:    corners x0 y0 x1 y1, half open, in stored pixels (or relative, see ImageAnnotations.relative)
    ignored: may be detected and need not be: COCO's iscrowd, Pascal VOC's difficult
    score:   that of a detector which made the annotation
    """

    name: str
    xyxy: tuple[float, float, float, float]
    ignored: bool = False
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class ImageAnnotations:
    """Annotations of one image as a data set gives them, with its own class names.

    size:       width and height, None where the data set does not give them
    exhaustive: names of the classes that are labelled exhaustively; None: all that the data set has anywhere
    relative:   boxes are shares of the image's sides, not pixels
    """

    file: Path
    annotations: Sequence[Annotation]
    size: tuple[int, int] | None = None
    exhaustive: Sequence[str] | None = None
    relative: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Ground truth of one image, clipped at its border.

    boxes:     float32 (N, 4)
    class_ids: int64 (N,)
    ignored:   bool (N,), see Annotation
    scores:    float64 (N,), see Annotation
    clipped:   number of boxes that reached past the border by more than a pixel
    dropped:   number of boxes without area inside the image, which are left out
    """

    boxes: Boxes
    class_ids: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    scores: NDArray[np.float64]
    clipped: int
    dropped: int

    def boxes_of(self, class_id: int, ignored: bool = False) -> Boxes:
        """Return the boxes of one class that must be found, or those that are ignored."""
        boxes: Boxes = self.boxes[(self.class_ids == class_id) & (self.ignored == ignored)]
        return boxes


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """One image with annotations by class id of the detector.

    file:       the image
    size:       width and height in the annotations, None where they do not say
    boxes:      float64 (N, 4)
    class_ids:  int64 (N,)
    ignored:    bool (N,)
    scores:     float64 (N,), see Annotation
    exhaustive: class ids of which every object in this image is annotated
    relative:   `boxes` are shares of the image's sides, not pixels
    """

    file: Path
    size: tuple[int, int] | None
    boxes: NDArray[np.float64]
    class_ids: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    scores: NDArray[np.float64]
    exhaustive: frozenset[int]
    relative: bool = False

    def ground_truth(self, width: int, height: int) -> GroundTruth:
        """Return the ground truth in an image of `width` x `height` pixels."""
        border = np.array([width, height, width, height], np.float64)
        boxes = self.boxes * border if self.relative else self.boxes
        inside = np.clip(boxes, 0, border)
        kept = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        beyond_border = (np.abs(boxes - inside) > ROUNDING_PX).any(axis=1)
        return GroundTruth(
            inside[kept].astype(np.float32),
            self.class_ids[kept],
            self.ignored[kept],
            self.scores[kept],
            int((beyond_border & kept).sum()),
            int((~kept).sum()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Annotated images in a stable order, with the data set's path and the format of its annotations."""

    name: str
    format: str
    images: tuple[AnnotatedImage, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FrameGroundTruth:
    """Ground truth of one video frame.

    where:     place of its annotations in error messages
    pts_s:     seconds since the first frame
    track_ids: of each object
    class_ids: int64 (N,)
    boxes:     float32 (N, 4), may reach past the border
    visible:   float64 (N,), share of the object that is neither occluded nor outside the frame
    """

    where: str
    pts_s: float
    track_ids: tuple[str, ...]
    class_ids: NDArray[np.int64]
    boxes: Boxes
    visible: NDArray[np.float64]


def build_dataset(
    name: str,
    format_name: str,
    listed: Iterable[ImageAnnotations],
    mapping: ClassMapping,
    *,
    objects_required: bool = True,
) -> Dataset:
    """Build a data set, with the detector's class ids.

    Raises UsageError for an unknown class, SourceError without images or, if they are required, objects to find.
    """
    images = list(listed)
    if not images:
        raise SourceError(f"{name}: the data set is empty: it lists no image")
    annotated = {annotation.name for image in images for annotation in image.annotations}
    names = annotated.union(*(image.exhaustive or () for image in images))
    class_ids = {each: mapping.class_id(each, name) for each in sorted(names)}
    mapped = tuple(_with_class_ids(image, class_ids, sorted(annotated)) for image in images)
    if objects_required and all(image.ignored.all() for image in mapped):
        raise SourceError(f"{name}: no object is annotated that is detected here: {', '.join(mapping.class_names)}")
    return Dataset(name, format_name, mapped)


def _with_class_ids(
    image: ImageAnnotations, class_ids: dict[str, int | None], all_names: Sequence[str]
) -> AnnotatedImage:
    kept = [(each, class_id) for each in image.annotations if (class_id := class_ids[each.name]) is not None]
    exhaustive = {class_ids[name] for name in (all_names if image.exhaustive is None else image.exhaustive)}
    return AnnotatedImage(
        image.file,
        image.size,
        np.array([each.xyxy for each, _ in kept], np.float64).reshape(-1, 4),
        np.array([class_id for _, class_id in kept], np.int64),
        np.array([each.ignored for each, _ in kept], np.bool_),
        np.array([each.score for each, _ in kept], np.float64),
        frozenset(class_id for class_id in exhaustive if class_id is not None),
        image.relative,
    )


def read_annotated_image(image: AnnotatedImage) -> tuple[DecodedImage, GroundTruth]:
    """Read an image as the anonymizer does, upright, and return it with its ground truth.

    Annotations are in pixels of the stored image; in those of the upright one where only that has the size that they
    state. Raises SourceError when the image cannot be read, or has neither size.
    """
    decoded = read_image(image.file)
    height, width = decoded.samples.shape[:2]
    stored = decoded.orientation.upright_size(width, height)  # a transposition is its own inverse
    if image.size in (None, stored):
        truth = image.ground_truth(*stored)
        return decoded, replace(truth, boxes=decoded.orientation.to_upright(truth.boxes, width, height))
    if image.size == (width, height):
        return decoded, image.ground_truth(width, height)
    stated = "x".join(map(str, image.size or ()))
    raise SourceError(f"{image.file}: is {stored[0]}x{stored[1]}, but its annotations are for {stated}")


def clip_boxes(boxes: Boxes, width: int, height: int) -> Boxes:
    """Clip boxes (N, 4) at the border of a picture."""
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float32))


def has_area(boxes: Boxes) -> NDArray[np.bool_]:
    """Return a mask (N,) of the boxes that have an area."""
    return np.asarray((boxes[:, 2:] > boxes[:, :2]).all(axis=1), np.bool_)
