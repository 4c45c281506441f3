"""Encoded video and sound go into one container, whatever that is written to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.config.schema import Settings, Sound
from blurscene_stream.errors import SinkError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.encoder import VideoEncoder
from blurscene_stream.sink.kept import add_kept, add_tags
from blurscene_stream.sink.tracks import TrackWriter, add_track
from blurscene_stream.sink.trial import pick
from blurscene_stream.streams import CopiedStream, StreamInfo, StreamType

log = logging.getLogger(__name__)


class Muxer:
    """Writes one video and its sound tracks into an open container.

    deliver: hands one packet to the container; the container's own `mux` unless something watches over it

    Raises UsageError when the container cannot hold what was asked for by name, SinkError when it cannot hold the
    sound, or an encoder does not open.
    """

    def __init__(
        self,
        container: OutputContainer,
        info: StreamInfo,
        settings: Settings,
        deliver: Callable[[Packet[Stream]], None] | None = None,
    ) -> None:
        live = settings.rtsp if container.format.name == "rtsp" else None
        self._container = container
        self._deliver = deliver or container.mux_one
        self._video = VideoEncoder(container, pick(container.format.name, info, settings), info, settings.encode, live)
        for notice in self._video.notices:
            log.warning("%s: %s", info.name, notice)
        self._video.stream.metadata.update(info.metadata.video)
        self._tracks = [self._add(track, info.name, settings.encode.audio) for track in info.copied_streams]
        add_tags(container, info)

    def _add(self, track: CopiedStream, name: str, sound: Sound) -> TrackWriter:
        if track.type is StreamType.audio:
            return add_track(self._container, track, name, sound)
        return add_kept(self._container, track, name)

    def start(self) -> None:
        """Write the header.

        Raises libav's own error.
        """
        self._container.start_encoding()

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Encode a picture or pass on a packet.

        Raises SinkError.
        """
        if isinstance(item, RedactedFrame):
            self._mux(self._video.encode(item))
        else:
            self._tracks[item.stream].write(item.native, self._mux)

    def finish(self) -> None:
        """Write what the encoders still hold.

        Raises SinkError.
        """
        self._mux(self._video.flush())
        for track in self._tracks:
            track.finish(self._mux)

    def _mux(self, packets: Sequence[Packet[Stream]]) -> None:
        for packet in packets:
            try:
                self._deliver(packet)
            except (av.error.FFmpegError, ValueError) as error:
                raise SinkError(f"cannot be written: {reason(error)}") from error
