"""Factory of frames: decoded AVFrames become planes, in a pixel format that redaction knows."""

import logging
from fractions import Fraction
from functools import partial

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
from blurscene_stream.source.frames.frame_properties import (
    FULL_RANGE,
    container_field_order,
    converted_color,
    rgb_matrix,
)
from blurscene_stream.source.frames.mid_stream_changes import ChangeDetector
from blurscene_stream.source.frames.timestamps import known_fraction

log = logging.getLogger(__name__)

# Other layouts of samples that one of PIXEL_FORMATS holds without loss.
LOSSLESS_CONVERSIONS = {"p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le", "nv21": "nv12"}


class FrameFactory:
    """Makes frames of one stream, all alike the first decoded one.

    picture: the shape of every frame
    dropped: descriptions of side data that no output will hold
    color, display_matrix, field_order, container_field_order, stereo3d: as in StreamInfo
    """

    def __init__(self, stream: VideoStream, first: VideoFrame, name: str) -> None:
        self._name = name
        self._changes = ChangeDetector(stream, first, name)
        properties = self._changes.first
        target = _target_format(first)
        if target.name != first.format.name and first.format.name not in LOSSLESS_CONVERSIONS:
            log.warning("%s: %s pictures are converted to %s", name, first.format.name, target.name)
        self.display_matrix, self.stereo3d = properties.display_matrix, properties.stereo3d
        self.field_order, self.dropped = properties.field_order, properties.dropped
        stored_order = getattr(stream.codec_context, "field_order", 0)  # PyAV 17 cannot read it: the frames decide
        self.container_field_order = container_field_order(self.field_order, stored_order)
        self.color = converted_color(properties.color, first)
        ratio = stream.sample_aspect_ratio
        self.picture = PictureInfo(
            width=first.width,
            height=first.height,
            pixel_format=target,
            orientation=orientation_from_matrix(self.display_matrix),
            sample_aspect_ratio=known_fraction(ratio) or Fraction(1),
            full_range=target.full_range or self.color.color_range == FULL_RANGE,
            color_matrix=rgb_matrix(self.color.matrix, first.height),
        )
        self._scaler = Scaler(self.picture.color_matrix)
        self._converter = VideoReformatter()

    def make(self, decoded: VideoFrame, number: int, pts: int, corrupt: bool = False) -> Frame:
        """Return the frame of that number made of a decoded one.

        corrupt: as in Frame

        Raises CorruptInputError when it is not like the first one, SourceError when it cannot be read as planes.
        """
        self._changes.check(decoded, number)
        try:
            return self._wrap(decoded, number, pts, corrupt)
        except (av.error.FFmpegError, ValueError) as error:
            raise SourceError(
                f"{self._name}: {decoded.format.name} pictures cannot be read: {reason(error)}; convert the video first"
            ) from error

    def _wrap(self, decoded: VideoFrame, number: int, pts: int, corrupt: bool) -> Frame:
        if decoded.format.name != self.picture.pixel_format.name:
            target, matrix = self.picture.pixel_format.name, self.picture.color_matrix
            decoded = self._converter.reformat(decoded, format=target, dst_colorspace=matrix, threads=1)
        planes = plane_views(decoded, self.picture.pixel_format)
        for plane in planes:
            plane.flags.writeable = False  # it may be one of the decoder's reference pictures
        own = partial(_own_planes, decoded, self.picture.pixel_format)
        return Frame(number, pts, self.picture, planes, partial(self._scaler, decoded), decoded, own, corrupt=corrupt)


def _own_planes(decoded: VideoFrame, pixel_format: PixelFormat) -> tuple[Plane, ...]:
    decoded.make_writable()  # copies what the decoder, or anybody else, still refers to
    return plane_views(decoded, pixel_format)


def plane_views(decoded: VideoFrame, pixel_format: PixelFormat) -> tuple[Plane, ...]:
    """Return writable views of the samples of a decoded frame, as Frame.planes describes them.

    Raises ValueError for a frame that is stored upside down in memory.
    """
    if any(plane.line_size <= 0 for plane in decoded.planes):
        raise ValueError("the rows are in the wrong order")
    return tuple(_plane_view(plane, pixel_format, number) for number, plane in enumerate(decoded.planes))


def _plane_view(plane: VideoPlane, pixel_format: PixelFormat, number: int) -> Plane:
    memory = memoryview(plane)
    samples: Plane = np.frombuffer(memory, np.uint16) if pixel_format.bits > 8 else np.frombuffer(memory, np.uint8)
    rows = samples.reshape(-1, plane.line_size // samples.itemsize)[: plane.height]
    if pixel_format.interleaved and number == 1:
        return rows[:, : 2 * plane.width].reshape(plane.height, plane.width, 2)
    return rows[:, : plane.width]


class Scaler:
    """Scales frames of one shape to RGB, with one SwsContext for each step.

    Another size is made in 4:2:0, and then converted: swscale does each of the two with vector instructions, but not
    both at once (measured, 1080p to 720p: 2.5 ms in place of 6.4). The chroma of the result is a little coarser.
    """

    def __init__(self, matrix: int) -> None:
        self._resizer, self._converter = VideoReformatter(), VideoReformatter()
        self._matrix = matrix

    def __call__(self, decoded: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """See `Frame.scale_rgb`."""
        matrix = self._matrix
        if (decoded.width, decoded.height) != (width, height):
            decoded = self._resizer.reformat(
                decoded, width, height, "yuv420p", src_colorspace=matrix, dst_colorspace=matrix, threads=1
            )
        rgb = self._converter.reformat(decoded, format="rgb24", src_colorspace=matrix, threads=1)
        return rgb.to_ndarray()  # type: ignore[return-value]  # rgb24 is uint8


def orientation_from_matrix(matrix: tuple[int, ...] | None) -> Orientation:
    """Return how a display matrix turns a stored picture (ISO/IEC 14496-12, 6.2.2; libavutil/display.h).

    A point goes to x' = a x + c y, y' = b x + d y; rotations by other than quarter turns go to the nearest one.
    """
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(transposed=False, flip_x=a < 0, flip_y=d < 0)
    return Orientation(transposed=True, flip_x=c < 0, flip_y=b < 0)


def _target_format(decoded: VideoFrame) -> PixelFormat:
    """Return the pixel format to work in: the frame's own, or the one that loses least."""
    source = decoded.format
    name = LOSSLESS_CONVERSIONS.get(source.name, source.name)
    if name in PIXEL_FORMATS:
        return PIXEL_FORMATS[name]
    if source.is_rgb or source.has_palette or len(source.components) == 0:
        return PIXEL_FORMATS["yuv444p"]
    luma_width, luma_height = 1 << 12, 1 << 12
    narrow = source.chroma_width(luma_width) < luma_width
    low = source.chroma_height(luma_height) < luma_height
    sampling = "420" if low or len(source.components) < 3 else "422" if narrow else "444"
    deep = max(component.bits for component in source.components) > 8
    return PIXEL_FORMATS[f"yuv{sampling}p" + ("10le" if deep else "")]
