"""Which encoder, and what it may be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from blurscene_stream.config.schema import EncodeConfig
from blurscene_stream.errors import UsageError

X26_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)

MOST_BITS_PER_SECOND = 2_000_000_000  # libav counts in 32 bits


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder of libav, with our defaults in its own terms.

    crf, preset:    what it is told when the settings say nothing
    most_crf:       the highest that it takes
    presets:        all that it takes
    speed_option:   the option that `encode.preset` sets
    fixed:          options that are always set
    even:           it takes no odd width or height where the chroma is subsampled
    """

    name: str
    crf: int
    preset: str
    most_crf: int
    presets: tuple[str, ...]
    speed_option: str = "preset"
    fixed: dict[str, str] = field(default_factory=dict)
    even: bool = False


# Captions are spoken words: a53cc=0 keeps the source's out of the stream.
X264 = Encoder("libx264", crf=20, preset="veryfast", most_crf=51, presets=X26_PRESETS, fixed={"a53cc": "0"}, even=True)
X265 = Encoder(
    "libx265",
    crf=22,
    preset="veryfast",
    most_crf=51,
    presets=X26_PRESETS,
    fixed={"x265-params": "log-level=error", "a53cc": "0"},
    even=True,
)
VP9 = Encoder(
    "libvpx-vp9",
    crf=28,
    preset="5",
    most_crf=63,
    presets=tuple(map(str, range(9))),
    speed_option="cpu-used",
    fixed={"deadline": "good", "row-mt": "1"},
)
AV1 = Encoder("libsvtav1", crf=28, preset="10", most_crf=63, presets=tuple(map(str, range(14))))
ENCODERS = {
    **dict.fromkeys(("h264", "libx264"), X264),
    **dict.fromkeys(("hevc", "h265", "libx265"), X265),
    **dict.fromkeys(("vp9", "libvpx-vp9"), VP9),
    **dict.fromkeys(("av1", "libsvtav1"), AV1),
}
WEBM_ENCODERS = (VP9, AV1)


def choose(settings: EncodeConfig, container: str) -> Encoder:
    """The encoder for a container.

    Raises UsageError when there is none of that name, the container does not take it, or it does not take the
    settings.
    """
    encoder = _named(settings.codec, container)
    if settings.preset is not None and settings.preset not in encoder.presets:
        allowed = ", ".join(encoder.presets)
        raise UsageError(f"encode.preset must be one of {allowed} for {encoder.name}, got {settings.preset!r}")
    if settings.crf is not None and settings.crf > encoder.most_crf:
        raise UsageError(f"encode.crf must be in 0..{encoder.most_crf} for {encoder.name}, got {settings.crf}")
    if settings.bitrate is not None and bits_per_second(settings.bitrate) > MOST_BITS_PER_SECOND:
        raise UsageError(f"encode.bitrate must be at most 2000M, got {settings.bitrate!r}")
    return encoder


def bits_per_second(text: str) -> int:
    """ffmpeg's way of writing a bit rate: 800k, 4M, 2.5M."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1].lower(), 1)
    return round(float(text.rstrip("kKmM")) * factor)


def _named(codec: str, container: str) -> Encoder:
    if codec == "auto":
        return VP9 if container == "webm" else X264
    if codec not in ENCODERS:
        raise UsageError(f"encode.codec must be auto or one of {', '.join(ENCODERS)}, got {codec!r}")
    encoder = ENCODERS[codec]
    if container == "webm" and encoder not in WEBM_ENCODERS:
        raise UsageError(f"webm takes no {codec}: choose vp9 or av1, or write mp4 or mkv")
    if container == "rtsp" and encoder is not X264:
        raise UsageError(f"an RTSP target is sent h264, not {codec}")
    if container in ("mpegts", "mov") and encoder in WEBM_ENCODERS:
        raise UsageError(f"{container.removeprefix('mpeg')} takes no {codec}: choose h264 or hevc, or write mp4 or mkv")
    return encoder
