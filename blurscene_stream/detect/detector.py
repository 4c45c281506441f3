"""The detector: models, test-time augmentation and merging, composed; frames in, one `Detections` per frame out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from blurscene_stream.boxes import Boxes, Detections, Origin, Scores, iou
from blurscene_stream.config.schema import (
    ROTATIONS,
    DetectConfig,
    MergeConfig,
    MergeMethod,
    Settings,
    VariantsConfig,
    class_configs,
)
from blurscene_stream.detect.ensemble import require_ensemble_boxes
from blurscene_stream.detect.letterbox import Letterbox, group_by_input_size, tta_views
from blurscene_stream.detect.merge import MergedBoxes, merge
from blurscene_stream.detect.model import Candidates, Model
from blurscene_stream.detect.preprocessor import Drawer, Sample
from blurscene_stream.errors import DetectionError, first_line
from blurscene_stream.frames import Frame, PictureInfo, ScanMode

_Drawers = dict[Callable[[], Drawer], Drawer]  # by what makes them

QUICK_SCALES = (0.5, 0.25)  # of the turned pictures in ScanMode.only_turned


class Detector:
    """Detects the objects of `class_names` in frames.

    class_names: the names of the class ids
    device_name: device, library and precision, such as "cpu, torch, bf16"
    """

    def __init__(self, models: Sequence[Model], settings: Settings) -> None:
        """`models`: those of `settings`; several may detect the same class.

        Raises ConfigError when `detect.merge.method` needs ensemble-boxes and it is not installed.
        """
        require_ensemble_boxes(settings.detect.merge.method)
        self.class_names = tuple(settings.classes)
        self.device_name = "; ".join(dict.fromkeys(model.device_name for model in models))
        self._models = models
        self._idle = list[_Drawers]()  # each serves one thread at a time
        self._class_ids = [np.array([self.class_names.index(name) for name in model.class_names]) for model in models]
        self._config = settings.detect
        # Means over views would sink below what a check counts: most turned views do not show the object.
        self._quick_merge = replace(settings.detect.merge, method=MergeMethod.nms, post_merge_score_threshold=0.0)
        self._thresholds = [
            each.threshold if each.enabled else float("inf") for each in class_configs(settings, self.class_names)
        ]
        self._merge_thresholds = [_merge_threshold(each, settings.detect.merge) for each in self._thresholds]
        self._low_thresholds = [threshold * settings.track.reporting_ratio for threshold in self._thresholds]

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Detect objects in each frame, in its stored pixels: one `Detections` per frame, in the same order.

        All frames have the same PictureInfo; each is scanned as its `scan_mode` says. Each detected box stands for
        boxes of one class that overlap, at least one of them with a score above the class's threshold. When objects
        are tracked, there are low-confidence boxes as well; which boxes are detected does not depend on that.

        Raises DetectionError when a network fails or gives numbers that are not finite.
        """
        found: dict[int, Detections] = {}
        for mode in ScanMode:
            if indices := [index for index, frame in enumerate(frames) if frame.scan_mode is mode]:
                candidates, view_counts = self.candidates([frames[index] for index in indices])
                config = self._quick_merge if mode is ScanMode.only_turned else self._config.merge
                for image, index in enumerate(indices):
                    found[index] = self.merge(candidates, image, view_counts, config)
        return [found[index] for index in range(len(frames))]

    def candidates(self, frames: Sequence[Frame]) -> tuple[Candidates, list[int]]:
        """Run the models on `frames`, of one scan mode: all boxes before merging, and the number of views per class.

        The images of the candidates are the indices of frames, boxes are in stored pixels. Raises DetectionError.
        """
        (mode,) = {frame.scan_mode for frame in frames}
        parts, view_counts = [], [0] * len(self.class_names)
        with self._preprocessors() as preprocessors:
            for model, class_ids in zip(self._models, self._class_ids, strict=True):
                views = _views(mode, self._config, model, frames[0].picture)
                thresholds = [min(self._merge_thresholds[each], self._low_thresholds[each]) for each in class_ids]
                found = self._run(model, thresholds, frames, views, preprocessors[model.preprocessor])
                parts.append(replace(found, class_ids=class_ids[found.class_ids]))
                for class_id in class_ids:
                    view_counts[class_id] += len(views)
        return Candidates.concatenate(parts), view_counts

    @contextmanager
    def _preprocessors(self) -> Iterator[_Drawers]:
        """The models' preprocessors for this thread alone, as long as they are needed."""
        try:
            taken = self._idle.pop()
        except IndexError:
            taken = {make: make() for make in dict.fromkeys(model.preprocessor for model in self._models)}
        try:
            yield taken
        finally:
            for each in taken.values():
                each.forget()
        self._idle.append(taken)

    def _run(
        self,
        model: Model,
        thresholds: Sequence[float],
        frames: Sequence[Frame],
        views: Sequence[Letterbox],
        preprocessor: Drawer,
    ) -> Candidates:
        """Run one model; `thresholds`: those of its classes."""
        parts = list[Candidates]()
        try:
            for group in group_by_input_size(views):
                found = self._run_group(model, thresholds, _stack(frames, group), preprocessor)
                parts.append(replace(found, images=found.images // len(group)))
        except RuntimeError as error:  # of the network's library, such as no more memory
            size = max((view.width * view.height, f"{view.width}x{view.height}") for view in views)[1]
            at_once = min(len(frames) * len(views), self._config.batch_size)
            raise DetectionError(
                f"the network failed on {at_once} x {size} px on {self.device_name}: "
                f"{first_line(error)}; try a smaller detect.batch_size or detect.size_px"
            ) from error
        return Candidates.concatenate(parts)

    def _run_group(
        self, model: Model, thresholds: Sequence[float], stack: Sequence[Sample], preprocessor: Drawer
    ) -> Candidates:
        """Run a model on samples of one input size: images are their stack indices, boxes in stored pixels.

        The model is given at most detect.batch_size of them at a time: a frame can have 130 views, and the memory for
        input and output must not grow with them.
        """
        parts = list[Candidates]()
        for start in range(0, len(stack), self._config.batch_size):
            batch = stack[start : start + self._config.batch_size]
            parts.append(_to_stored(model(preprocessor.batch(batch, model.pad_rgb), thresholds), batch))
        found = Candidates.concatenate(parts)
        return found[np.argsort(found.images, kind="stable")]

    def merge(self, candidates: Candidates, image: int, view_counts: Sequence[int], config: MergeConfig) -> Detections:
        """Merge the candidates of one frame: for each class what is detected, then low confidence, best first."""
        parts: list[Detections] = []
        for class_id in range(len(self.class_names)):
            here = candidates[np.flatnonzero((candidates.images == image) & (candidates.class_ids == class_id))]
            parts += self._merge_class(class_id, here.boxes, here.scores, view_counts[class_id], config)
        return Detections.concatenate(parts)

    def _merge_class(
        self, class_id: int, boxes: Boxes, scores: Scores, view_count: int, config: MergeConfig
    ) -> tuple[Detections, Detections]:
        """Detected boxes of one class, and low-confidence ones that do not overlap them."""
        threshold = self._thresholds[class_id]
        merging = scores > np.float32(self._merge_thresholds[class_id])
        merged = merge(boxes[merging], scores[merging], config, view_count)
        detected = merged.above(threshold, config.post_merge_score_threshold)
        low = (scores > np.float32(self._low_thresholds[class_id])) & (scores <= np.float32(threshold))
        low[low] = ~(iou(boxes[low], detected.boxes) >= config.iou_threshold).any(axis=1)
        rest = merge(boxes[low], scores[low], replace(config, method=MergeMethod.nms), view_count)
        return (
            self._detections(class_id, detected, Origin.detected),
            self._detections(class_id, rest, Origin.low_confidence),
        )

    def _detections(self, class_id: int, merged: MergedBoxes, origin: Origin) -> Detections:
        count = len(merged.boxes)
        class_ids, origins = np.full(count, class_id, np.int64), np.full(count, origin, np.int8)
        return Detections(merged.boxes, merged.scores, class_ids, self.class_names, origins)


def _stack(frames: Sequence[Frame], views: Sequence[Letterbox]) -> list[Sample]:
    """All views of all frames, those of one region and size in a row: the preprocessor scales it once for them."""
    order = sorted(range(len(views)), key=lambda view: (views[view].region, views[view].stored_size))
    return [
        Sample(frame, views[view], number * len(views) + view) for number, frame in enumerate(frames) for view in order
    ]


def _views(mode: ScanMode, config: DetectConfig, model: Model, picture: PictureInfo) -> list[Letterbox]:
    """Return the views that `model` is shown of a frame."""
    variants, rotations = config.variants, (0, *config.variants.fixed_rotations)
    if mode is ScanMode.full_turned:
        rotations = (0, *ROTATIONS)
    elif mode is ScanMode.only_turned:
        variants, rotations = VariantsConfig(scales=_quick_scales(model, picture), reduced_min_size_px=0), ROTATIONS
    return tta_views(picture, variants, model.letterbox, rotations)


def _quick_scales(model: Model, picture: PictureInfo) -> Sequence[float]:
    """Return QUICK_SCALES, or scale 1 where smaller pictures would cost a model as much."""
    part, whole = model.letterbox(picture, max(QUICK_SCALES)), model.letterbox(picture, 1.0)
    return QUICK_SCALES if part.width * part.height < whole.width * whole.height else (1.0,)


def _merge_threshold(threshold: float, config: MergeConfig) -> float:
    """The score above which a box takes part in merging; the setting means "this score or more"."""
    min_score = np.float32(config.pre_merge_score_threshold)
    return float(np.nextafter(min_score, np.float32(0))) if min_score > 0 else threshold


def _to_stored(candidates: Candidates, batch: Sequence[Sample]) -> Candidates:
    """Candidates of a batch that count, with the samples' stack indices as images, boxes in stored pixels."""
    boxes, counts = np.empty_like(candidates.boxes), np.zeros(len(candidates.boxes), np.bool_)
    for image, sample in enumerate(batch):
        here = candidates.images == image
        counts[here] = sample.view.counts(candidates.boxes[here])
        boxes[here] = sample.view.to_stored(candidates.boxes[here])
    images = np.array([sample.stack_index for sample in batch])[candidates.images]
    return replace(candidates, images=images, boxes=boxes)[counts]
