"""The settings of the detector: how pictures are looked at, and how what was found is put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from blurscene_stream.config.rules import Rule, between, check, within
from blurscene_stream.errors import ConfigError


class Precision(Enum):
    """The numbers that the network calculates with."""

    auto = "bf16 where the processor gains from it, else fp32"
    fp32 = "32-bit floating point"
    bf16 = "16-bit brain floating point"


class MergeMethod(Enum):
    """How overlapping boxes of one class become one."""

    nms = "the best of them"
    wbf = "their mean, weighted by score, as BlurScene calculates it"
    nmm = "the box around all of them"
    ensemble_wbf = "weighted_boxes_fusion of ensemble-boxes: each box joins the nearest mean so far"
    ensemble_nmw = "non_maximum_weighted of ensemble-boxes: their mean, weighted by score and by overlap with the best"
    ensemble_soft_nms = "soft_nms of ensemble-boxes: a box goes when its score, sunk by overlap, is below a threshold"


class AreaMethod(Enum):
    """How a box is measured where boxes are compared."""

    int = "out to whole pixels, the last one counted"
    float = "as it is"


def _are_scales(scales: list[float]) -> bool:
    return 0 < len(scales) <= 8 and all(0 < scale <= 4 for scale in scales)


_LARGEST_PX = 8192  # of a side of the network's input
_SCALES = Rule("a list of 1 to 8 numbers in (0, 4]", _are_scales)


@dataclass
class VariantsConfig:
    """What else than the whole picture the network looks at; each kind with each other."""

    mirror_image: Annotated[bool, "also look at everything mirrored left to right"] = False
    enlarged_regions_n: Annotated[
        int, "also look at n x n regions, each as large as the whole picture; 0 or 1: none", between(0, 8)
    ] = 0
    region_overlap: Annotated[
        float, "share of a region's side that it has in common with its neighbour", within("[0, 0.75]")
    ] = 0.2
    scales: Annotated[
        list[float], "sizes at which the whole picture is looked at; 1: the size that size_px gives", _SCALES
    ] = field(default_factory=lambda: [1.0, 0.25])

    def __post_init__(self) -> None:
        check(self, "detect.variants.")


@dataclass
class MergeConfig:
    """How the boxes that show one object become one."""

    method: Annotated[MergeMethod, "nms: the best box; wbf: the mean, as in BlurScene; nmm: the box around all"] = (
        MergeMethod.nms
    )
    iou_threshold: Annotated[
        float, "boxes of one class that overlap by so much or more are one object", within("(0, 1]")
    ] = 0.5
    area_method: Annotated[AreaMethod, "how boxes are measured; int: out to whole pixels"] = AreaMethod.float
    pre_merge_score_threshold: Annotated[
        float, "least score of a box that takes part in merging; 0: the class's own", within("[0, 1)")
    ] = 0.0
    post_merge_score_threshold: Annotated[
        float, "merged boxes must score more, besides the class's threshold; 0: nothing more", within("[0, 1)")
    ] = 0.0
    soft_nms_sigma: Annotated[
        float, "of ensemble_soft_nms: the larger, the less a score sinks with overlap", within("(0, 100]")
    ] = 0.5

    def __post_init__(self) -> None:
        check(self, "detect.merge.")


@dataclass
class DetectConfig:
    """How pictures are looked at."""

    size_px: Annotated[
        int, "longer side of the network's input; larger finds smaller objects", between(32, _LARGEST_PX)
    ] = 1280
    max_upscale: Annotated[
        float, "a picture smaller than size_px is enlarged at most so many times", within("[1, 16]")
    ] = 2.0
    batch_size: Annotated[int, "frames a batch, and the most pictures a call of the network", between(1, 256)] = 4
    every: Annotated[
        int, "every n-th frame gets the full scan, those between a small one; 1: all get the full scan", between(1, 100)
    ] = 1
    small_scan_scale: Annotated[
        float, "size at which the small scan sees the whole picture; 1: the size that size_px gives", within("(0, 1]")
    ] = 0.5
    precision: Annotated[Precision, "numbers of the network; auto: bf16 where the processor gains from it"] = (
        Precision.auto
    )
    threads: Annotated[int, "of the network on a CPU; 0: as many as there are cores", between(0, 1024)] = 0
    variants: VariantsConfig = field(default_factory=VariantsConfig)
    merge: MergeConfig = field(default_factory=MergeConfig)

    def __post_init__(self) -> None:
        check(self, "detect.")
        largest = max(self.variants.scales)
        if self.size_px * largest > _LARGEST_PX:
            raise ConfigError(
                f"detect.size_px times each of detect.variants.scales must be at most {_LARGEST_PX}, "
                f"got {self.size_px} times {largest:g}"
            )
