"""Encoder presets: the video encoders that can be asked for, with our defaults as FFmpeg options of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from blurscene_stream.config.schema import EncodeConfig

X26_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
NVENC_PRESETS = ("p1", "p2", "p3", "p4", "p5", "p6", "p7", "fast", "medium", "slow")
H26X_CONTAINERS, VP9_AV1_CONTAINERS = ("mp4", "mov", "matroska", "mpegts"), ("mp4", "matroska", "webm")


@dataclass(frozen=True, slots=True)
class Encoder:
    """A video encoder of FFmpeg and its defaults.

    name:             FFmpeg's name of the encoder
    codec:            FFmpeg's name of the codec
    containers:       muxers that hold the codec in a way that players know
    default_quality:  `quality_option` when the settings say nothing; None: lossless, it takes no quality
    quality_range:    allowed values of `quality_option`; lower is better in all encoders
    quality_option:   option of a constant quality
    constant_quality: other options that a constant quality needs
    default_preset:   `preset_option` when the settings say nothing
    presets:          allowed values of `preset_option`; empty: there is no such option
    preset_option:    option that trades time for size
    fixed_options:    options that are always set
    live_options:     options for low latency, without B-frames; None: the codec cannot be published over RTSP
    needs_even_size:  width and height must be even where the chroma is subsampled
    min_side_px:      pictures with a shorter side are refused
    hardware:         it runs on a GPU, and may not be there
    """

    name: str
    codec: str
    containers: tuple[str, ...]
    default_quality: int | None
    quality_range: range = range(52)
    quality_option: str = "crf"
    constant_quality: Mapping[str, str] = field(default_factory=dict)
    default_preset: str = ""
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    fixed_options: Mapping[str, str] = field(default_factory=dict)
    live_options: Mapping[str, str] | None = None
    needs_even_size: bool = False
    min_side_px: int = 1
    hardware: bool = False

    def options(self, settings: EncodeConfig) -> dict[str, str]:
        """Return FFmpeg's options of this encoder for the settings; the bit rate is not among them."""
        options = dict(self.fixed_options)
        if self.presets:
            options[self.preset_option] = settings.preset or self.default_preset
        if settings.bitrate is None and self.default_quality is not None:
            options |= self.constant_quality
            options[self.quality_option] = str(self.default_quality if settings.crf is None else settings.crf)
        return options


def parse_bitrate(text: str) -> int:
    """Return the bits per second of a bit rate as FFmpeg writes it: 800k, 4M, 2.5M."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1].lower(), 1)
    return round(float(text.rstrip("kKmM")) * factor)


# a53cc=0 keeps closed captions (A/53 SEI) of the source out of the output: they are spoken words.
X264 = Encoder(
    name="libx264",
    codec="h264",
    containers=H26X_CONTAINERS,
    default_quality=20,
    default_preset="veryfast",
    presets=X26_PRESETS,
    # One slice per picture: of several, one may lie hidden under another, and `verify` could not tell; files become
    # smaller, too. GStreamer's payloader can repeat the parameter sets before each slice of a key frame, and FFmpeg
    # cannot decode what is relayed by it then.
    fixed_options={"a53cc": "0", "x264-params": "sliced-threads=0"},
    live_options={"tune": "zerolatency", "bf": "0"},
    needs_even_size=True,
)
X265 = Encoder(
    name="libx265",
    codec="hevc",
    containers=H26X_CONTAINERS,
    default_quality=22,
    default_preset="veryfast",
    presets=X26_PRESETS,
    fixed_options={"x265-params": "log-level=error", "a53cc": "0"},
    needs_even_size=True,
)
VP9 = Encoder(
    name="libvpx-vp9",
    codec="vp9",
    containers=VP9_AV1_CONTAINERS,
    default_quality=28,
    quality_range=range(64),
    constant_quality={"b": "0"},  # else crf is the limit of the worst picture
    default_preset="5",
    presets=tuple(map(str, range(9))),
    preset_option="cpu-used",
    # Without pictures that others refer to and that are never shown: nobody could see or `verify` them.
    fixed_options={"deadline": "good", "row-mt": "1", "auto-alt-ref": "0"},
)
AV1 = Encoder(
    name="libsvtav1",
    codec="av1",
    containers=VP9_AV1_CONTAINERS,
    default_quality=28,
    quality_range=range(64),
    default_preset="10",
    presets=tuple(map(str, range(14))),
    min_side_px=32,  # that of PyAV 18.1 never ends with 16x640 or 3000x4
)
FFV1 = Encoder(
    name="ffv1",
    codec="ffv1",
    containers=("matroska",),  # FFmpeg writes it into MP4 and MPEG-TS as well, and no player reads it there
    default_quality=None,
    fixed_options={"level": "3", "slicecrc": "1", "g": "1"},  # as archives ask for: damage is found, in one picture
)
H264_NVENC = Encoder(
    name="h264_nvenc",
    codec="h264",
    containers=H26X_CONTAINERS,
    default_quality=23,
    quality_range=range(1, 52),
    quality_option="cq",
    constant_quality={"rc": "vbr", "b": "0"},
    default_preset="p5",
    presets=NVENC_PRESETS,
    fixed_options={"a53cc": "0", "extra_sei": "0"},
    live_options={"tune": "ull", "zerolatency": "1", "delay": "0", "bf": "0"},
    needs_even_size=True,
    hardware=True,
)
HEVC_NVENC = replace(H264_NVENC, name="hevc_nvenc", codec="hevc", default_quality=25, live_options=None)
AV1_NVENC = replace(
    H264_NVENC,
    name="av1_nvenc",
    codec="av1",
    containers=VP9_AV1_CONTAINERS,
    default_quality=32,
    quality_range=range(1, 64),
    live_options=None,
)
SOFTWARE = (X264, X265, VP9, AV1, FFV1)
HARDWARE = (H264_NVENC, HEVC_NVENC, AV1_NVENC)
"""In the order in which they are probed. No GPU with NVENC was at hand: only their refusals are tested."""

ENCODERS = {
    **{each.codec: each for each in SOFTWARE},
    "h265": X265,
    **{each.name: each for each in (*SOFTWARE, *HARDWARE)},
}
"""Allowed names: a codec stands for its software encoder."""
