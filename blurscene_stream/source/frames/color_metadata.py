"""Colour metadata of decoded frames: tags, HDR10 side data, and the matrix between YUV and RGB."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import cast

from av.video.frame import VideoFrame

from blurscene_stream.streams import ColorMetadata

BT709, BT601 = 1, 6  # AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M
RGB, UNSPECIFIED = 0, 2  # AVCOL_SPC_RGB, AVCOL_SPC_UNSPECIFIED
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
HD_LINES = 720  # untagged video this high is BT.709, as players assume


def color_metadata(decoded: VideoFrame, side_data: Mapping[str, bytes]) -> ColorMetadata:
    """Return the colour metadata of a frame, as it is tagged."""
    return ColorMetadata(
        decoded.color_range,
        decoded.color_primaries,
        decoded.color_trc,
        decoded.colorspace,
        _mastering_display(side_data.get("MASTERING_DISPLAY_METADATA")),
        _content_light_level(side_data.get("CONTENT_LIGHT_LEVEL")),
    )


def _mastering_display(data: bytes | None) -> tuple[Fraction, ...] | None:
    """Read AVMasteringDisplayMetadata: ten fractions, and whether the first eight and the last two are set."""
    if data is None:
        return None
    numbers = struct.unpack("=22i", data[:88])
    pairs = [(numbers[place], numbers[place + 1]) for place in range(0, 20, 2)]
    if not numbers[20] or not numbers[21] or not all(denominator for _, denominator in pairs):
        return None
    return tuple(Fraction(numerator, denominator) for numerator, denominator in pairs)


def _content_light_level(data: bytes | None) -> tuple[int, int] | None:
    """Read AVContentLightMetadata."""
    return None if data is None else cast("tuple[int, int]", struct.unpack("=2I", data[:8]))


def without_hdr(color: ColorMetadata) -> ColorMetadata:
    """Return the tags alone."""
    return replace(color, mastering_display=None, content_light_level=None)


def converted_color(color: ColorMetadata, decoded: VideoFrame) -> ColorMetadata:
    """Return the tags of a frame after its conversion to YUV: those of RGB and grey become others."""
    if decoded.format.is_rgb or decoded.format.has_palette:
        return replace(color, color_range=LIMITED_RANGE, matrix=rgb_matrix(UNSPECIFIED, decoded.height))
    return replace(color, color_range=LIMITED_RANGE) if len(decoded.format.components) < 3 else color


def rgb_matrix(tagged: int, height: int) -> int:
    """Return ffmpeg's number of the matrix between YUV and RGB: as tagged, else what players assume."""
    if tagged not in (RGB, UNSPECIFIED):
        return tagged
    return BT709 if height >= HD_LINES else BT601
