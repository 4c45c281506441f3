"""Settings of media: the streams that are read, encoded and kept, and the RTSP connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from blurscene_stream.config.validation import NOT_EMPTY, Constraint, between, listed, matching, validate, within

KEEPABLE_STREAMS = ("subtitles", "data", "attachments", "timecode", "chapters")

_STREAMS = Constraint(f"a list of {listed(KEEPABLE_STREAMS)}", lambda name: name in KEEPABLE_STREAMS, per_item=True)
_TAGS = Constraint(
    'a list of names of tags, such as "creation_time"',
    lambda name: bool(name.strip()) and name.isprintable(),
    per_item=True,
)
_CODEC = matching("[A-Za-z0-9][A-Za-z0-9_-]*", "auto or the name of an ffmpeg encoder")
_PIPE_FORMAT = matching("matroska|mpegts", "matroska or mpegts")
_BITRATE = matching(r"[1-9][0-9]*(\.[0-9]+)?[kKmM]?", "bits a second, such as 800k or 4M")


class Hardware(Enum):
    """Whether a hardware encoder may be used."""

    never = "no"
    auto = "the first that opens, else the CPU"


class AudioMode(Enum):
    """Treatment of audio streams."""

    copy = "copied; encoded again only where the container cannot hold the codec"
    drop = "no audio"
    aac = "AAC"
    opus = "Opus"
    mp3 = "MP3"
    ac3 = "AC-3"
    flac = "FLAC, which loses nothing"

    def is_codec(self, codec: str) -> bool:
        """Return True when audio of a codec, by the name of FFmpeg's decoder, is as this mode wants it."""
        return codec.removeprefix("lib").removesuffix("float").removesuffix("_fixed") == self.name


@dataclass(frozen=True)
class SourceConfig:
    """Selection of streams in a file or camera."""

    video_stream: Annotated[
        int | None, "index of the video stream where a file has several; null: there is only one", between(0, 9999)
    ] = None
    max_pixels: Annotated[
        int | None, "largest picture that is decoded, as width x height; null: any", between(1, 1 << 32)
    ] = None
    threads: Annotated[int, "threads of the decoder; 0: it decides", between(0, 128)] = 0

    def __post_init__(self) -> None:
        validate(self, "source.")


@dataclass(frozen=True)
class EncodeConfig:
    """Encoding of video and audio, in ffmpeg's terms."""

    codec: Annotated[
        str,
        "h264, hevc, av1, vp9, ffv1, or an ffmpeg encoder; auto: HEVC and deep AV1, VP9 stay, else H.264",
        _CODEC,
    ] = "auto"
    hardware: Annotated[Hardware, "auto: the first hardware encoder that works; never: the CPU"] = Hardware.never
    crf: Annotated[
        int | None,
        "constant quality on the encoder's own scale, lower is better; null: 20 for H.264, 22 for HEVC, "
        "28 for VP9, AV1",
        between(0, 255),
    ] = None
    preset: Annotated[
        str | None,
        "the encoder's trade of time for size; null: veryfast for H.264, HEVC, cpu-used 5 for VP9, 10 for AV1",
        NOT_EMPTY,
    ] = None
    bitrate: Annotated[str | None, "bit rate, in place of constant quality", _BITRATE] = None
    format: Annotated[
        str | None, "container of an output to a pipe; null: by its file name extension, else matroska", _PIPE_FORMAT
    ] = None
    threads: Annotated[int, "threads of the encoder; 0: it decides", between(0, 128)] = 0
    audio: Annotated[
        AudioMode, "copy; drop: no audio; aac, opus, mp3, ac3, flac: encoded, unless it is that already"
    ] = AudioMode.copy

    def __post_init__(self) -> None:
        validate(self, "encode.")


@dataclass(frozen=True)
class KeepConfig:
    """Streams and tags that are copied unchanged because they are named; nobody searches them for persons or places."""

    streams: Annotated[Sequence[str], "streams to copy beside video and audio", _STREAMS] = ()
    tags: Annotated[Sequence[str], "metadata tags to copy, by name, in any case", _TAGS] = ()

    def __post_init__(self) -> None:
        validate(self, "keep.")


@dataclass(frozen=True)
class RtspConfig:
    """Connections to RTSP cameras and servers, over TCP."""

    open_timeout_s: Annotated[float, "seconds until the first packet", within("(0, 3600]")] = 10.0
    read_timeout_s: Annotated[float, "seconds between two packets before the source is lost", within("(0, 3600]")] = 5.0
    write_timeout_s: Annotated[float, "seconds for one packet before the target is lost", within("(0, 3600]")] = 5.0
    gop_s: Annotated[float, "seconds between key frames of a pushed stream", within("(0, 3600]")] = 2.0

    def __post_init__(self) -> None:
        validate(self, "rtsp.")
