"""Encoded video and sound go into one container, whatever that is written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.carried import Track, TrackKind
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame, StreamInfo
from blurscene_stream.sink.encoder import VideoEncoder
from blurscene_stream.sink.kept import add_kept, add_tags
from blurscene_stream.sink.tracks import TrackWriter, add_track


def _add(container: OutputContainer, track: Track, name: str) -> TrackWriter:
    return (add_track if track.kind is TrackKind.sound else add_kept)(container, track, name)


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
        self._video = VideoEncoder(container, info, settings.encode, live)
        self._video.stream.metadata.update(info.kept.video)
        self._tracks = [_add(container, track, info.name) for track in info.tracks]
        add_tags(container, info)

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
            self._tracks[item.track].write(item.native, self._mux)

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
