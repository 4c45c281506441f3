"""Decoded pictures become frames: planes that may be written, in a format that redaction knows."""

import logging
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.errors import SourceError, reason
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo, PixelFormat, Plane
from blurscene_stream.source.changes import Constancy
from blurscene_stream.source.rationals import known_fraction
from blurscene_stream.source.signals import FULL_RANGE, converted, matrix_of, order_of

log = logging.getLogger(__name__)

# Other names for samples that one of PIXEL_FORMATS holds without loss.
LOSSLESS = {"p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le", "nv21": "nv12"}


class PictureMaker:
    """Makes frames of one stream; the first decoded picture tells what all must look like.

    Raises SourceError when the pictures cannot be read as planes.
    """

    def __init__(self, stream: VideoStream, first: VideoFrame, name: str) -> None:
        self._name = name
        self._constancy = Constancy(stream, first, name)
        said = self._constancy.first
        target = _target_format(first)
        if target.name != first.format.name and first.format.name not in LOSSLESS:
            log.warning("%s: %s pictures are converted to %s", name, first.format.name, target.name)
        self.display_matrix, self.two_views, self.lost = said.display_matrix, said.two_views, said.lost
        order = getattr(stream.codec_context, "field_order", 0)  # PyAV 17 cannot read it: the pictures decide
        self.fields, self.field_order = said.fields, order_of(said.fields, order)
        self.colour = converted(said.colour, first)
        ratio = stream.sample_aspect_ratio
        self.picture = PictureInfo(
            width=first.width,
            height=first.height,
            pixel_format=target,
            orientation=orientation_of(self.display_matrix),
            sample_aspect_ratio=known_fraction(ratio) or Fraction(1),
            full_range=target.full_range or self.colour.color_range == FULL_RANGE,
        )
        self._scaler = _Scaler(matrix_of(self.colour.matrix, first.height))
        self._converter = VideoReformatter()

    def frame(self, decoded: VideoFrame, number: int, pts: int) -> Frame:
        """Wrap a decoded picture.

        Raises CorruptInputError when it is not like the first one, SourceError when it cannot be read as planes.
        """
        self._constancy.check(decoded, number)
        try:
            return self._wrap(decoded, number, pts)
        except (av.error.FFmpegError, ValueError) as error:
            raise SourceError(
                f"{self._name}: {decoded.format.name} pictures cannot be read: {reason(error)}; convert the video first"
            ) from error

    def _wrap(self, decoded: VideoFrame, number: int, pts: int) -> Frame:
        if decoded.format.name != self.picture.pixel_format.name:
            target, matrix = self.picture.pixel_format.name, matrix_of(self.colour.matrix, decoded.height)
            decoded = self._converter.reformat(decoded, format=target, dst_colorspace=matrix, threads=1)
        decoded.make_writable()  # else the decoder's own reference pictures would be written to
        planes = planes_of(decoded, self.picture.pixel_format)
        return Frame(number, pts, self.picture, planes, _Scaled(decoded, self._scaler), decoded)


def planes_of(decoded: VideoFrame, form: PixelFormat) -> tuple[Plane, ...]:
    """Writable views of a picture's samples, as Frame.planes describes them.

    Raises ValueError for a picture that is stored upside down in memory.
    """
    if any(plane.line_size <= 0 for plane in decoded.planes):
        raise ValueError("the rows are in the wrong order")
    return tuple(_view(plane, form, number) for number, plane in enumerate(decoded.planes))


def _view(plane: VideoPlane, form: PixelFormat, number: int) -> Plane:
    memory = memoryview(plane)
    samples: Plane = np.frombuffer(memory, np.uint16) if form.bits > 8 else np.frombuffer(memory, np.uint8)
    rows = samples.reshape(-1, plane.line_size // samples.itemsize)[: plane.height]
    if form.interleaved and number == 1:
        return rows[:, : 2 * plane.width].reshape(plane.height, plane.width, 2)
    return rows[:, : plane.width]


class _Scaler:
    """Scales pictures of one shape to RGB; one context is kept for all of them."""

    def __init__(self, matrix: int) -> None:
        self._reformatter = VideoReformatter()
        self._matrix = matrix

    def __call__(self, decoded: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        scaled = self._reformatter.reformat(
            decoded, width=width, height=height, format="rgb24", src_colorspace=self._matrix, threads=1
        )
        return scaled.to_ndarray()  # type: ignore[return-value]  # rgb24 is uint8


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Frame.scale_rgb of one picture."""

    decoded: VideoFrame
    scaler: _Scaler

    def __call__(self, width: int, height: int) -> NDArray[np.uint8]:
        return self.scaler(self.decoded, width, height)


def orientation_of(matrix: tuple[int, ...] | None) -> Orientation:
    """What a display matrix does to a stored picture (ISO/IEC 14496-12, 6.2.2; libavutil/display.h).

    A point goes to x' = a x + c y, y' = b x + d y; turns by other than quarters go to the nearest quarter.
    """
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(transposed=False, flip_x=a < 0, flip_y=d < 0)
    return Orientation(transposed=True, flip_x=c < 0, flip_y=b < 0)


def _target_format(decoded: VideoFrame) -> PixelFormat:
    """The format to work in: the picture's own, or the one that loses least."""
    form = decoded.format
    name = LOSSLESS.get(form.name, form.name)
    if name in PIXEL_FORMATS:
        return PIXEL_FORMATS[name]
    if form.is_rgb or form.has_palette or len(form.components) == 0:
        return PIXEL_FORMATS["yuv444p"]
    luma_width, luma_height = 1 << 12, 1 << 12
    narrow = form.chroma_width(luma_width) < luma_width
    low = form.chroma_height(luma_height) < luma_height
    sampling = "420" if low or len(form.components) < 3 else "422" if narrow else "444"
    deep = max(component.bits for component in form.components) > 8
    return PIXEL_FORMATS[f"yuv{sampling}p" + ("10le" if deep else "")]
