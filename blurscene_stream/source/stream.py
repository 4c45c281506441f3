"""An opened input: what it is, and its items in order."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from types import TracebackType

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from blurscene_stream.errors import SourceError
from blurscene_stream.frames import CopiedPacket, Frame
from blurscene_stream.source.clock import Clock
from blurscene_stream.source.container.stream_selection import Selection
from blurscene_stream.source.frames.corruption import DecodedFrame
from blurscene_stream.source.pictures import PictureMaker
from blurscene_stream.source.rationals import known_fraction
from blurscene_stream.source.scrub.audio_headers import held_foreign_data, scrub_packet
from blurscene_stream.streams import StreamInfo, StreamType


class Source:
    """An opened input. The first picture is decoded when it is made, so that `info` is complete.

    info:    what a sink must know before the first frame
    passed:  pictures that were passed on, so far
    stop:    ends a live stream, or what comes through a pipe, at its next packet
    damaged: how many pictures of a live stream could not be decoded, so far
    cleaned: packets of sound beside or in which was something else, so far

    Raises SourceError when there is no picture.
    """

    def __init__(
        self,
        container: InputContainer,
        streams: Selection,
        events: Generator[DecodedFrame | Packet[Stream]],
        clock: Clock,
        live: bool,
    ) -> None:
        self._container = container
        self._events = events
        self._clock = clock
        self._tracks = {track.native.index: (place, track) for place, track in enumerate(streams.copied_streams)}
        self._early: list[DecodedFrame | Packet[Stream]] = []
        self.passed = self.cleaned = self._untimed = 0
        self.stop: Callable[[], None] = lambda: None
        self.damaged: Callable[[], int] = lambda: 0
        self._maker = PictureMaker(streams.video, self._first_picture(streams.name), streams.name)
        self.info = self._describe(streams, live)

    @property
    def dropped(self) -> int:
        """Pictures that were not passed on, so far; always 0 for a file."""
        return self._untimed + self.damaged()

    def items(self) -> Generator[Frame | CopiedPacket]:
        """Frames and copied packets in order; to be used once, on one thread.

        Raises what the reading of a file or a camera raises.
        """
        with closing(self._events):
            for event in chain(self._early_events(), self._events):
                if isinstance(event, Packet):
                    yield from self._copied(event)
                    continue
                pts = self._clock(event.frame)
                if pts is None:
                    self._untimed += 1
                    continue
                frame = self._maker.frame(event.frame, self.passed, pts)
                self.passed += 1
                yield replace(frame, corrupt=True) if event.corrupt else frame

    def _copied(self, packet: Packet[Stream]) -> Generator[CopiedPacket]:
        """The packet as it may be copied; nothing of one that holds no sound."""
        place, track = self._tracks[packet.stream.index]
        if track.type is StreamType.audio:
            scrubbed = scrub_packet(packet, track.codec)
            self.cleaned += held_foreign_data(packet, scrubbed)
            packet = scrubbed
        if packet.size:
            yield CopiedPacket(place, packet)

    def _early_events(self) -> Generator[DecodedFrame | Packet[Stream]]:
        """What was read to find the first picture; forgotten as it goes, else it would be held to the end."""
        while self._early:
            yield self._early.pop(0)

    def _first_picture(self, name: str) -> VideoFrame:
        for event in self._events:
            self._early.append(event)
            if isinstance(event, DecodedFrame):
                return event.frame
        raise SourceError(f"{name}: no picture of the video can be decoded; convert it first")

    def _describe(self, streams: Selection, live: bool) -> StreamInfo:
        video = streams.video
        rate = video.average_rate or video.guessed_rate
        duration = self._container.duration
        return StreamInfo(
            name=streams.name,
            picture=self._maker.picture,
            time_base=known_fraction(video.time_base) or Fraction(1, 90_000),
            frame_rate=known_fraction(rate),
            frame_count=0 if live else video.frames,
            duration_s=0.0 if live or not duration else duration / av.time_base,
            live=live,
            copied_streams=streams.copied_streams,
            metadata=streams.metadata,
            dropped=(*streams.dropped, *self._maker.lost),
            color=self._maker.colour,
            display_matrix=self._maker.display_matrix,
            field_order=self._maker.fields,
            container_field_order=self._maker.field_order,
            stereo3d=self._maker.two_views,
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
