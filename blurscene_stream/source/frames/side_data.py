"""Side data of decoded frames (SEI, display matrix, HDR metadata ...) by name, also where PyAV does not know all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import cast

from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame

MAX_KNOWN_TYPE = max(cast(int, kind.value) for kind in Type)
MAX_TYPE = MAX_KNOWN_TYPE + 16  # libav adds one or two a year: EXIF, the number of a view


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
