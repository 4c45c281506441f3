"""Reads a camera over RTSP until it is told to stop; the end of its data is a loss."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RtspConfig
from blurscene_stream.errors import SourceLostError, reason
from blurscene_stream.source.container.stream_selection import Selection
from blurscene_stream.source.frames.corruption import DecodedFrame
from blurscene_stream.source.rationals import fraction
from blurscene_stream.source.slices import whole_pictures

LARGEST_STEP_BACK_S = 10  # a camera's first report may set its clock back; further back, it has started anew


def open_live(address: Address, settings: RtspConfig) -> InputContainer:
    """Connect to a camera over TCP.

    Raises SourceLostError when nobody answers, or what answers is no video.
    """
    options = {"rtsp_transport": "tcp", "timeout": str(round(settings.read_timeout_s * 1e6))}  # microseconds
    start_s = time.monotonic()
    try:
        return av.open(address.text, options=options, timeout=(settings.open_timeout_s, settings.read_timeout_s))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # libav calls silence "invalid data": the time tells
        silent = time.monotonic() - start_s >= 0.9 * min(settings.open_timeout_s, settings.read_timeout_s)
        why = "no answer" if silent else reason(error)
        raise SourceLostError(f"{address}: cannot connect: {why}; is the camera up?") from error


class LiveReader:
    """Decoded pictures and copied packets as they come, until `stop` is called.

    Time starts at 0 with the first picture that has a time; sound from before it is left out.

    damaged: pictures that could not be decoded, so far
    """

    def __init__(self, container: InputContainer, streams: Selection, patience_s: float) -> None:
        """`patience_s`: the camera may be without a new picture for so long."""
        self._container = container
        self._streams = streams
        self._name = streams.name
        self._patience_s = patience_s
        self._waited_s = 0.0
        self._stopped = False
        self._origin_s: Fraction | None = None
        self._newest_s = Fraction(0)
        self._sounded: dict[int, int] = {}
        self.damaged = 0

    def stop(self) -> None:
        """End the stream at the next packet, as if the file ended there."""
        self._stopped = True

    def read(self) -> Generator[DecodedFrame | Packet[Stream]]:
        """Raises SourceLostError when the camera goes away or falls silent."""
        try:
            for packet in whole_pictures(self._packets(), self._streams.video):
                if packet.stream.index == self._streams.video.index:
                    yield from self._decode(packet)
                elif packet.size and self._place(packet):
                    yield packet
        except (av.error.FFmpegError, OSError) as error:
            if self._stopped:
                return
            why = "no data for too long" if isinstance(error, (av.error.ExitError, TimeoutError)) else reason(error)
            raise SourceLostError(f"{self._name}: the source was lost: {why}") from error
        if not self._stopped:
            raise SourceLostError(f"{self._name}: the source was lost: the stream ended")

    def _packets(self) -> Iterator[Packet[Stream]]:
        """What the camera sends; only waiting for it tries our patience, not what is done with it meanwhile."""
        packets = self._container.demux([self._streams.video, *self._streams.packet_streams])
        start_s = time.monotonic()
        for packet in packets:
            self._waited_s += time.monotonic() - start_s
            if self._stopped:
                return
            if self._waited_s > self._patience_s:
                raise SourceLostError(f"{self._name}: the source was lost: no picture for too long")
            yield packet
            start_s = time.monotonic()

    def _decode(self, packet: Packet[Stream]) -> Generator[DecodedFrame]:
        """What cannot be decoded after a loss on the way is dropped whole."""
        try:
            pictures = packet.decode()
        except av.error.InvalidDataError:
            self.damaged += 1
            return
        for picture in pictures:
            assert isinstance(picture, VideoFrame)
            if picture.is_corrupt:
                self.damaged += 1
            else:
                self._waited_s = 0.0
                self._set_time(picture)
                yield DecodedFrame(picture)

    def _set_time(self, picture: VideoFrame) -> None:
        if picture.pts is None or not picture.time_base:
            return
        tick_s = fraction(picture.time_base)
        if self._origin_s is None:
            self._origin_s = picture.pts * tick_s
        picture.pts -= round(self._origin_s / tick_s)
        now_s = picture.pts * tick_s
        if now_s < self._newest_s - LARGEST_STEP_BACK_S:
            back_s = float(self._newest_s - now_s)
            raise SourceLostError(f"{self._name}: the source was lost: its clock was set back by {back_s:.0f} s")
        self._newest_s = max(self._newest_s, now_s)

    def _place(self, packet: Packet[Stream]) -> bool:
        """Set a sound packet's time; False when it has none that can be used."""
        if self._origin_s is None or packet.pts is None or not packet.time_base:
            return False
        packet.pts -= round(self._origin_s / fraction(packet.time_base))
        packet.dts = packet.pts
        usable = packet.pts > self._sounded.get(packet.stream.index, -1)
        if usable:
            self._sounded[packet.stream.index] = packet.pts
        return usable
