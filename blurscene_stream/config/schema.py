"""The settings: one tree of dataclasses, its defaults, and what each value may be.

Every check runs when a dataclass is made, and names the key, the value and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from blurscene_stream.errors import ConfigError


class RedactMethod(Enum):
    """What replaces the picture inside a box; lower case because OmegaConf matches names."""

    mosaic = "flat cells, at most `cells` along each side of the box"
    solid = "one colour"
    blur = "a blur whose kernel follows the box"


class Shape(Enum):
    """The outline that is covered."""

    rectangle = "the box and its margin"
    ellipse = "an ellipse around the whole box: its corners are covered too"


class Precision(Enum):
    """The numbers that the network calculates with."""

    auto = "bf16 where the processor gains from it, else fp32"
    fp32 = "32-bit floating point"
    bf16 = "16-bit brain floating point"


class MergeMethod(Enum):
    """How overlapping boxes of one class become one."""

    nms = "the best of them"
    wbf = "their mean, weighted by score"
    nmm = "the box around all of them"


class AreaMethod(Enum):
    """How BlurScene measures a box."""

    int = "whole pixels"
    float = "as it is"


def require(good: bool, key: str, value: object, allowed: str) -> None:
    """Refuse a value, naming the key, the value and what is allowed.

    Raises ConfigError.
    """
    if not good:
        raise ConfigError(f"{key} must be {allowed}, got {value!r}")


@dataclass
class ModelConfig:
    """A detector: its network, its weights and the classes that it knows (config/model/*.yaml)."""

    name: str = "face_plate_v1"
    weights: str = "face_plate_v1.pt"  # in the folder weights/, or a path
    sha256: str = "03e0db35622a51e080ed1d85441557db57a161519ea4062d41fe6d988708646a"
    classes: list[str] = field(default_factory=lambda: ["face", "license_plate"])
    plate_width: int = 48  # channels of the plate branch
    plate_depth: int = 2  # its 3x3 convolutions

    def __post_init__(self) -> None:
        require(bool(re.fullmatch("[0-9a-f]{64}", self.sha256)), "model.sha256", self.sha256, "64 hex digits")
        require(len(set(self.classes)) == len(self.classes) > 0, "model.classes", self.classes, "unique names")


@dataclass
class ClassConfig:
    """What is done for one class of objects."""

    threshold: float = 0.2  # score in [0, 1); lower finds more and covers more
    margin: float = 0.1  # share of the box's side that is covered beyond each edge
    shape: Shape = Shape.rectangle

    def __post_init__(self) -> None:
        require(0 <= self.threshold < 1, "classes.*.threshold", self.threshold, "in [0, 1)")
        require(0 <= self.margin <= 5, "classes.*.margin", self.margin, "in [0, 5]")


@dataclass
class DetectConfig:
    """How pictures are looked at."""

    size_px: int = 1280  # longer side of the network's input; larger finds smaller objects
    batch_size: int = 4  # frames a call of the network
    merge_iou: float = 0.5  # boxes of one class that overlap by more are one object
    precision: Precision = Precision.auto
    threads: int = 0  # of the network on a CPU; 0: as many as there are cores

    def __post_init__(self) -> None:
        require(32 <= self.size_px <= 8192, "detect.size_px", self.size_px, "in 32..8192")
        require(1 <= self.batch_size <= 256, "detect.batch_size", self.batch_size, "in 1..256")
        require(0 < self.merge_iou <= 1, "detect.merge_iou", self.merge_iou, "in (0, 1]")
        require(0 <= self.threads <= 1024, "detect.threads", self.threads, "in 0..1024, 0 for all cores")


@dataclass
class RedactConfig:
    """How what was found is hidden."""

    method: RedactMethod = RedactMethod.mosaic
    cells: int = 6  # of the mosaic, along each side of a box, whatever its size
    least_margin_px: int = 2  # beyond each edge, however small the box
    solid_luma: int = 16  # of the solid fill, as in 8-bit video: 16 is black, 235 is white

    def __post_init__(self) -> None:
        require(1 <= self.cells <= 6, "redact.cells", self.cells, "in 1..6: more could be recognized")
        require(0 <= self.least_margin_px <= 1000, "redact.least_margin_px", self.least_margin_px, "in 0..1000")
        require(0 <= self.solid_luma <= 255, "redact.solid_luma", self.solid_luma, "in 0..255")


@dataclass
class EncodeConfig:
    """How the video is encoded, in ffmpeg's meaning."""

    codec: str = "auto"  # auto: H.264, or VP9 where the container takes no H.264
    crf: int | None = 20  # constant quality, lower is better; without effect when bitrate is set
    preset: str | None = "veryfast"  # of x264 and x265, and 0..13 of SVT-AV1
    bitrate: str | None = None  # such as 4M or 800k
    threads: int = 0  # 0: the encoder decides

    def __post_init__(self) -> None:
        require(self.crf is None or 0 <= self.crf <= 63, "encode.crf", self.crf, "in 0..63")
        good = self.bitrate is None or bool(re.fullmatch(r"[1-9]\d*(\.\d+)?[kKmM]?", self.bitrate))
        require(good, "encode.bitrate", self.bitrate, "bits a second, such as 800k or 4M")
        require(0 <= self.threads <= 128, "encode.threads", self.threads, "in 0..128, 0 for automatic")


@dataclass
class RtspConfig:
    """How cameras and servers are talked to, over TCP."""

    open_timeout_s: float = 10.0  # until the first packet
    read_timeout_s: float = 5.0  # between two packets; then the source is lost
    write_timeout_s: float = 5.0  # for one packet; then the target is lost
    gop_s: float = 2.0  # seconds between key frames that are sent

    def __post_init__(self) -> None:
        for key in ("open_timeout_s", "read_timeout_s", "write_timeout_s", "gop_s"):
            require(0 < getattr(self, key) <= 3600, f"rtsp.{key}", getattr(self, key), "in (0, 3600] seconds")


@dataclass
class ProcessingConfig:
    """BlurScene's switches for variants and merging, by its names and defaults (config/inference.yaml)."""

    use: bool = False
    pre_merge_score_threshold: float = 0.0
    post_merge_score_threshold: float = 0.0
    merge_iou_threshold: float = 0.5
    merging_method: MergeMethod = MergeMethod.wbf
    area_method: AreaMethod = AreaMethod.int
    mirror_image: bool = False
    enlarged_regions_n: int = 0

    def __post_init__(self) -> None:
        for key in ("pre_merge_score_threshold", "post_merge_score_threshold", "merge_iou_threshold"):
            require(0 <= getattr(self, key) <= 1, f"processing.{key}", getattr(self, key), "in [0, 1]")
        good = self.enlarged_regions_n >= 0
        require(good, "processing.enlarged_regions_n", self.enlarged_regions_n, "at least 0")


@dataclass
class LoggingConfig:
    """What is written to stderr."""

    level: str = "info"  # the logging module's levels, any case
    format: str = "%(message)s"
    json: bool = False  # one JSON object a line

    def __post_init__(self) -> None:
        levels = ("debug", "info", "warning", "error", "critical")
        require(self.level.lower() in levels, "logging.level", self.level, " or ".join(levels))


def _default_classes() -> dict[str, ClassConfig]:
    return {"face": ClassConfig(), "license_plate": ClassConfig()}


@dataclass
class Settings:
    """Everything that a run can be told."""

    device: str = "auto"  # auto, cpu, cuda or cuda:N
    queue_frames: int = 8  # pictures that wait between two stages, at most
    model: ModelConfig = field(default_factory=ModelConfig)
    classes: dict[str, ClassConfig] = field(default_factory=_default_classes)
    detect: DetectConfig = field(default_factory=DetectConfig)
    redact: RedactConfig = field(default_factory=RedactConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)
    rtsp: RtspConfig = field(default_factory=RtspConfig)
    processing: ProcessingConfig = field(default_factory=ProcessingConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    face_model_conf: str | None = None
    face_model_weights: str | None = None
    license_plate_model_conf: str | None = None
    license_plate_model_weights: str | None = None

    def __post_init__(self) -> None:
        good = bool(re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device))
        require(good, "device", self.device, "auto, cpu, cuda or cuda:N")
        require(1 <= self.queue_frames <= 1024, "queue_frames", self.queue_frames, "in 1..1024")
        same = set(self.classes) == set(self.model.classes)
        require(same, "classes", sorted(self.classes), f"the model's own: {', '.join(self.model.classes)}")


def chosen(settings: Settings, names: Sequence[str]) -> list[ClassConfig]:
    """The settings of each class in `names`, in that order: the order of a detector's labels."""
    return [settings.classes[name] for name in names]
