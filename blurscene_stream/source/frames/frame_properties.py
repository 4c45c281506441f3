"""Properties of decoded frames beside their samples: side data (SEI, display matrix, HDR), colour and field order.

PyAV exposes some of them only in part: the order of the fields, and side data of types that it does not know, are read
through filters of libav.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from typing import cast

import av
from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame

from blurscene_stream.streams import ColorMetadata, FieldOrder

BT709, BT601 = 1, 6  # AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M
RGB, UNSPECIFIED = 0, 2  # AVCOL_SPC_RGB, AVCOL_SPC_UNSPECIFIED
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
HD_LINES = 720  # untagged video this high is BT.709, as players assume
TOP_FIRST_NUMBERS, BOTTOM_FIRST_NUMBERS = (2, 4), (3, 5)  # AV_FIELD_TT, _TB; AV_FIELD_BB, _BT
UNKNOWN_NUMBERS = (0,)  # AV_FIELD_UNKNOWN
MAX_KNOWN_TYPE = max(cast(int, kind.value) for kind in Type)
MAX_TYPE = MAX_KNOWN_TYPE + 16  # libav adds one or two a year: EXIF, the number of a view
STEREO3D_2D = bytes(4)  # AV_STEREO3D_2D

# Side data that no encoder is given, because PyAV has no way to, with their names in messages.
DROPPED_SIDE_DATA = {
    "DOVI_METADATA": "Dolby Vision metadata",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "AMBIENT_VIEWING_ENVIRONMENT": "the light where the picture is to be seen",
    "ICC_PROFILE": "ICC profile",
    "SPHERICAL": "projection of a 360 degree video",
}


@dataclass(frozen=True, slots=True)
class FrameProperties:
    """Properties of a decoded frame beside its samples.

    The encoder is given those of the first frame; those of later ones are compared with them.

    display_matrix, color, field_order, stereo3d: as in StreamInfo
    dropped: descriptions of side data that no output will hold
    """

    display_matrix: tuple[int, ...] | None
    color: ColorMetadata
    field_order: FieldOrder
    stereo3d: bool
    dropped: tuple[str, ...] = ()


class FramePropertiesReader:
    """Reads the properties of the frames of one stream."""

    def __init__(self, codec: str) -> None:
        """`codec`: of the stream, ffmpeg's name."""
        self._field_order = FieldOrderReader(codec)
        self._side_data = SideDataReader()

    def __call__(self, decoded: VideoFrame) -> FrameProperties:
        """Return the properties of one frame."""
        side_data = self._side_data(decoded)
        matrix = side_data.get("DISPLAYMATRIX")
        return FrameProperties(
            display_matrix=None if matrix is None else struct.unpack("=9i", matrix[:36]),
            color=color_metadata(decoded, side_data),
            field_order=self._field_order(decoded),
            stereo3d="STEREO3D" in side_data and side_data["STEREO3D"][:4] != STEREO3D_2D,
            dropped=tuple(description for name, description in DROPPED_SIDE_DATA.items() if name in side_data),
        )


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


class FieldOrderReader:
    """Reads the field order of the frames of one stream."""

    def __init__(self, codec: str) -> None:
        """`codec`: of the stream, ffmpeg's name."""
        self._graph: Graph | None = None  # progressive video needs none
        self._codes_single_fields = codec == "hevc"  # H.265 codes fields as pictures; libav marks no others

    def __call__(self, decoded: VideoFrame) -> FieldOrder:
        """Return the field order of one frame."""
        if not decoded.interlaced_frame:
            return FieldOrder.progressive
        if self._codes_single_fields:
            return FieldOrder.single_field
        if self._graph is None:
            self._graph = _top_first_filter(decoded)
        self._graph.push(decoded)
        try:
            self._graph.pull()
        except av.error.BlockingIOError:
            return FieldOrder.bottom_first
        return FieldOrder.top_first


def _top_first_filter(like: VideoFrame) -> Graph:
    """Return a filter that passes only frames whose top field comes first."""
    graph = Graph()
    source = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    select, sink = graph.add("select", "eq(interlace_type,TOPFIRST)"), graph.add("buffersink")
    source.link_to(select)
    select.link_to(sink)
    graph.configure()
    return graph


def container_field_order(order: FieldOrder, stored: int) -> int:
    """Return ffmpeg's number of the field order, for containers.

    stored: the number that libav makes of the container or of the first bytes of the stream; for H.264 with the
            bottom field first it is wrong, so that the frames decide
    """
    numbers = {
        FieldOrder.top_first: TOP_FIRST_NUMBERS,
        FieldOrder.bottom_first: BOTTOM_FIRST_NUMBERS,
        FieldOrder.single_field: UNKNOWN_NUMBERS,
    }.get(order, (stored,))
    return stored if stored in numbers else numbers[0]


class SideDataReader:
    """Reads the side data of the frames of one stream."""

    def __init__(self) -> None:
        self._graph: Graph | None = None  # most streams need none

    def __call__(self, decoded: VideoFrame) -> dict[str, bytes]:
        """Return the side data that PyAV knows, by its names; the last of each name."""
        return dict(self.pairs(decoded))

    def pairs(self, decoded: VideoFrame) -> list[tuple[str, bytes]]:
        """Return all side data that PyAV knows, each with its name."""
        try:
            return _named(decoded)
        except ValueError:  # such as "31 is not a valid Type": a JPEG of a camera, with EXIF
            if self._graph is None:
                self._graph = _unknown_type_filter(decoded)
            self._graph.push(decoded)
            return _named(cast(VideoFrame, self._graph.pull()))


def _named(decoded: VideoFrame) -> list[tuple[str, bytes]]:
    # `decoded.side_data` is kept by the frame and keeps the frame: a reference cycle, which holds its megabytes until
    # the garbage collector runs
    held = SideDataContainer(decoded)  # type: ignore[call-arg]  # PyAV's stub does not know of it
    return [(data.type.name, bytes(data)) for data in _by_position(held)]


def _by_position(held: SideDataContainer) -> Iterator[SideData]:
    """Yield all side data: iterating gives the data in PyAV 18, but the types in PyAV 19, each once."""
    with suppress(IndexError):
        for position in count():
            yield held[position]


def _unknown_type_filter(like: VideoFrame) -> Graph:
    """Return a chain of filters that deletes the side data that PyAV does not know, type by type."""
    graph = Graph()
    last = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    for number in range(MAX_KNOWN_TYPE + 1, MAX_TYPE + 1):
        without = graph.add("sidedata", f"mode=delete:type={number}")
        last.link_to(without)
        last = without
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
