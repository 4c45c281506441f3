"""Pictures that are made of two fields: which encoders code them so, and the mark that they look for."""

from __future__ import annotations

from av.codec.context import Flags
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.streams import FieldOrder

OF_FIELDS = ("libx264", "ffv1")  # encoders whose pictures say that they are made of two fields
MODES = {FieldOrder.top_first: "tff", FieldOrder.bottom_first: "bff"}


def codes_fields(stream: VideoStream) -> bool:
    """Does the encoder code pictures as two fields? x264 does where each has whole rows of chroma."""
    encoder = stream.codec_context.name
    if encoder not in OF_FIELDS:
        return False
    chroma_is_low = stream.format.chroma_height(4) < 4
    return encoder != "libx264" or stream.height % (4 if chroma_is_low else 2) == 0


class FieldMarker:
    """Marks every picture as the first one was.

    x264 goes by the newest mark, also for pictures that it still holds: of a video that mixes marks, it would say
    of some pictures what holds for others.
    """

    def __init__(self, stream: VideoStream, fields: FieldOrder) -> None:
        """`stream` is told to code fields, where it can and there are any."""
        self._mode = MODES.get(fields) if codes_fields(stream) else None
        self._graph: Graph | None = None
        if self._mode is not None:
            stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me

    def __call__(self, picture: VideoFrame) -> VideoFrame:
        """The same picture with the mark; PyAV cannot set it, one of libav's filters can."""
        if self._mode is None:
            return picture
        if self._graph is None:
            self._graph = _marking(picture, self._mode)
        self._graph.push(picture)
        marked = self._graph.pull()
        assert isinstance(marked, VideoFrame)
        return marked


def _marking(like: VideoFrame, mode: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    marker, sink = graph.add("setfield", mode), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()
    return graph
