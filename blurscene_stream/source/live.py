"""Reads a camera over RTSP until it is told to stop; the end of its data is a loss."""

from __future__ import annotations

from collections.abc import Generator

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RtspConfig
from blurscene_stream.errors import SourceLostError, reason
from blurscene_stream.source.streams import Selection


def open_live(address: Address, settings: RtspConfig) -> InputContainer:
    """Connect to a camera over TCP.

    Raises SourceLostError when nobody answers, or what answers is no video.
    """
    options = {"rtsp_transport": "tcp", "timeout": str(round(settings.read_timeout_s * 1e6))}  # microseconds
    try:
        return av.open(address.text, options=options, timeout=(settings.open_timeout_s, settings.read_timeout_s))
    except (av.error.FFmpegError, OSError) as error:
        raise SourceLostError(f"{address}: cannot connect: {reason(error)}; is the camera up?") from error


class LiveReader:
    """Decoded pictures and copied packets as they come, until `stop` is called."""

    def __init__(self, container: InputContainer, streams: Selection) -> None:
        self._container = container
        self._streams = streams
        self._name = streams.name
        self._stopped = False
        self.damaged = 0

    def stop(self) -> None:
        """End the stream at the next packet, as if the file ended there."""
        self._stopped = True

    def read(self) -> Generator[VideoFrame | Packet[Stream]]:
        """Raises SourceLostError when the camera goes away or falls silent."""
        try:
            for packet in self._container.demux([self._streams.video, *self._streams.audio]):
                if self._stopped:
                    return
                if packet.stream.index == self._streams.video.index:
                    yield from self._decode(packet)
                elif packet.size and packet.pts is not None:
                    yield packet
        except (av.error.FFmpegError, OSError) as error:
            if self._stopped:
                return
            why = "no data for too long" if isinstance(error, (av.error.ExitError, TimeoutError)) else reason(error)
            raise SourceLostError(f"{self._name}: the source was lost: {why}") from error
        if not self._stopped:
            raise SourceLostError(f"{self._name}: the source was lost: the stream ended")

    def _decode(self, packet: Packet[Stream]) -> Generator[VideoFrame]:
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
                yield picture
