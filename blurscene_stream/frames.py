"""What travels between the rooms: frames before and after redaction, copied packets, facts about a stream.

`Frame` and `RedactedFrame` are different types on purpose: a sink takes only the second, and only
`blurscene_stream.redact` makes it (kept by tests/test_architecture.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import UPRIGHT, Detections, Orientation
from blurscene_stream.carried import KeptTags, Track

Plane = NDArray[np.uint8] | NDArray[np.uint16]
ScaleToRgb = Callable[[int, int], NDArray[np.uint8]]
CHECKED_ROWS = 16  # one of so many: 0.1 ms at 1080p


class Model(Enum):
    """What the colour planes hold, in their order."""

    yuv = "luma, Cb, Cr"
    gbr = "green, blue, red, full range"
    grey = "luma alone, full range"


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the samples of a picture lie in its planes.

    name:         ffmpeg's name, such as "yuv420p"
    bits:         bits a sample: 8 in uint8 planes, 10 in the low bits of uint16 planes, 16
    shift_x:      chroma planes are 1 / 2**shift_x as wide as luma, rounded up
    shift_y:      likewise for the height
    interleaved:  chroma is one plane (h, w, 2) as in nv12, not two planes (h, w)
    full_range:   the format's own name says that luma spans 0..2**bits - 1 (yuvj420p and its kin)
    model:        what the colour planes hold
    alpha:        one plane more, the last: 0 is transparent, 2**bits - 1 opaque
    """

    name: str
    bits: int
    shift_x: int
    shift_y: int
    interleaved: bool = False
    full_range: bool = False
    model: Model = Model.yuv
    alpha: bool = False

    @property
    def plane_count(self) -> int:
        """How many planes there are."""
        colours = {Model.yuv: 2 if self.interleaved else 3, Model.gbr: 3, Model.grey: 1}
        return colours[self.model] + self.alpha


PIXEL_FORMATS = {
    made.name: made
    for made in (
        PixelFormat("yuv420p", 8, 1, 1),
        PixelFormat("yuv422p", 8, 1, 0),
        PixelFormat("yuv444p", 8, 0, 0),
        PixelFormat("yuvj420p", 8, 1, 1, full_range=True),
        PixelFormat("yuvj422p", 8, 1, 0, full_range=True),
        PixelFormat("yuvj444p", 8, 0, 0, full_range=True),
        PixelFormat("nv12", 8, 1, 1, interleaved=True),
        PixelFormat("yuv420p10le", 10, 1, 1),
        PixelFormat("yuv422p10le", 10, 1, 0),
        PixelFormat("yuv444p10le", 10, 0, 0),
    )
}
"""The formats of video whose planes are redacted as they are; a source converts anything else to one of them."""

PICTURE_FORMATS = {
    made.name: made
    for made in (
        PixelFormat("gbrp", 8, 0, 0, full_range=True, model=Model.gbr),
        PixelFormat("gbrap", 8, 0, 0, full_range=True, model=Model.gbr, alpha=True),
        PixelFormat("gray", 8, 0, 0, full_range=True, model=Model.grey),
        PixelFormat("ya8", 8, 0, 0, full_range=True, model=Model.grey, alpha=True),
        PixelFormat("gbrp16le", 16, 0, 0, full_range=True, model=Model.gbr),
        PixelFormat("gbrap16le", 16, 0, 0, full_range=True, model=Model.gbr, alpha=True),
        PixelFormat("gray16le", 16, 0, 0, full_range=True, model=Model.grey),
        PixelFormat("ya16le", 16, 0, 0, full_range=True, model=Model.grey, alpha=True),
    )
}
"""The formats of single pictures: what a file holds is redacted without a detour through YUV."""


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """The shape of every picture of a stream.

    width, height:        pixels as stored
    pixel_format:         one of PIXEL_FORMATS, of PICTURE_FORMATS for a single picture
    orientation:          how the stored picture is turned to stand upright
    sample_aspect_ratio:  width of a pixel / its height; 1 when the source says nothing
    full_range:           luma spans 0..2**bits - 1, not the limited range
    """

    width: int
    height: int
    pixel_format: PixelFormat
    orientation: Orientation = UPRIGHT
    sample_aspect_ratio: Fraction = Fraction(1)
    full_range: bool = False


class Look(Enum):
    """How thoroughly a detector looks at a frame."""

    full = "all that detect.variants asks for"
    small = "the whole picture, detect.between_scale times as large"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture that nobody has judged yet.

    number:    0, 1, 2 ... in the order of presentation
    pts:       presentation time in ticks of the stream's time base
    picture:   the shape of the planes
    planes:    writable views of the samples, (h, w) or, for interleaved chroma, (h, w, 2), in the order of
               `Model`, alpha last; uint8, or uint16 above 8 bits; they are this frame's own, the decoder has no part
               in them
    scale_rgb: (width, height) -> uint8 (height, width, 3), RGB, the whole stored picture at that size
    native:    the picture as its source holds it, over the same memory; for the sink
    look:      how a detector must look at it
    damaged:   it may not show what the camera saw: it is covered whole, whatever is found in it
    """

    number: int
    pts: int
    picture: PictureInfo
    planes: tuple[Plane, ...]
    scale_rgb: ScaleToRgb
    native: Any = field(repr=False)
    look: Look = Look.full
    damaged: bool = False

    @property
    def checksum(self) -> int:
        """CRC-32 of some rows of the first plane: tells this picture from another one, and nothing of what it shows."""
        return crc32(self.planes[0][::CHECKED_ROWS].tobytes())


@dataclass(frozen=True, slots=True, eq=False)
class RedactedFrame:
    """One picture in which everything is covered that the detector found, as far as the settings' areas say so.

    Only `redact` makes it.

    number, pts, native: as in Frame
    detections:          what was found and covered, in stored pixels; no areas
    damaged:             the picture is damaged, and all of it is covered
    checksum:            of the picture before anything was covered, see Frame
    """

    number: int
    pts: int
    detections: Detections
    native: Any = field(repr=False)
    damaged: bool
    checksum: int


@dataclass(frozen=True, slots=True, eq=False)
class CopiedPacket:
    """A packet that passes as it is: encoded sound, or what was asked for by name.

    track:  index into StreamInfo.tracks
    native: the packet as its source holds it; for the sink
    """

    track: int
    native: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class ColourTags:
    """ffmpeg's numbers for range, primaries, transfer and matrix; 0 or 2 where the source says nothing.

    mastering: the display on which HDR was graded: x, y of red, green, blue and white, then the least and the
               most light, in cd/m2 (SMPTE ST 2086); None where the source says nothing
    light:     the brightest pixel and the brightest picture on average, in cd/m2 (CTA-861.3); None likewise
    """

    color_range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    mastering: tuple[Fraction, ...] | None = None
    light: tuple[int, int] | None = None


class Fields(Enum):
    """Of what moments a picture is made."""

    none = "of one"
    top_first = "of two: odd rows, counted from 1, show the first"
    bottom_first = "of two: even rows show the first"
    single = "of one, and half of the rows: the next picture shows the other half"


@dataclass(frozen=True, slots=True, eq=False)
class StreamInfo:
    """What a sink must know of a source before the first frame.

    name:         the source in words that may be printed: no credentials
    picture:      the shape of every picture
    time_base:    seconds a tick of Frame.pts
    frame_rate:   average pictures a second; None when unknown
    frame_count:  pictures in all, as the container says; 0 when it does not
    duration_s:   seconds in all, as the container says; 0 when it does not
    live:         a camera: it cannot wait, and its end is a loss
    tracks:       the sound, and other tracks that were asked for
    kept:         the tags and chapters that were asked for
    dropped:      what the source holds and the output will not, in words
    colour:       colour tags
    display_matrix: nine 32-bit integers of ffmpeg's display matrix; None when there is none
    fields:       what the first picture says
    field_order:  ffmpeg's number for what the container says of it; 0 when it says nothing
    two_views:    each picture holds one for each eye
    codec:        ffmpeg's name of the codec of the pictures, whatever decodes them, such as "av1"
    """

    name: str
    picture: PictureInfo
    time_base: Fraction
    frame_rate: Fraction | None = None
    frame_count: int = 0
    duration_s: float = 0.0
    live: bool = False
    tracks: tuple[Track, ...] = ()
    kept: KeptTags = field(default_factory=KeptTags)
    dropped: tuple[str, ...] = ()
    colour: ColourTags = ColourTags()
    display_matrix: tuple[int, ...] | None = None
    fields: Fields = Fields.none
    field_order: int = 0
    two_views: bool = False
    codec: str = ""
