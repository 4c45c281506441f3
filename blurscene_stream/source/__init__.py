"""An address becomes items: frames, and between them the packets that are copied."""

from __future__ import annotations

import logging
import struct
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.source.clock import FileClock, LiveClock
from blurscene_stream.source.container.mp4_atoms import clean_aperture, is_mp4, sample_formats
from blurscene_stream.source.container.opening import open_file
from blurscene_stream.source.container.stream_selection import Selection, select_streams
from blurscene_stream.source.file import read_file
from blurscene_stream.source.frames.corruption import DecodedFrame
from blurscene_stream.source.live import LiveReader, open_live
from blurscene_stream.source.pipe import STANDARD_INPUT, PipeReader, is_pipe, open_pipe, read_pipe
from blurscene_stream.source.rationals import known_fraction
from blurscene_stream.source.stream import Source

__all__ = ["Source", "open_source"]

log = logging.getLogger(__name__)


def open_source(address: Address, settings: Settings) -> Source:
    """Open a file, a pipe or a camera and decode its first picture.

    settings: say which streams of it are wanted, and how long to wait for a camera
    Raises SourceError when it cannot be opened or holds no video, CorruptInputError when it is cut short,
    SourceLostError when a camera does not answer, ConfigError when the video that is wanted is not there, UsageError
    for a camera of which more is to be kept than video and sound.
    """
    if address.live:
        return _live(address, settings)
    path = STANDARD_INPUT if address.piped else address.path
    return _pipe(path, settings) if is_pipe(path) else _file(path, settings)


def _file(path: Path, settings: Settings) -> Source:
    container = open_file(path)
    try:
        streams = select_streams(container, str(path), settings, sample_formats(path, container.format.name))
        if is_mp4(container.format.name):
            _warn_if_cropped(streams.video, path)
        return _recorded(container, streams, read_file(container, streams, path))
    except BaseException:
        container.close()
        raise


def _warn_if_cropped(video: VideoStream, path: Path) -> None:
    """Log when an MP4 shows less than the whole picture: libav decodes all of it."""
    try:
        shown = clean_aperture(path, video.id)
    except (OSError, struct.error, IndexError, ZeroDivisionError):  # nothing that a player could follow
        return
    if shown is not None and shown != (video.width, video.height):
        log.warning(
            "%s: players show %gx%g of its %dx%d pixels; the output shows all of them",
            path,
            *shown,
            video.width,
            video.height,
        )


def _pipe(path: Path, settings: Settings) -> Source:
    reader = PipeReader(path)
    try:
        container = open_pipe(reader, path)
        streams = select_streams(container, str(path), settings)
        source = _recorded(container, streams, read_pipe(container, streams, path, reader))
    except BaseException:
        reader.close()
        raise
    source.stop = reader.stop
    return source


def _recorded(
    container: InputContainer, streams: Selection, events: Generator[DecodedFrame | Packet[Stream]]
) -> Source:
    video = streams.video
    video.thread_type = "AUTO"
    rate = known_fraction(video.average_rate or video.guessed_rate)
    clock = FileClock(streams.name, known_fraction(video.time_base) or Fraction(1), rate)
    return Source(container, streams, events, clock, live=False)


def _live(address: Address, settings: Settings) -> Source:
    if settings.keep.streams:
        raise UsageError(f"{address}: only video and sound of a camera can be kept; leave out --keep")
    container = open_live(address, settings.rtsp)
    try:
        streams = select_streams(container, str(address), settings)
        streams.video.thread_type = "SLICE"  # threads for whole frames would hold each one back
        # a camera that is joined between two key frames shows nothing for a while
        reader = LiveReader(container, streams, settings.rtsp.open_timeout_s + settings.rtsp.read_timeout_s)
        source = Source(container, streams, reader.read(), LiveClock(), live=True)
    except BaseException:
        container.close()
        raise
    source.stop, source.damaged = reader.stop, lambda: reader.damaged
    return source
