"""Settings of detection and tracking: network input, test-time augmentation, merging, tracking over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from blurscene_stream.config.validation import Constraint, between, validate, within
from blurscene_stream.errors import ConfigError

_MAX_INPUT_PX = 8192  # of a side of the network's input


class Backend(Enum):
    """Library that runs the network of a built-in model."""

    auto = "torch on a GPU; on a CPU the first that is installed of openvino, onnxruntime and torch"
    openvino = "OpenVINO, on a CPU"
    onnxruntime = "ONNX Runtime, on a CPU"
    torch = "torch, on any device"


class Precision(Enum):
    """Number format of the network."""

    auto = "int8 on a CPU with VNNI or AMX where the model has it, bf16 where the processor gains from it, else fp32"
    fp32 = "32-bit floating point"
    bf16 = "16-bit brain floating point"
    int8 = "8-bit integers, on a CPU"


class MergeMethod(Enum):
    """Methods of merging overlapping boxes of one class."""

    nms = "non-maximum suppression: the best box"
    wbf = "weighted boxes fusion as in BlurScene: the mean, weighted by score"
    nmm = "non-maximum merging: the box around all of them"
    ensemble_wbf = "weighted_boxes_fusion of ensemble-boxes: each box joins the nearest mean so far"
    ensemble_nmw = "non_maximum_weighted of ensemble-boxes: their mean, weighted by score and by overlap with the best"
    ensemble_soft_nms = "soft_nms of ensemble-boxes: a box goes when its score, sunk by overlap, is below a threshold"


class AreaMethod(Enum):
    """Measures of a box where IoU is calculated."""

    int = "out to whole pixels, the last one included"
    float = "as it is"


class RotationMode(Enum):
    """Choices of turned views that are no list of them."""

    auto = "all of ROTATIONS where a check of the turned picture finds what shows only there"
    none = "the upright picture alone"


ROTATIONS = (90, 180, 270)
"""Degrees clockwise by which a turned view is turned."""


def _are_rotations(value: RotationMode | Sequence[int]) -> bool:
    return isinstance(value, RotationMode) or (len(set(value)) == len(value) and set(value) <= set(ROTATIONS))


def _are_scales(scales: Sequence[float]) -> bool:
    return 0 < len(scales) <= 8 and all(0 < scale <= 4 for scale in scales)


_ROTATIONS = Constraint("auto, none or a list of different numbers of 90, 180 and 270", _are_rotations)
_SCALES = Constraint("a list of 1 to 8 numbers in (0, 4]", _are_scales)


@dataclass(frozen=True)
class VariantsConfig:
    """Test-time augmentation: views of a frame beside the whole one; every kind combines with every other."""

    mirror_image: Annotated[bool, "also scan every view mirrored left to right"] = False
    enlarged_regions_n: Annotated[
        int, "also scan n x n overlapping tiles, each at the size of the whole frame; 0 or 1: none", between(0, 8)
    ] = 0
    region_overlap: Annotated[float, "share of a tile's side that overlaps its neighbour", within("[0, 0.75]")] = 0.2
    scales: Annotated[
        Sequence[float], "scales at which the whole frame is scanned; 1: the size that size_px gives", _SCALES
    ] = (1.0, 0.5, 0.25)
    reduced_min_size_px: Annotated[
        float,
        "minimum longer side, in the network's input, of a box found at a scale below 1 that is not the largest",
        within("[0, 8192]"),
    ] = 24.0
    rotations: Annotated[
        RotationMode | Sequence[int],
        "also scan every view turned clockwise by these degrees; auto: by all of them where a check needs it",
        _ROTATIONS,
    ] = RotationMode.auto
    rotation_check_interval_s: Annotated[
        float,
        "seconds between two checks of rotations: auto, which has one at each shot boundary as well",
        within("[0, 3600]"),
    ] = 1.0

    def __post_init__(self) -> None:
        validate(self, "detect.variants.")

    @property
    def fixed_rotations(self) -> tuple[int, ...]:
        """Rotations that every full scan has, in degrees."""
        return () if isinstance(self.rotations, RotationMode) else tuple(self.rotations)


@dataclass(frozen=True)
class MergeConfig:
    """Merging of overlapping boxes of one object."""

    method: Annotated[MergeMethod, "nms: the best box; wbf: the mean, as in BlurScene; nmm: the box around all"] = (
        MergeMethod.nms
    )
    iou_threshold: Annotated[float, "boxes of one class with at least this IoU are one object", within("(0, 1]")] = 0.5
    area_method: Annotated[AreaMethod, "how boxes are measured; int: out to whole pixels"] = AreaMethod.float
    pre_merge_score_threshold: Annotated[
        float, "minimum score of a box before merging; 0: the class's own threshold", within("[0, 1)")
    ] = 0.0
    post_merge_score_threshold: Annotated[
        float, "score that a merged box must exceed, besides the class's threshold; 0: none", within("[0, 1)")
    ] = 0.0
    soft_nms_sigma: Annotated[
        float, "sigma of ensemble_soft_nms: the larger, the less a score sinks with overlap", within("(0, 100]")
    ] = 0.5

    def __post_init__(self) -> None:
        validate(self, "detect.merge.")


@dataclass(frozen=True)
class DetectConfig:
    """How frames are scanned for objects."""

    size_px: Annotated[
        int, "longer side of the network's input; larger finds smaller objects", between(32, _MAX_INPUT_PX)
    ] = 1280
    max_upscale: Annotated[
        float, "maximum factor by which a frame smaller than size_px is enlarged", within("[1, 16]")
    ] = 2.0
    batch_size: Annotated[int, "frames per batch, and maximum number of views per network call", between(1, 256)] = 4
    backend: Annotated[
        Backend, "library of the built-in network; auto: torch on a GPU, else OpenVINO, ONNX Runtime or torch"
    ] = Backend.auto
    precision: Annotated[
        Precision, "number format of the network; auto: int8 or bf16 where the processor gains from it"
    ] = Precision.auto
    on_device: Annotated[
        bool, "on a GPU, the network's input is made and its peaks are found there too; false: on the CPU"
    ] = True
    threads: Annotated[int, "threads of the network on a CPU; 0: the number of cores", between(0, 1024)] = 0
    variants: VariantsConfig = VariantsConfig()
    merge: MergeConfig = MergeConfig()

    def __post_init__(self) -> None:
        validate(self, "detect.")
        largest = max(self.variants.scales)
        if self.size_px * largest > _MAX_INPUT_PX:
            raise ConfigError(
                f"detect.size_px times each of detect.variants.scales must be at most {_MAX_INPUT_PX}, "
                f"got {self.size_px} times {largest:g}"
            )


@dataclass(frozen=True)
class TrackConfig:
    """Tracking of objects over time. It only ever adds boxes."""

    enabled: Annotated[bool, "also cover objects in frames in which the detector missed them"] = True
    lookahead_s: Annotated[float, "seconds that a frame waits for later frames", within("[0, 10]")] = 0.5
    lookahead_frames: Annotated[
        int, "maximum number of frames that wait, whatever lookahead_s says", between(1, 4096)
    ] = 128
    max_gap_s: Annotated[
        float,
        "longest gap between two detections that is interpolated, in seconds, at least 1 frame; 0: none",
        within("[0, 20]"),
    ] = 0.8
    post_roll_s: Annotated[
        float,
        "seconds, at least 1 frame, for which an object is covered after its last detection; 0: none",
        within("[0, 10]"),
    ] = 0.3
    pre_roll_s: Annotated[
        float,
        "seconds, at least 1 frame, for which an object is covered before its first detection; 0: none",
        within("[0, 10]"),
    ] = 0.3
    uncertain_roll_s: Annotated[
        float,
        "longest pre-roll and post-roll of a large object that scores little above the threshold, "
        "in seconds, at least 1 frame; 0: none",
        within("[0, 10]"),
    ] = 0.1
    low_score_ratio: Annotated[
        float, "share of the class's threshold that a box must score to continue a track", within("(0, 1]")
    ] = 0.35

    @property
    def reporting_ratio(self) -> float:
        """Share of the class's threshold above which a detector reports a box: all of it where nothing is tracked."""
        return self.low_score_ratio if self.enabled else 1.0

    def __post_init__(self) -> None:
        validate(self, "track.")
        if self.pre_roll_s > self.lookahead_s:
            raise ConfigError(
                f"track.pre_roll_s must not be above track.lookahead_s, {self.lookahead_s:g}, got {self.pre_roll_s:g}"
            )
        if self.max_gap_s > self.post_roll_s + self.lookahead_s:
            raise ConfigError(
                f"track.max_gap_s must not be above track.post_roll_s + track.lookahead_s, "
                f"{self.post_roll_s + self.lookahead_s:g}, got {self.max_gap_s:g}"
            )
