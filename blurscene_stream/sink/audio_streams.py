"""Audio streams: copied as they are, or encoded again where that is asked for or the container cannot hold them."""

from __future__ import annotations

import io
import logging
from contextlib import suppress
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.config.schema import AudioMode
from blurscene_stream.errors import CorruptInputError, SinkError, reason
from blurscene_stream.sink.passthrough import Mux, StreamCopy, StreamWriter, can_copy, copy_tags
from blurscene_stream.streams import CopiedStream

log = logging.getLogger(__name__)

# MPEG-TS stores any other codec as private data without an error, and it is lost to players.
TS_CODECS = {"mp2", "mp2float", "mp3", "mp3float", "aac", "aac_latm", "ac3", "eac3", "dca", "truehd", "opus", "s302m"}
RTP_CODECS = {"aac", "opus", "pcm_mulaw", "pcm_alaw"}  # that RTSP players take
FALLBACK_CODECS = {"webm": "libopus"}  # else AAC
ENCODERS = {
    AudioMode.aac: "aac",
    AudioMode.opus: "libopus",
    AudioMode.mp3: "libmp3lame",
    AudioMode.ac3: "ac3",
    AudioMode.flac: "flac",
}
CODEC_NAMES = {encoder: mode.name for mode, encoder in ENCODERS.items()}
COMMON_RATE_HZ = 48_000  # that every encoder takes
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
NO_EDIT_LIST = {"movflags": "empty_moov", "use_editlist": "0"}
CANNOT_BE_CHECKED = "%s audio may hold other data and cannot be checked for it"
MAX_PADDING_S = 0.1  # of an encoder; a longer one is a cut: PRIMING_S of source.scrub.hidden_audio


def add_audio(container: OutputContainer, source: CopiedStream, name: str, mode: AudioMode) -> StreamWriter:
    """Add an audio stream to an output: a copy, or an encoder where `mode` asks for it or no copy can be made.

    name: of the input, for messages
    Raises SinkError when neither works.
    """
    native = cast(AudioStream, source.native)
    output = container.format.name
    encoder = ENCODERS.get(mode)
    wants_copy = source.copyable and (encoder is None or mode.is_codec(source.codec))
    if wants_copy and _can_copy_audio(container, native) and (copied := _add_copy(container, native)):
        copied.codec_context.extradata = source.extradata
        if native.layout.name.endswith(" channels"):  # MP4 needs a named layout, else it fails at the end of the run
            copied.codec_context.layout = LAYOUTS.get(native.channels, native.layout.name)
        copy_tags(copied, source)
        return _AudioCopy(copied)
    codec = encoder or FALLBACK_CODECS.get(output, "aac")
    if encoder is None:
        becomes = CODEC_NAMES[codec]
        why = f"{output} cannot hold {source.codec} audio" if source.copyable else CANNOT_BE_CHECKED % source.codec
        log.warning("%s: %s, it is encoded as %s", name, why, becomes)
    encoded = _add_encoder(container, native, codec)
    copy_tags(encoded, source)
    return _AudioTranscode(encoded, native, name)


def _add_copy(container: OutputContainer, source: AudioStream) -> AudioStream | None:
    """Add a stream like the source's, without the padding that an edit list is taken for; None when that fails.

    FFmpeg 9 takes all that an edit list hides at the start for the encoder's padding (`initial_padding`), and Matroska
    writes it as CodecDelay: players would leave out as much of a copy that does not hold what is hidden.
    """
    padding = getattr(source.codec_context, "initial_padding", 0)  # read by PyAV 19 alone
    if container.format.name not in ("matroska", "webm") or padding <= MAX_PADDING_S * source.sample_rate:
        return container.add_stream_from_template(source)
    for muxer in ("mov", "mp4"):  # each takes codecs that the other refuses
        header = io.BytesIO()
        with suppress(av.error.FFmpegError, ValueError):
            with av.open(header, "w", format=muxer, options=NO_EDIT_LIST) as bare:
                bare.add_stream_from_template(source)
                bare.start_encoding()
            header.seek(0)
            with av.open(header) as bare:
                copied = container.add_stream_from_template(bare.streams.audio[0])
                copied.codec_context.layout = source.layout
            return copied
    return None


def _add_encoder(container: OutputContainer, source: AudioStream, codec: str) -> AudioStream:
    output = container.format.name
    if not _can_encode(output, codec):
        others = [mode.name for mode, name in ENCODERS.items() if _can_encode(output, name)]
        choices = " or ".join([*others, "drop"])
        refused = f"{output} cannot hold {CODEC_NAMES[codec]} audio"
        raise SinkError(f"{refused}; choose --audio {choices} (encode.audio), or another kind of file")
    try:
        rates = av.Codec(codec, "w").audio_rates or []
        rate = source.sample_rate if source.sample_rate in rates else COMMON_RATE_HZ
        encoded = cast(AudioStream, container.add_stream(codec, rate=rate))
        encoded.codec_context.layout = LAYOUTS.get(source.channels, "stereo")
    except (av.error.FFmpegError, ValueError) as error:
        raise SinkError(f"{source.codec_context.name} audio cannot be encoded as {codec}: {reason(error)}") from error
    return encoded


def _can_copy_audio(container: OutputContainer, source: AudioStream) -> bool:
    codec, output = source.codec_context, container.format.name
    if output == "rtsp":  # AAC of MPEG-TS lacks the configuration that SDP holds
        return codec.name in RTP_CODECS and (codec.name != "aac" or bool(codec.extradata))
    if output == "mpegts" and codec.name not in TS_CODECS:
        return False
    return can_copy(output, source, piped=container.file is not None)


def _can_encode(container: str, codec: str) -> bool:
    if container == "mpegts" and CODEC_NAMES[codec] not in TS_CODECS:
        return False
    try:
        with av.open(io.BytesIO(), "w", format=container) as probe:
            probe.add_stream(codec, rate=COMMON_RATE_HZ)
            probe.start_encoding()  # some muxers refuse it only now
    except (av.error.FFmpegError, ValueError):
        return False
    return True


class _AudioCopy(StreamCopy):
    """Copies audio packets and completes their durations.

    MP4 hides a last packet without a duration, and Matroska has no durations for ALAC.
    """

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._last_dts: int | None = None

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass the packet on; one without a duration lasts as long as the one before it."""
        if not packet.duration and packet.dts is not None and self._last_dts is not None:
            packet.duration = packet.dts - self._last_dts
        self._last_dts = packet.dts
        super().write(packet, mux)


class _AudioTranscode:
    """Decodes audio and encodes it with another codec."""

    def __init__(self, stream: AudioStream, source: AudioStream, name: str) -> None:
        self._stream = stream
        self._source = source
        self._name = name

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        self._transcode(packet, mux)

    def flush(self, mux: Mux) -> None:
        self._transcode(None, mux)
        mux(self._stream.encode(None))

    def _transcode(self, packet: Packet[Stream] | None, mux: Mux) -> None:
        try:
            frames = self._source.codec_context.decode(packet)
        except av.error.FFmpegError as error:
            raise CorruptInputError(
                f"{self._name}: the audio cannot be decoded: {reason(error)}; nothing was written"
            ) from error
        for frame in frames:
            try:
                packets = self._stream.encode(frame)
            except (av.error.FFmpegError, ValueError) as error:
                raise SinkError(f"the audio cannot be encoded: {reason(error)}") from error
            mux(packets)
