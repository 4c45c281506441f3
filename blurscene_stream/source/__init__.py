"""An address becomes items: frames, and between them the packets that are copied."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RtspConfig
from blurscene_stream.source.clock import FileClock, LiveClock
from blurscene_stream.source.damage import Decoded
from blurscene_stream.source.file import open_file, read_file
from blurscene_stream.source.live import LiveReader, open_live
from blurscene_stream.source.pipe import STANDARD_INPUT, PipeReader, is_pipe, open_pipe, read_pipe
from blurscene_stream.source.stream import Source, exact
from blurscene_stream.source.streams import Selection, select

__all__ = ["Source", "open_source"]


def open_source(address: Address, settings: RtspConfig) -> Source:
    """Open a file, a pipe or a camera and decode its first picture.

    Raises SourceError when it cannot be opened or holds no video, DamagedInputError when it is cut short,
    SourceLostError when a camera does not answer.
    """
    path = STANDARD_INPUT if address.piped else address.path
    if not address.live and is_pipe(path):
        return _pipe(path)
    container = open_live(address, settings) if address.live else open_file(path)
    try:
        return _live(address, container, settings) if address.live else _file(path, container)
    except BaseException:
        container.close()
        raise


def _pipe(path: Path) -> Source:
    reader = PipeReader(path)
    try:
        container = open_pipe(reader, path)
        streams = select(container, str(path))
        source = _recorded(container, streams, read_pipe(container, streams, path, reader))
    except BaseException:
        reader.close()
        raise
    source.stop = reader.stop
    return source


def _file(path: Path, container: av.container.InputContainer) -> Source:
    streams = select(container, str(path))
    return _recorded(container, streams, read_file(container, streams, path))


def _recorded(
    container: av.container.InputContainer, streams: Selection, events: Generator[Decoded | Packet[Stream]]
) -> Source:
    video = streams.video
    video.thread_type = "AUTO"
    rate = exact(video.average_rate or video.guessed_rate)
    clock = FileClock(streams.name, exact(video.time_base) or Fraction(1), rate)
    return Source(container, streams, events, clock, live=False)


def _live(address: Address, container: av.container.InputContainer, settings: RtspConfig) -> Source:
    streams = select(container, str(address))
    streams.video.thread_type = "SLICE"  # threads for whole frames would hold each one back
    # a camera that is joined between two key frames shows nothing for a while
    reader = LiveReader(container, streams, settings.open_timeout_s + settings.read_timeout_s)
    source = Source(container, streams, reader.read(), LiveClock(), live=True)
    source.stop, source.damaged = reader.stop, lambda: reader.damaged
    return source
