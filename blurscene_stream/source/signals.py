"""What a decoded picture says of itself beside its samples: turn, colour, light, and the fields it is made of."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from blurscene_stream.source.frames.side_data import SideDataReader
from blurscene_stream.streams import ColorMetadata, FieldOrder

BT709, BT601 = 1, 6  # AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M
RGB, UNSPECIFIED = 0, 2  # AVCOL_SPC_RGB, AVCOL_SPC_UNSPECIFIED
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
HD_LINES = 720  # untagged video this high is BT.709, as players assume
FLAT = bytes(4)  # AV_STEREO3D_2D
TOP_ORDERS, BOTTOM_ORDERS = (2, 4), (3, 5)  # AV_FIELD_TT, _TB; AV_FIELD_BB, _BT

# What no encoder is told, because PyAV has no way to: the name of the side data, in words.
LOST = {
    "DOVI_METADATA": "Dolby Vision metadata",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "AMBIENT_VIEWING_ENVIRONMENT": "the light where the picture is to be seen",
    "ICC_PROFILE": "ICC profile",
    "SPHERICAL": "projection of a 360 degree video",
}


@dataclass(frozen=True, slots=True)
class Signals:
    """What the first picture says is told to the encoder; what a later one says is compared with it.

    display_matrix: as in StreamInfo
    colour:         the picture's own tags
    fields:         as in StreamInfo
    two_views:      as in StreamInfo
    lost:           what it says and no output will, in words
    """

    display_matrix: tuple[int, ...] | None
    colour: ColorMetadata
    fields: FieldOrder
    two_views: bool
    lost: tuple[str, ...] = ()


class SignalReader:
    """Reads what the pictures of one stream say of themselves."""

    def __init__(self, codec: str) -> None:
        """`codec`: of the stream, ffmpeg's name."""
        self._fields = _FieldReader(codec)
        self._side_data = SideDataReader()

    def __call__(self, decoded: VideoFrame) -> Signals:
        """What one decoded picture says."""
        held = self._side_data(decoded)
        matrix = held.get("DISPLAYMATRIX")
        return Signals(
            None if matrix is None else struct.unpack("=9i", matrix[:36]),
            ColorMetadata(
                decoded.color_range,
                decoded.color_primaries,
                decoded.color_trc,
                decoded.colorspace,
                _mastering(held.get("MASTERING_DISPLAY_METADATA")),
                _light(held.get("CONTENT_LIGHT_LEVEL")),
            ),
            self._fields(decoded),
            "STEREO3D" in held and held["STEREO3D"][:4] != FLAT,
            tuple(words for name, words in LOST.items() if name in held),
        )


class _FieldReader:
    """Tells which field of a picture comes first: PyAV does not, but one of libav's filters does."""

    def __init__(self, codec: str) -> None:
        self._graph: Graph | None = None  # progressive video needs none
        self._single = codec == "hevc"  # H.265 codes fields as pictures; libav marks no others

    def __call__(self, decoded: VideoFrame) -> FieldOrder:
        if not decoded.interlaced_frame:
            return FieldOrder.progressive
        if self._single:
            return FieldOrder.single_field
        if self._graph is None:
            self._graph = _top_first_alone(decoded)
        self._graph.push(decoded)
        try:
            self._graph.pull()
        except av.error.BlockingIOError:
            return FieldOrder.bottom_first
        return FieldOrder.top_first


def _top_first_alone(like: VideoFrame) -> Graph:
    """A filter that lets only pictures pass whose top field comes first."""
    graph = Graph()
    source = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    chosen, sink = graph.add("select", "eq(interlace_type,TOPFIRST)"), graph.add("buffersink")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    return graph


def _mastering(data: bytes | None) -> tuple[Fraction, ...] | None:
    """ffmpeg's AVMasteringDisplayMetadata: ten fractions, and whether the eight and the two at the end are set."""
    if data is None:
        return None
    numbers = struct.unpack("=22i", data[:88])
    pairs = [(numbers[place], numbers[place + 1]) for place in range(0, 20, 2)]
    if not numbers[20] or not numbers[21] or not all(below for _, below in pairs):
        return None
    return tuple(Fraction(above, below) for above, below in pairs)


def _light(data: bytes | None) -> tuple[int, int] | None:
    """ffmpeg's AVContentLightMetadata."""
    return None if data is None else cast("tuple[int, int]", struct.unpack("=2I", data[:8]))


def order_of(fields: FieldOrder, told: int) -> int:
    """ffmpeg's number of the field order, for containers.

    told: the number that libav makes of the container or of the first bytes of the stream; for H.264 with the
          bottom field first it is wrong, so that the pictures decide
    """
    agreeing = {FieldOrder.top_first: TOP_ORDERS, FieldOrder.bottom_first: BOTTOM_ORDERS, FieldOrder.single_field: (0,)}
    orders = agreeing.get(fields, (told,))
    return told if told in orders else orders[0]


def converted(colour: ColorMetadata, decoded: VideoFrame) -> ColorMetadata:
    """The tags of a picture whose samples must be converted: RGB and grey have others in YUV."""
    if decoded.format.is_rgb or decoded.format.has_palette:
        return replace(colour, color_range=LIMITED_RANGE, matrix=matrix_of(UNSPECIFIED, decoded.height))
    return replace(colour, color_range=LIMITED_RANGE) if len(decoded.format.components) < 3 else colour


def matrix_of(tagged: int, height: int) -> int:
    """The matrix between YUV and RGB: as tagged, else what players assume."""
    if tagged not in (RGB, UNSPECIFIED):
        return tagged
    return BT709 if height >= HD_LINES else BT601
