"""The items of a run: frames before and after redaction, copied packets, and the pixel formats of their planes.

`Frame` and `RedactedFrame` are different types on purpose: a sink takes only the second, and only
`blurscene_stream.redact` makes it (kept by tests/test_architecture.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import UPRIGHT, Detections, Orientation

Plane = NDArray[np.uint8] | NDArray[np.uint16]
ScaleToRgb = Callable[[int, int], NDArray[np.uint8]]
CHECKSUM_ROW_STEP = 16  # one of so many: 0.1 ms at 1080p


class ColorModel(Enum):
    """Components of the colour planes, in their order."""

    yuv = "luma, Cb, Cr"
    gbr = "green, blue, red, full range"
    gray = "luma alone, full range"


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Layout of the samples of a picture in its planes.

    name:         ffmpeg's name, such as "yuv420p"
    bits:         bits a sample: 8 in uint8 planes, 10 in the low bits of uint16 planes, 16
    shift_x:      chroma planes are 1 / 2**shift_x as wide as luma, rounded up
    shift_y:      likewise for the height
    interleaved:  chroma is one plane (h, w, 2) as in nv12, not two planes (h, w)
    full_range:   the format's own name says that luma spans 0..2**bits - 1 (yuvj420p and its kin)
    color_model:  components of the colour planes
    alpha:        one plane more, the last: 0 is transparent, 2**bits - 1 opaque
    """

    name: str
    bits: int
    shift_x: int
    shift_y: int
    interleaved: bool = False
    full_range: bool = False
    color_model: ColorModel = ColorModel.yuv
    alpha: bool = False

    @property
    def plane_count(self) -> int:
        """Count the planes."""
        colours = {ColorModel.yuv: 2 if self.interleaved else 3, ColorModel.gbr: 3, ColorModel.gray: 1}
        return colours[self.color_model] + self.alpha


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
        PixelFormat("gbrp", 8, 0, 0, full_range=True, color_model=ColorModel.gbr),
        PixelFormat("gbrap", 8, 0, 0, full_range=True, color_model=ColorModel.gbr, alpha=True),
        PixelFormat("gray", 8, 0, 0, full_range=True, color_model=ColorModel.gray),
        PixelFormat("ya8", 8, 0, 0, full_range=True, color_model=ColorModel.gray, alpha=True),
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
    color_matrix:         how YCbCr is made of RGB, a number of MatrixCoefficients (ITU-T H.273, table 4)
    """

    width: int
    height: int
    pixel_format: PixelFormat
    orientation: Orientation = UPRIGHT
    sample_aspect_ratio: Fraction = Fraction(1)
    full_range: bool = False
    color_matrix: int = 6


class ScanMode(Enum):
    """Thoroughness with which a detector scans a frame."""

    full = "all that detect.variants asks for, without rotations: auto"
    full_turned = "as full, and the same of the picture turned by 90, 180 and 270 degrees"
    only_turned = "the picture turned by 90, 180 and 270 degrees alone, at a part of its size: a quick check"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture that no detector has judged yet.

    number:    0, 1, 2 ... in the order of presentation
    pts:       presentation time in ticks of the stream's time base
    picture:   the shape of the planes
    planes:    views of the samples, (h, w) or, for interleaved chroma, (h, w, 2), in the order of `ColorModel`, alpha
               last; uint8, or uint16 above 8 bits; read-only where a decoder may need the memory for later pictures
    scale_rgb: (width, height) -> uint8 (height, width, 3), RGB, the whole stored picture at that size
    native:    the picture as its source holds it, over the same memory; for the sink
    own:       gives the picture memory of its own, where the decoder still holds it, and returns its planes, writable;
               None: they are so already
    scan_mode: how thoroughly a detector must scan it
    cut:       a new shot begins with it
    corrupt:   it was decoded from corrupt data and may not show what the camera saw: it is covered whole, whatever is
               found in it
    """

    number: int
    pts: int
    picture: PictureInfo
    planes: tuple[Plane, ...]
    scale_rgb: ScaleToRgb
    native: Any = field(repr=False)
    own: Callable[[], tuple[Plane, ...]] | None = field(default=None, repr=False)
    scan_mode: ScanMode = ScanMode.full
    cut: bool = False
    corrupt: bool = False

    def owned(self) -> "Frame":
        """Return the frame with planes that may be written.

        To be asked for as late as can be: a decoder lets go of nearly all pictures soon, and then nothing is copied.
        """
        return self if self.own is None else replace(self, planes=self.own(), own=None)

    @property
    def checksum(self) -> int:
        """Return the CRC-32 of some rows of the first plane: it tells two pictures apart, but not what they show."""
        return crc32(self.planes[0][::CHECKSUM_ROW_STEP].tobytes())


@dataclass(frozen=True, slots=True, eq=False)
class RedactedFrame:
    """One picture in which everything is covered that the detector found, as far as the settings' areas say so.

    Only `redact` makes it.

    number, pts, native: as in Frame
    detections:          what was found and covered, in stored pixels; no areas
    corrupt:             the picture was decoded from corrupt data, and all of it is covered
    checksum:            of the picture before anything was covered, see Frame
    """

    number: int
    pts: int
    detections: Detections
    native: Any = field(repr=False)
    corrupt: bool
    checksum: int


@dataclass(frozen=True, slots=True, eq=False)
class CopiedPacket:
    """A packet that is copied as it is: encoded audio, or data that was asked for by name.

    stream: index into StreamInfo.copied_streams
    native: the packet as its source holds it; for the sink
    """

    stream: int
    native: Any = field(repr=False)


SourceItem = Frame | CopiedPacket
"""Items that a source gives, in order."""
DetectedItem = tuple[Frame, Detections] | CopiedPacket
"""The same, with what must be covered in each frame."""
SinkItem = RedactedFrame | CopiedPacket
"""Items that a sink takes, in order."""
