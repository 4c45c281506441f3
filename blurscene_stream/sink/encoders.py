"""The encoders that are known, each with our defaults in its own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

X26_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
NVENC_PRESETS = ("p1", "p2", "p3", "p4", "p5", "p6", "p7", "fast", "medium", "slow")
QSV_PRESETS = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
OLD, NEW = ("mp4", "mov", "matroska", "mpegts"), ("mp4", "matroska", "webm")


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder of libav.

    name:           libav's
    codec:          what it makes
    containers:     formats that hold that, as players know it
    quality:        what `quality_option` is when the settings say nothing; None: it is lossless, and takes no quality
    qualities:      what `quality_option` may be; lower is better in all of them
    constant:       what else it must be told for a constant quality
    preset:         what `speed_option` is when the settings say nothing
    presets:        all that it takes; none: it has no such option
    fixed:          options that are always set
    live:           options so that no picture waits for a later one; None: it cannot be sent to a server
    even:           it takes no odd width or height where the chroma is subsampled
    chip:           the kind of hardware that it runs on; "": the CPU
    uploads_to:     libav's name of the device to which its pictures are brought; "": it takes them as they are
    upload_formats: the pixel formats that can be brought there
    """

    name: str
    codec: str
    containers: tuple[str, ...]
    quality: int | None
    qualities: range = range(52)
    quality_option: str = "crf"
    constant: Mapping[str, str] = field(default_factory=dict)
    preset: str = ""
    presets: tuple[str, ...] = ()
    speed_option: str = "preset"
    fixed: Mapping[str, str] = field(default_factory=dict)
    live: Mapping[str, str] | None = None
    even: bool = False
    chip: str = ""
    uploads_to: str = ""
    upload_formats: tuple[str, ...] = ()


# Captions are spoken words: a53cc=0 keeps the source's out of the stream.
X264 = Encoder(
    name="libx264",
    codec="h264",
    containers=OLD,
    quality=20,
    preset="veryfast",
    presets=X26_PRESETS,
    fixed={"a53cc": "0"},
    # A picture is one slice: GStreamer's payloader can repeat the parameter sets before each slice of a key frame,
    # and what libav then makes of a stream that was relayed by it is torn.
    live={"tune": "zerolatency", "bf": "0", "x264-params": "sliced-threads=0"},
    even=True,
)
X265 = Encoder(
    name="libx265",
    codec="hevc",
    containers=OLD,
    quality=22,
    preset="veryfast",
    presets=X26_PRESETS,
    fixed={"x265-params": "log-level=error", "a53cc": "0"},
    even=True,
)
VP9 = Encoder(
    name="libvpx-vp9",
    codec="vp9",
    containers=NEW,
    quality=28,
    qualities=range(64),
    constant={"b": "0"},  # else it is the quality of the worst picture
    preset="5",
    presets=tuple(map(str, range(9))),
    speed_option="cpu-used",
    fixed={"deadline": "good", "row-mt": "1"},
)
AV1 = Encoder(
    name="libsvtav1",
    codec="av1",
    containers=NEW,
    quality=28,
    qualities=range(64),
    preset="10",
    presets=tuple(map(str, range(14))),
)
FFV1 = Encoder(
    name="ffv1",
    codec="ffv1",
    containers=("matroska",),  # libav writes it into MP4 and MPEG-TS as well, and nobody reads it there
    quality=None,
    fixed={"level": "3", "slicecrc": "1", "g": "1"},  # as archives ask for it: any damage is found, in one picture
)

_NVENC = Encoder(
    name="h264_nvenc",
    codec="h264",
    containers=OLD,
    quality=23,
    qualities=range(1, 52),
    quality_option="cq",
    constant={"rc": "vbr", "b": "0"},
    preset="p5",
    presets=NVENC_PRESETS,
    fixed={"a53cc": "0", "extra_sei": "0"},
    live={"tune": "ull", "zerolatency": "1", "delay": "0", "bf": "0"},
    even=True,
    chip="nvenc",
)
_QSV = Encoder(
    name="h264_qsv",
    codec="h264",
    containers=OLD,
    quality=23,
    qualities=range(1, 52),
    quality_option="global_quality",
    preset="medium",
    presets=QSV_PRESETS,
    fixed={"a53cc": "0"},
    live={"async_depth": "1", "bf": "0"},
    even=True,
    chip="qsv",
)
_VAAPI = Encoder(
    name="h264_vaapi",
    codec="h264",
    containers=OLD,
    quality=23,
    qualities=range(1, 53),
    quality_option="qp",
    constant={"rc_mode": "CQP"},
    fixed={"sei": "timing+recovery_point"},  # without the captions
    live={"async_depth": "1", "bf": "0"},
    even=True,
    chip="vaapi",
    uploads_to="vaapi",
    upload_formats=("nv12", "p010le"),
)
SOFTWARE = (X264, X265, VP9, AV1, FFV1)
HARDWARE = (
    _NVENC,
    replace(_NVENC, name="hevc_nvenc", codec="hevc", quality=25, live=None),
    replace(_NVENC, name="av1_nvenc", codec="av1", containers=NEW, quality=32, qualities=range(1, 64), live=None),
    _QSV,
    replace(_QSV, name="hevc_qsv", codec="hevc", quality=25, fixed={}, live=None),
    replace(_QSV, name="av1_qsv", codec="av1", containers=NEW, fixed={}, live=None),
    replace(_QSV, name="vp9_qsv", codec="vp9", containers=NEW, fixed={}, live=None),
    _VAAPI,
    replace(_VAAPI, name="hevc_vaapi", codec="hevc", quality=25, fixed={"sei": "hdr"}, live=None),
    replace(
        _VAAPI,
        name="av1_vaapi",
        codec="av1",
        containers=NEW,
        quality=100,
        qualities=range(1, 256),
        quality_option="global_quality",
        fixed={},
        live=None,
    ),
)
"""In the order in which they are tried. Seen by us are only their refusals: no such chip was at hand."""

ENCODERS = {
    **{each.codec: each for each in SOFTWARE},
    "h265": X265,
    **{each.name: each for each in (*SOFTWARE, *HARDWARE)},
}
"""What may be asked for by name: a codec means the encoder on the CPU."""
