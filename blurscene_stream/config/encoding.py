"""Settings of the video encoder and the audio."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from blurscene_stream.config.models import NOT_EMPTY
from blurscene_stream.config.rules import between, check, matching

_CODEC = matching("[A-Za-z0-9][A-Za-z0-9_-]*", "auto or the name of an ffmpeg encoder")
_PIPED = matching("matroska|mpegts", "matroska or mpegts")
_BITRATE = matching(r"[1-9][0-9]*(\.[0-9]+)?[kKmM]?", "bits a second, such as 800k or 4M")


class Hardware(Enum):
    """Whether a hardware encoder is used."""

    never = "software encoder"
    auto = "the first hardware encoder that works, else the software encoder"


class AudioMode(Enum):
    """How audio is passed on."""

    copy = "as it is; encoded again only where the container cannot hold it"
    drop = "no audio"
    aac = "AAC"
    opus = "Opus"


@dataclass
class EncodeConfig:
    """Options of the encoders, with FFmpeg's meanings."""

    codec: Annotated[
        str, "h264, hevc, av1, vp9, ffv1, or libav's name; auto: H.264, or VP9 where the container takes none", _CODEC
    ] = "auto"
    hardware: Annotated[Hardware, "auto: the first hardware encoder that works; never: in software"] = Hardware.never
    crf: Annotated[
        int | None,
        "constant quality in the encoder's own terms, lower is better; null: 20 for H.264, 22 for HEVC, "
        "28 for VP9, AV1",
        between(0, 255),
    ] = None
    preset: Annotated[
        str | None, "time for size; null: veryfast for H.264, HEVC, cpu-used 5 for VP9, 10 for AV1", NOT_EMPTY
    ] = None
    bitrate: Annotated[str | None, "instead of constant quality", _BITRATE] = None
    format: Annotated[
        str | None, "of what goes to a pipe: matroska or mpegts; null: by its ending, else matroska", _PIPED
    ] = None
    threads: Annotated[int, "of the encoder; 0: it decides", between(0, 128)] = 0
    audio: Annotated[AudioMode, "copy: as it is; drop: none; aac, opus: encoded, unless it is that already"] = (
        AudioMode.copy
    )

    def __post_init__(self) -> None:
        check(self, "encode.")
