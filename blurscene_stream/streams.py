"""Properties of a media file: its video stream, and the streams and metadata that are copied beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

from blurscene_stream.frames import PictureInfo

OWN_NETWORK_ID = 0xFFB5  # of our transport streams; for private use (ETSI TS 101 162, 5.2), libav's own is 0xFF01


class StreamType(Enum):
    """Media type of a copied stream; the values are the words of `--keep` where there is one."""

    audio = "audio"
    subtitle = "subtitles"
    data = "data"
    """Timed data, such as the positions of a camera."""
    attachment = "attachments"
    """Files without times: they have no packets."""


@dataclass(frozen=True, slots=True, eq=False)
class CopiedStream:
    """A stream that is copied packet by packet.

    type:        media type
    codec:       ffmpeg's name, such as "aac", or that of the format where ffmpeg has none, such as "camm"
    metadata:    the tags that are copied with it
    disposition: ffmpeg's flags (default, forced ...)
    native:      the stream as its source holds it; for the sink
    extradata:   of audio: what a decoder needs before the first packet, without comments; None when that is nothing.
                 Of an attachment: its content, written anew
    copyable:    of audio: its packets can be told from what else may be in them
    """

    type: StreamType
    codec: str
    metadata: Mapping[str, str]
    disposition: int
    native: Any = field(repr=False)
    extradata: bytes | None = field(default=None, repr=False)
    copyable: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class CopiedMetadata:
    """Metadata that is copied because it was asked for by name.

    container: tags of the file
    video:     tags of the video stream
    chapters:  as PyAV has them, without tags other than the title
    """

    container: Mapping[str, str] = field(default_factory=dict)
    video: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ColorMetadata:
    """ffmpeg's numbers for range, primaries, transfer and matrix; 0 or 2 where the source says nothing.

    mastering_display:   display on which HDR was graded: x, y of red, green, blue and white, then the least and
                         the most light, in cd/m2 (SMPTE ST 2086); None where the source says nothing
    content_light_level: the brightest pixel and the brightest picture on average, in cd/m2 (CTA-861.3); None
                         likewise
    """

    color_range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    mastering_display: tuple[Fraction, ...] | None = None
    content_light_level: tuple[int, int] | None = None


class FieldOrder(Enum):
    """Field order of an interlaced picture."""

    progressive = "one moment, no fields"
    top_first = "two moments: odd rows, counted from 1, show the first"
    bottom_first = "two moments: even rows show the first"
    single_field = "one moment and half of the rows: the next picture holds the other field"


@dataclass(frozen=True, slots=True, eq=False)
class StreamInfo:
    """Properties of a source that a sink needs before the first frame.

    name:                   the source in words that may be printed: no credentials
    picture:                the shape of every picture
    time_base:              seconds a tick of Frame.pts
    frame_rate:             average pictures a second; None when unknown
    frame_count:            pictures in all, as the container says; 0 when it does not
    duration_s:             seconds in all, as the container says; 0 when it does not
    live:                   a camera: it cannot wait, and its end is a loss
    copied_streams:         the audio, and other streams that were asked for
    metadata:               the tags and chapters that were asked for
    dropped:                what the source holds and the output will not, in words
    color:                  colour metadata
    display_matrix:         nine 32-bit integers of ffmpeg's display matrix; None when there is none
    field_order:            of the first picture
    container_field_order:  ffmpeg's number for what the container says; 0 when it says nothing
    stereo3d:               each picture holds one for each eye
    codec:                  ffmpeg's name of the codec of the pictures, whatever decodes them, such as "av1"
    """

    name: str
    picture: PictureInfo
    time_base: Fraction
    frame_rate: Fraction | None = None
    frame_count: int = 0
    duration_s: float = 0.0
    live: bool = False
    copied_streams: tuple[CopiedStream, ...] = ()
    metadata: CopiedMetadata = field(default_factory=CopiedMetadata)
    dropped: tuple[str, ...] = ()
    color: ColorMetadata = ColorMetadata()
    display_matrix: tuple[int, ...] | None = None
    field_order: FieldOrder = FieldOrder.progressive
    container_field_order: int = 0
    stereo3d: bool = False
    codec: str = ""
