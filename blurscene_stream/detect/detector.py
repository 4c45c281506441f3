"""The detector: frames in, what was found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blurscene_stream.boxes import Boxes, Detections, Origin, Scores, iou
from blurscene_stream.config.schema import MergeConfig, MergeMethod, Settings, VariantsConfig, chosen
from blurscene_stream.detect.decode import Peaks, joined
from blurscene_stream.detect.ensemble import require_ensemble_boxes
from blurscene_stream.detect.merge import MergedBoxes, merge
from blurscene_stream.detect.model import Model
from blurscene_stream.detect.prepare import Drawer, Layout
from blurscene_stream.detect.variants import views_of
from blurscene_stream.errors import DetectionError, first_line
from blurscene_stream.frames import Frame, ScanMode


class Shown(NamedTuple):
    """A picture that the network is given; `place`: its number among all views of all frames, frame by frame."""

    frame: Frame
    layout: Layout
    place: int


class Detector:
    """Finds the objects of `classes` in frames.

    classes:     the names that the labels stand for
    device_name: where it runs and how, such as "cpu, bf16"
    """

    def __init__(self, models: Sequence[Model], device: torch.device, settings: Settings) -> None:
        """`models`: those of `settings`, on `device`; a class may be that of several.

        Raises ConfigError when `detect.merge.method` needs ensemble-boxes and it is not installed.
        """
        require_ensemble_boxes(settings.detect.merge.method)
        self.classes = tuple(settings.classes)
        self.device_name = "; ".join(dict.fromkeys(model.device_name for model in models))
        self._models = models
        self._labels = [np.array([self.classes.index(name) for name in model.classes]) for model in models]
        self._device = device
        self._config = settings.detect
        small = VariantsConfig(scales=[settings.detect.small_scan_scale])
        self._variants = {ScanMode.full: settings.detect.variants, ScanMode.small: small}
        self._thresholds = [each.threshold for each in chosen(settings, self.classes)]
        self._candidate_thresholds = [_candidates(threshold, settings.detect.merge) for threshold in self._thresholds]
        share = settings.track.low_score_ratio if settings.track.enabled else 1.0
        self._doubtful_thresholds = [threshold * share for threshold in self._thresholds]

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """What is in each frame, in its stored pixels: one `Detections` a frame, in the same order.

        All frames have the same PictureInfo; each is looked at as its `look` says. Each box that is found stands for
        boxes of one class that overlap, and in one of them at least a network was surer than the class's threshold.
        When objects are followed over time, there are doubtful boxes as well; which boxes are found does not depend on
        that.

        Raises DetectionError when a network fails or gives numbers that are not finite.
        """
        found: dict[int, Detections] = {}
        for look in ScanMode:
            if places := [place for place, frame in enumerate(frames) if frame.scan_mode is look]:
                peaks, looks = self.candidates([frames[place] for place in places])
                for number, place in enumerate(places):
                    found[place] = self.merged(peaks, number, looks, self._config.merge)
        return [found[place] for place in range(len(frames))]

    def candidates(self, frames: Sequence[Frame]) -> tuple[Peaks, list[int]]:
        """All that the models see in `frames`, of one kind of look, before merging, and how many views each class had.

        The pictures of the Peaks are the indices of frames, boxes are in stored pixels. Raises DetectionError.
        """
        (look,) = {frame.scan_mode for frame in frames}
        parts, looks = [], [0] * len(self.classes)
        for model, labels in zip(self._models, self._labels, strict=True):
            views = views_of(frames[0].picture, self._variants[look], model.plan)
            seen = self._ask(model, labels, frames, views)
            parts.append(Peaks(seen.pictures, labels[seen.labels], seen.scores, seen.boxes))
            for label in labels:
                looks[label] += len(views)
        return joined(parts), looks

    def _ask(self, model: Model, labels: NDArray[np.int64], frames: Sequence[Frame], views: Sequence[Layout]) -> Peaks:
        """What one model sees; `labels`: the label of each of its classes among all classes."""
        thresholds = [min(self._candidate_thresholds[label], self._doubtful_thresholds[label]) for label in labels]
        try:
            return joined([self._look(model, thresholds, frames, group) for group in _of_one_size(views)])
        except RuntimeError as error:  # torch's own, such as no more memory
            size = max((view.width * view.height, f"{view.width}x{view.height}") for view in views)[1]
            at_once = min(len(frames) * len(views), self._config.batch_size)
            raise DetectionError(
                f"the network failed on {at_once} x {size} px on {self.device_name}: "
                f"{first_line(error)}; try a smaller detect.batch_size or detect.size_px"
            ) from error

    @torch.inference_mode()  # holds for the calling thread only, so it belongs on the method that calculates
    def _look(
        self, model: Model, thresholds: Sequence[float], frames: Sequence[Frame], views: Sequence[Layout]
    ) -> Peaks:
        """What is in the views of the frames, all of one size: indices of frames, boxes in stored pixels.

        Views and frames are one stack, and the model is given at most detect.batch_size pictures of it at a time: a
        frame can have 130 views, and the memory for input and output must not grow with them.
        """
        # The drawer makes once what twins share, the mirrored view and the other.
        twins = sorted(range(len(views)), key=lambda view: (views[view].region, views[view].stored_size))
        stack = [
            Shown(frame, views[view], number * len(views) + view)
            for number, frame in enumerate(frames)
            for view in twins
        ]
        drawer, parts, at_once = Drawer(), list[Peaks](), self._config.batch_size
        for part in (stack[start : start + at_once] for start in range(0, len(stack), at_once)):
            parts.append(_in_place(model(self._upload(drawer, part, model.pad_rgb), thresholds), part))
        found = joined(parts)
        order = np.argsort(found.pictures, kind="stable")
        frame = found.pictures[order] // len(views)
        return Peaks(frame, found.labels[order], found.scores[order], found.boxes[order])

    def _upload(self, drawer: Drawer, part: Sequence[Shown], pad_rgb: Sequence[int]) -> Tensor:
        """Frames as network input: uint8 (len(part), 3, H, W), channels last, on the device."""
        shape = (len(part), part[0].layout.height, part[0].layout.width, 3)
        pictures = torch.zeros(shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        if any(pad_rgb):
            pictures[:] = torch.tensor(pad_rgb, dtype=torch.uint8)
        for shown, out in zip(part, pictures.numpy(), strict=True):
            drawer.draw(shown.frame, shown.layout, out)
        return pictures.to(self._device, non_blocking=True).permute(0, 3, 1, 2)

    def merged(self, peaks: Peaks, frame: int, looks: Sequence[int], config: MergeConfig) -> Detections:
        """What `candidates` found in one frame: one box an object, best first within each class, doubtful ones last."""
        parts: list[Detections] = []
        for label in range(len(self.classes)):
            here = np.flatnonzero((peaks.pictures == frame) & (peaks.labels == label))
            parts += self._of_class(label, peaks.boxes[here], peaks.scores[here], looks[label], config)
        return Detections.concatenate(parts)

    def _of_class(
        self, label: int, boxes: Boxes, scores: Scores, looks: int, config: MergeConfig
    ) -> tuple[Detections, Detections]:
        """What was found of one class, and what is doubtful: neither found nor a part of it."""
        threshold = self._thresholds[label]
        usual = scores > np.float32(self._candidate_thresholds[label])
        made = merge(boxes[usual], scores[usual], config, looks).above(threshold, config.post_merge_score_threshold)
        weak = (scores > np.float32(self._doubtful_thresholds[label])) & (scores <= np.float32(threshold))
        weak[weak] = ~(iou(boxes[weak], made.boxes) >= config.iou_threshold).any(axis=1)
        rest = merge(boxes[weak], scores[weak], replace(config, method=MergeMethod.nms), looks)
        return self._detections(label, made, Origin.detected), self._detections(label, rest, Origin.low_confidence)

    def _detections(self, label: int, merged: MergedBoxes, origin: Origin) -> Detections:
        count = len(merged.boxes)
        labels, origins = np.full(count, label, np.int64), np.full(count, origin, np.int8)
        return Detections(merged.boxes, merged.scores, labels, self.classes, origins)


def _candidates(threshold: float, config: MergeConfig) -> float:
    """The score above which a box takes part in merging; the setting means "this score or more"."""
    least = np.float32(config.pre_merge_score_threshold)
    return float(np.nextafter(least, np.float32(0))) if least > 0 else threshold


def _in_place(peaks: Peaks, part: Sequence[Shown]) -> Peaks:
    """Peaks of a part of the stack with their pictures' places, boxes in stored pixels."""
    boxes = np.empty_like(peaks.boxes)
    for index, shown in enumerate(part):
        here = peaks.pictures == index
        boxes[here] = shown.layout.to_stored(peaks.boxes[here])
    return replace(peaks, pictures=np.array([shown.place for shown in part])[peaks.pictures], boxes=boxes)


def _of_one_size(views: Sequence[Layout]) -> list[list[Layout]]:
    """The views in groups that can be stacked."""
    groups: dict[tuple[int, int], list[Layout]] = {}
    for view in views:
        groups.setdefault((view.width, view.height), []).append(view)
    return list(groups.values())
