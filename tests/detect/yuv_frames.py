"""Frames with planes of any video format, made of pictures as a source makes them."""

from __future__ import annotations

from functools import partial

import av
from av.video.reformatter import ColorRange

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo
from blurscene_stream.source.frames.frame_factory import Scaler, plane_views
from tests.detect.pictures import Picture


def yuv_frame(
    stored: Picture,
    pixel_format: str = "yuv420p",
    orientation: Orientation = UPRIGHT,
    number: int = 0,
    full_range: bool = False,
    matrix: int = 1,
) -> Frame:
    """A frame whose stored picture is `stored`, RGB."""
    color_range = ColorRange.JPEG if full_range else ColorRange.MPEG
    decoded = av.VideoFrame.from_ndarray(stored, "rgb24").reformat(
        format=pixel_format,
        dst_colorspace=matrix,
        dst_color_range=color_range,
        threads=1,  # with more of them swscale gives now and then other colours
    )
    height, width = stored.shape[:2]
    known = PIXEL_FORMATS[pixel_format]
    picture = PictureInfo(width, height, known, orientation, full_range=full_range, color_matrix=matrix)
    return Frame(number, number, picture, plane_views(decoded, known), partial(Scaler(matrix), decoded), decoded)
