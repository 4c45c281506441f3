"""The muxer: encoded video, audio and other copied streams into one container, whatever that is written to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.config.schema import AudioMode, Settings
from blurscene_stream.crash_report import unforeseen_errors
from blurscene_stream.errors import SinkError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.sink.audio_streams import add_audio
from blurscene_stream.sink.encoder_choice import choose_working_encoder
from blurscene_stream.sink.passthrough import StreamWriter, add_passthrough, add_tags
from blurscene_stream.sink.thread_priority import kept_thread_priority
from blurscene_stream.sink.video_encoder import VideoEncoder
from blurscene_stream.streams import CopiedStream, StreamInfo, StreamType

log = logging.getLogger(__name__)


class Muxer:
    """Writes one video and its copied streams into an open container.

    mux_packet: hands one packet to the container; the container's own `mux_one` when left out

    Raises UsageError when the container cannot hold what was asked for by name, SinkError when it cannot hold the
    audio, or an encoder does not open.
    """

    def __init__(
        self,
        container: OutputContainer,
        info: StreamInfo,
        settings: Settings,
        mux_packet: Callable[[Packet[Stream]], None] | None = None,
    ) -> None:
        live = settings.rtsp if container.format.name == "rtsp" else None
        self._container = container
        self._mux_packet = mux_packet or container.mux_one
        encoder = choose_working_encoder(container.format.name, info, settings)
        self._video = VideoEncoder(container, encoder, info, settings.encode, live)
        for notice in self._video.notices:
            log.warning("%s: %s", info.name, notice)
        self._video.stream.metadata.update(info.metadata.video)
        self._streams = [self._add(source, info.name, settings.encode.audio) for source in info.copied_streams]
        add_tags(container, info)

    def _add(self, source: CopiedStream, name: str, audio: AudioMode) -> StreamWriter:
        if source.type is StreamType.audio:
            return add_audio(self._container, source, name, audio)
        return add_passthrough(self._container, source, name)

    def start(self) -> None:
        """Open the encoders and write the header.

        Raises SinkError when the video encoder does not open, FFmpeg's own error for everything else.
        """
        try:
            with kept_thread_priority():
                self._container.start_encoding()
        except av.error.FFmpegError as error:
            if not self._video.stream.codec_context.is_open:
                raise SinkError(self._video.refusal(reason(error))) from error
            raise

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Encode a frame or pass on a packet.

        Raises SinkError.
        """
        if isinstance(item, RedactedFrame):
            with unforeseen_errors(SinkError, f"frame {item.number} could not be encoded"):
                self._mux(self._video.encode(item))
        else:
            with unforeseen_errors(SinkError, f"a packet of copied stream {item.stream} could not be written"):
                self._streams[item.stream].write(item.native, self._mux)

    def flush(self) -> None:
        """Write what the encoders still hold.

        Raises SinkError.
        """
        with unforeseen_errors(SinkError, "the end could not be encoded"):
            self._mux(self._video.flush())
            for stream in self._streams:
                stream.flush(self._mux)

    def _mux(self, packets: Sequence[Packet[Stream]]) -> None:
        for packet in packets:
            try:
                self._mux_packet(packet)
            except (av.error.FFmpegError, ValueError) as error:
                raise SinkError(f"cannot be written: {reason(error)}") from error
