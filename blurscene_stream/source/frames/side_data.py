"""What stands beside the samples of a decoded picture, by name; PyAV reads none of it where it does not know all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import cast

from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame

KNOWN = max(cast(int, kind.value) for kind in Type)
MOST = KNOWN + 16  # libav adds one or two a year: EXIF, the number of a view


class SideDataReader:
    """Reads the side data of the pictures of one stream."""

    def __init__(self) -> None:
        self._graph: Graph | None = None  # most streams need none

    def __call__(self, decoded: VideoFrame) -> dict[str, bytes]:
        """The side data that PyAV knows, by its names; the last of each name."""
        return dict(self.pairs(decoded))

    def pairs(self, decoded: VideoFrame) -> list[tuple[str, bytes]]:
        """All of it that PyAV knows, each with its name."""
        try:
            return _named(decoded)
        except ValueError:  # such as "31 is not a valid Type": a picture of a camera, with EXIF
            if self._graph is None:
                self._graph = _known_alone(decoded)
            self._graph.push(decoded)
            return _named(cast(VideoFrame, self._graph.pull()))


def _named(decoded: VideoFrame) -> list[tuple[str, bytes]]:
    # `decoded.side_data` is kept by the picture and keeps the picture: a circle, which holds its megabytes until Python
    # looks for circles
    held = SideDataContainer(decoded)  # type: ignore[call-arg]  # PyAV's stub does not know of it
    return [(data.type.name, bytes(data)) for data in _every(held)]


def _every(held: SideDataContainer) -> Iterator[SideData]:
    """By position: iterating gives the data in PyAV 18, but the types in PyAV 19, each once."""
    with suppress(IndexError):
        for position in count():
            yield held[position]


def _known_alone(like: VideoFrame) -> Graph:
    """A chain of filters that takes away what PyAV does not know, number by number."""
    graph = Graph()
    last = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    for number in range(KNOWN + 1, MOST + 1):
        without = graph.add("sidedata", f"mode=delete:type={number}")
        last.link_to(without)
        last = without
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
