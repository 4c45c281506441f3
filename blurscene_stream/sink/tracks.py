"""Sound tracks: copied as they are, or encoded again where that is asked for or the container cannot hold them."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from blurscene_stream.config.schema import Sound
from blurscene_stream.errors import CorruptInputError, SinkError, reason
from blurscene_stream.streams import CopiedStream

log = logging.getLogger(__name__)

# MPEG-TS stores any other sound as private data without an error, and it is lost to players.
TS_SOUND = {"mp2", "mp2float", "mp3", "mp3float", "aac", "aac_latm", "ac3", "eac3", "dca", "truehd", "opus", "s302m"}
RTP_SOUND = {"aac", "opus", "pcm_mulaw", "pcm_alaw"}  # what players of RTSP take
REPLACEMENTS = {"webm": "libopus"}  # else AAC
ENCODERS = {Sound.aac: "aac", Sound.opus: "libopus"}
ANY_ENCODERS_RATE_HZ = 48_000
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
WITHOUT_EDITS = {"movflags": "empty_moov", "use_editlist": "0"}
MAX_PADDING_S = 0.1  # of an encoder; a longer one is a cut, as source.edits has it

Mux = Callable[["list[Packet[Stream]]"], None]


class TrackWriter(Protocol):
    """Takes the packets of one sound track."""

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass on one packet of the source."""

    def finish(self, mux: Mux) -> None:
        """Pass on what is still held."""


def add_track(container: OutputContainer, track: CopiedStream, name: str, sound: Sound) -> TrackWriter:
    """Add a sound track to an output: a copy, or an encoder where `sound` says so or the container cannot hold it.

    name: of the source, for messages
    Raises SinkError when neither works.
    """
    source = cast(AudioStream, track.native)
    form = container.format.name
    asked = ENCODERS.get(sound)
    as_it_is = asked is None or track.codec == asked.removeprefix("lib")
    if as_it_is and _takes(container, source) and (copied := _add_copy(container, source)):
        copied.codec_context.extradata = track.extradata
        if source.layout.name.endswith(" channels"):  # MP4 must know which, else it fails at the end of the run
            copied.codec_context.layout = LAYOUTS.get(source.channels, source.layout.name)
        label(copied, track)
        return _SoundCopy(copied)
    codec = asked or REPLACEMENTS.get(form, "aac")
    if asked is None:
        becomes = codec.removeprefix("lib")
        log.warning("%s: %s cannot hold %s sound, this track is encoded as %s", name, form, track.codec, becomes)
    encoded = _add_encoder(container, source, codec)
    label(encoded, track)
    return _Transcode(encoded, source, name)


def _add_copy(container: OutputContainer, source: AudioStream) -> AudioStream | None:
    """A stream like the source's, without the padding that an edit list is taken for; None when there is none.

    FFmpeg 9 takes all that an edit list hides at the start for the encoder's padding (`initial_padding`), and Matroska
    passes it on as CodecDelay: players would leave out as much of a copy that does not hold what is hidden.
    """
    padding = getattr(source.codec_context, "initial_padding", 0)  # read by PyAV 19 alone
    if container.format.name not in ("matroska", "webm") or padding <= MAX_PADDING_S * source.sample_rate:
        return container.add_stream_from_template(source)
    for form in ("mov", "mp4"):  # each takes codecs that the other refuses
        header = io.BytesIO()
        with suppress(av.error.FFmpegError, ValueError):
            with av.open(header, "w", format=form, options=WITHOUT_EDITS) as bare:
                bare.add_stream_from_template(source)
                bare.start_encoding()
            header.seek(0)
            with av.open(header) as bare:
                copied = container.add_stream_from_template(bare.streams.audio[0])
                copied.codec_context.layout = source.layout
            return copied
    return None


def _add_encoder(container: OutputContainer, source: AudioStream, codec: str) -> AudioStream:
    form = container.format.name
    if not _holds(form, codec):
        others = [sound.name for sound, name in ENCODERS.items() if _holds(form, name)]
        choose = f"choose --audio {' or '.join([*others, 'drop'])}, or another kind of file"
        raise SinkError(f"{form} holds no {codec.removeprefix('lib')} sound; {choose}")
    try:
        rates = av.Codec(codec, "w").audio_rates or []
        rate = source.sample_rate if source.sample_rate in rates else ANY_ENCODERS_RATE_HZ
        encoded = cast(AudioStream, container.add_stream(codec, rate=rate))
        encoded.codec_context.layout = LAYOUTS.get(source.channels, "stereo")
    except (av.error.FFmpegError, ValueError) as error:
        raise SinkError(f"{source.codec_context.name} sound cannot be encoded as {codec}: {reason(error)}") from error
    return encoded


def label(stream: Stream, track: CopiedStream) -> None:
    """Give a stream of the output the tags that pass, and no others."""
    stream.metadata.clear()
    stream.metadata.update(track.metadata)
    stream.disposition = Disposition(track.disposition)


class _Nowhere(io.BytesIO):
    """A pipe: the header cannot be completed later, and AAC from a transport stream does not tell what it needs."""

    def seekable(self) -> bool:
        return False


def _takes(container: OutputContainer, source: AudioStream) -> bool:
    """Can the container hold this track? A header written to nowhere is the one sure test."""
    codec, form = source.codec_context, container.format.name
    if form == "rtsp":  # AAC from a transport stream lacks the header that RTP sends beforehand
        return codec.name in RTP_SOUND and (codec.name != "aac" or bool(codec.extradata))
    if form == "mpegts" and codec.name not in TS_SOUND:
        return False
    return holds(form, source, piped=container.file is not None)


def holds(form: str, source: Stream, piped: bool = False) -> bool:
    """Whether a container takes a header with a stream like this one."""
    try:
        with av.open(_Nowhere() if piped else io.BytesIO(), "w", format=form) as trial:
            trial.add_stream_from_template(source)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _holds(form: str, codec: str) -> bool:
    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            trial.add_stream(codec, rate=ANY_ENCODERS_RATE_HZ)
    except (av.error.FFmpegError, ValueError):
        return False
    return True


class Copy:
    """The packets as they are."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass the packet on."""
        packet.stream = self._stream
        mux([packet])

    def finish(self, mux: Mux) -> None:
        """Nothing is held."""


class _SoundCopy(Copy):
    """Sound as it is. MP4 hides a last packet that lasts no time, and Matroska does not say how long ALAC's last."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._last: int | None = None

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass the packet on; one without a duration lasts as long as the one before it."""
        if not packet.duration and packet.dts is not None and self._last is not None:
            packet.duration = packet.dts - self._last
        self._last = packet.dts
        super().write(packet, mux)


class _Transcode:
    """The same sound in another codec."""

    def __init__(self, stream: AudioStream, source: AudioStream, name: str) -> None:
        self._stream = stream
        self._source = source
        self._name = name

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        self._pass_on(packet, mux)

    def finish(self, mux: Mux) -> None:
        self._pass_on(None, mux)
        mux(self._stream.encode(None))

    def _pass_on(self, packet: Packet[Stream] | None, mux: Mux) -> None:
        try:
            frames = self._source.codec_context.decode(packet)
        except av.error.FFmpegError as error:
            raise CorruptInputError(
                f"{self._name}: the sound cannot be decoded: {reason(error)}; nothing was written"
            ) from error
        for frame in frames:
            try:
                packets = self._stream.encode(frame)
            except (av.error.FFmpegError, ValueError) as error:
                raise SinkError(f"the sound cannot be encoded: {reason(error)}") from error
            mux(packets)
