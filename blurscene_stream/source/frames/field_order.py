"""Field order of interlaced frames, read through a filter of libav because PyAV does not expose it."""

from __future__ import annotations

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from blurscene_stream.streams import FieldOrder

TOP_FIRST_NUMBERS, BOTTOM_FIRST_NUMBERS = (2, 4), (3, 5)  # AV_FIELD_TT, _TB; AV_FIELD_BB, _BT
UNKNOWN_NUMBERS = (0,)  # AV_FIELD_UNKNOWN


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
