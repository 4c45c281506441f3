"""Opening of a file, a pipe or a camera as a source of frames and copied packets."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Generator
from contextlib import closing
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.crash_report import description
from blurscene_stream.errors import BlurSceneError, ReadingError, SourceError, SourceLostError, UsageError
from blurscene_stream.frames import CopiedPacket, Frame
from blurscene_stream.source.container.mp4_atoms import clean_aperture, is_mp4, sample_formats
from blurscene_stream.source.container.opening import open_file, pixel_limit
from blurscene_stream.source.container.stream_selection import Selection, select_streams
from blurscene_stream.source.file import read_file
from blurscene_stream.source.frames.frame_factory import FrameFactory
from blurscene_stream.source.frames.timestamps import Clock, FileClock, LiveClock, known_fraction
from blurscene_stream.source.frames.video_decoder import DecodedFrame
from blurscene_stream.source.live import LiveReader, open_live
from blurscene_stream.source.pipe import STANDARD_INPUT, PipeReader, is_pipe, open_pipe, read_pipe
from blurscene_stream.source.scrub.audio_packets import AudioScrubber
from blurscene_stream.streams import StreamInfo, StreamType

MPEG_TICK_S = Fraction(1, 90_000)

log = logging.getLogger(__name__)


class Source:
    """An opened input. The first frame is decoded when it is made, so that `info` is complete.

    info:              properties that a sink needs before the first frame
    passed_frames:     frames passed on, so far
    stop:              ends a live stream, or what comes through a pipe, at its next packet
    undecodable:       returns how many frames of a live stream could not be decoded, so far
    lost:              why a live stream ended by itself, after its first frame; None when it did not

    Raises SourceError when there is no frame.
    """

    def __init__(
        self,
        container: InputContainer,
        selection: Selection,
        events: Generator[DecodedFrame | Packet[Stream]],
        clock: Clock,
        live: bool,
    ) -> None:
        self._container = container
        self._events = events
        self._clock = clock
        self._places = {stream.native.index: place for place, stream in enumerate(selection.copied_streams)}
        self._scrubbers = {
            place: AudioScrubber(stream, selection.name, selection.audio, live)
            for place, stream in enumerate(selection.copied_streams)
            if stream.type is StreamType.audio
        }
        self._early: list[DecodedFrame | Packet[Stream]] = []
        self.passed_frames = self._untimed = 0
        self.stop: Callable[[], None] = lambda: None
        self.undecodable: Callable[[], int] = lambda: 0
        self.lost: SourceLostError | None = None
        # else libav cuts at the left only by as much as keeps rows aligned, and shows what nobody is to see
        selection.video.codec_context.flags |= Flags.unaligned
        self._factory = FrameFactory(selection.video, self._first_frame(selection.name), selection.name)
        self.info = self._describe(selection, live)

    @property
    def dropped_frames(self) -> int:
        """Count the frames that were not passed on, so far; always 0 for a file."""
        return self._untimed + self.undecodable()

    @property
    def scrubbed_packets(self) -> int:
        """Count the audio packets in or beside which was something else, so far."""
        return sum(scrubber.foreign for scrubber in self._scrubbers.values())

    def items(self) -> Generator[Frame | CopiedPacket]:
        """Yield frames and copied packets in order; to be used once, on one thread.

        A live stream that is lost ends here, and `lost` says so: what came before it is no worse for it.
        Raises what the reading of a file raises, ReadingError, MemoryError.
        """
        try:
            yield from self._items()
        except (BlurSceneError, MemoryError):
            raise
        except Exception as error:
            where = f"{self.info.name}: frame {self.passed_frames} could not be read"
            raise ReadingError(f"{where}: {description(error)}") from error

    def _items(self) -> Generator[Frame | CopiedPacket]:
        with closing(self._events):
            for event in chain(self._early_events(), self._until_lost()):
                if isinstance(event, Packet):
                    yield from self._scrubbed(event)
                    continue
                pts = self._clock(event.frame)
                if pts is None:
                    self._untimed += 1
                    continue
                frame = self._factory.make(event.frame, self.passed_frames, pts, event.corrupt)
                self.passed_frames += 1
                yield frame

    def _until_lost(self) -> Generator[DecodedFrame | Packet[Stream]]:
        try:
            yield from self._events
        except SourceLostError as error:
            self.lost = error

    def _scrubbed(self, packet: Packet[Stream]) -> Generator[CopiedPacket]:
        """Yield the packet as it may be copied; nothing for one that holds no audio."""
        place = self._places[packet.stream.index]
        scrub = self._scrubbers.get(place)
        scrubbed = scrub(packet) if scrub else packet
        if scrubbed is not None:
            yield CopiedPacket(place, scrubbed)

    def _early_events(self) -> Generator[DecodedFrame | Packet[Stream]]:
        """Yield what was read to find the first frame; forgotten as it goes, else it would be held to the end."""
        while self._early:
            yield self._early.pop(0)

    def _first_frame(self, name: str) -> VideoFrame:
        for event in self._events:
            self._early.append(event)
            if isinstance(event, DecodedFrame):
                return event.frame
        raise SourceError(f"{name}: no picture of the video can be decoded; convert it first")

    def _describe(self, selection: Selection, live: bool) -> StreamInfo:
        video, factory, duration = selection.video, self._factory, self._container.duration
        return StreamInfo(
            name=selection.name,
            picture=factory.picture,
            time_base=known_fraction(video.time_base) or MPEG_TICK_S,
            frame_rate=known_fraction(video.average_rate or video.guessed_rate),
            frame_count=0 if live else video.frames,
            duration_s=0.0 if live or not duration else duration / av.time_base,
            live=live,
            copied_streams=selection.copied_streams,
            metadata=selection.metadata,
            dropped=(*selection.dropped, *factory.dropped),
            color=factory.color,
            display_matrix=factory.display_matrix,
            field_order=factory.field_order,
            container_field_order=factory.container_field_order,
            stereo3d=factory.stereo3d,
            codec=video.codec_context.codec.canonical_name,
        )

    def close(self) -> None:
        """Let go of the input. Call it when no thread reads `items` any more."""
        self._events.close()
        self._container.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(address: Address, settings: Settings) -> Source:
    """Open a file, a pipe or a camera and decode its first frame.

    settings: say which streams of it are wanted, and how long to wait for a camera
    Raises SourceError when it cannot be opened or holds no video, CorruptInputError when it is cut short,
    SourceLostError when a camera does not answer, ConfigError when the video that is wanted is not there, UsageError
    for a camera of which more is to be kept than video and audio.
    """
    if address.live:
        return _open_live_source(address, settings)
    path = STANDARD_INPUT if address.piped else address.path
    return _open_pipe_source(path, settings) if is_pipe(path) else _open_file_source(path, settings)


def _open_file_source(path: Path, settings: Settings) -> Source:
    container = open_file(path, settings.source.max_pixels)
    try:
        selection = select_streams(container, str(path), settings, sample_formats(path, container.format.name))
        _limit_pixels(selection, settings.source.max_pixels)
        if is_mp4(container.format.name):
            _warn_if_cropped(selection.video, path)
        return _recorded_source(container, selection, read_file(container, selection, path), settings)
    except BaseException:
        container.close()
        raise


def _limit_pixels(selection: Selection, max_pixels: int | None) -> None:
    """Refuse a video of larger pictures, and have libav refuse a larger picture that it does not tell of.

    Raises SourceError.
    """
    if max_pixels is None:
        return
    video = selection.video
    if video.width * video.height > max_pixels:
        raise SourceError(f"{selection.name}: {video.width}x{video.height} is more pixels than {max_pixels:,}")
    video.codec_context.options = pixel_limit(max_pixels)


def _warn_if_cropped(video: VideoStream, path: Path) -> None:
    """Log when an MP4 shows less than the whole picture: libav decodes all of it."""
    try:
        shown = clean_aperture(path, video.id)
    except (OSError, struct.error, IndexError, ZeroDivisionError):  # nothing that a player could follow
        return
    size = video.width, video.height
    if shown is not None and shown != size:
        log.warning("%s: players show %gx%g of its %dx%d pixels; the output shows all of them", path, *shown, *size)


def _open_pipe_source(path: Path, settings: Settings) -> Source:
    reader = PipeReader(path)
    try:
        container = open_pipe(reader, path, settings.source.max_pixels)
        selection = select_streams(container, str(path), settings)
        _limit_pixels(selection, settings.source.max_pixels)
        source = _recorded_source(container, selection, read_pipe(container, selection, path, reader), settings)
    except BaseException:
        reader.close()
        raise
    source.stop = reader.stop
    return source


def _recorded_source(
    container: InputContainer,
    selection: Selection,
    events: Generator[DecodedFrame | Packet[Stream]],
    settings: Settings,
) -> Source:
    video = selection.video
    video.codec_context.thread_count = settings.source.threads
    video.thread_type = "AUTO"
    rate = known_fraction(video.average_rate or video.guessed_rate)
    clock = FileClock(selection.name, known_fraction(video.time_base) or Fraction(1), rate)
    return Source(container, selection, events, clock, live=False)


def _open_live_source(address: Address, settings: Settings) -> Source:
    if settings.keep.streams:
        raise UsageError(f"{address}: only video and audio of a camera can be kept; leave out --keep (keep.streams)")
    container = open_live(address, settings.rtsp)
    try:
        selection = select_streams(container, str(address), settings)
        _limit_pixels(selection, settings.source.max_pixels)
        selection.video.thread_type = "SLICE"  # threads for whole frames would hold each one back
        # a camera that is joined between two key frames shows nothing for a while
        max_wait_s = settings.rtsp.open_timeout_s + settings.rtsp.read_timeout_s
        reader = LiveReader(container, selection, max_wait_s)
        source = Source(container, selection, reader.read(), LiveClock(), live=True)
    except BaseException:
        container.close()
        raise
    source.stop, source.undecodable = reader.stop, lambda: reader.undecodable
    return source
