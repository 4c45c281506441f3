"""Passthrough: streams copied packet by packet; subtitles, data, attachments, tags and chapters asked for by name.

A container that cannot hold what was asked for is refused.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol, cast

import av
from av.container import OutputContainer
from av.container.core import Flags
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from blurscene_stream.config.validation import listed
from blurscene_stream.errors import CorruptInputError, SinkError, UsageError, reason
from blurscene_stream.streams import CopiedStream, StreamInfo, StreamType

log = logging.getLogger(__name__)

Mux = Callable[["list[Packet[Stream]]"], None]

BITEXACT = cast(int, Flags.bitexact.value)
SUBTITLE_TIME_BASE = Fraction(1, 1000)
SUFFIXES = {"mp4": "mp4", "mov": "mov", "matroska": "mkv", "webm": "webm", "mpegts": "ts"}
TAGGED_CONTAINERS = ("mp4", "mov", "matroska", "webm")
TEXT_SUBTITLES = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")  # FFmpeg converts them into each other
STYLED_SUBTITLES = ("ass", "ssa")
TX3G_BYTES, TX3G_FONT_ID = 30, slice(22, 24)  # colours, place and style, before the fonts (3GPP TS 26.245, 5.16)
ASS_LINE = re.compile(
    r"\[(Script Info|V4\+? Styles|Events)\]"
    r"|(Format|Style|PlayRes[XY]|ScriptType|WrapStyle|ScaledBorderAndShadow): ?.{1,400}"
)
NO_TEXT = re.compile("[\0-\x08\x0e-\x1f\x7f]|data:image", re.IGNORECASE)
SUBTITLE_CODECS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
# Data that FFmpeg writes so that it is found again; other data becomes private data, or gets the tag of another format.
DATA_CODECS = {"mp4": {"gpmd"}, "mov": {"gpmd"}, "mpegts": {"klv"}}
MP4_TAGS = {  # with an atom of their own in MP4 and MOV; any other needs the table of keys
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "description"),
    *("location", "creation_time", "timecode"),
}
MP4_STREAM_TAGS = frozenset(("language", "title", "handler_name", "creation_time", "timecode"))
STREAM_TAGS = {  # Matroska takes any
    "mp4": MP4_STREAM_TAGS,
    "mov": MP4_STREAM_TAGS,
    "mpegts": frozenset(("language", "title")),  # the title of audio passes unasked: no warning that it is lost
}


class StreamWriter(Protocol):
    """Takes the packets of one source stream."""

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass on one packet of the source."""

    def flush(self, mux: Mux) -> None:
        """Pass on what is still held."""


class StreamCopy:
    """Copies packets as they are."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass the packet on."""
        packet.stream = self._stream
        mux([packet])

    def flush(self, mux: Mux) -> None:
        """Do nothing: no packet is held."""


class _TextCopy(StreamCopy):
    """Copies text subtitles that are text, without what lies behind it."""

    def __init__(self, stream: Stream, codec: str, name: str) -> None:
        super().__init__(stream)
        self._codec, self._name = codec, name

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass on the text of a packet. Raises CorruptInputError when it is none."""
        data = bytes(packet)
        if self._codec == "mov_text":  # 3GPP TS 26.245, 5.17: a length, the text, and boxes
            data = data[: 2 + int.from_bytes(data[:2], "big")]
        try:
            is_text = NO_TEXT.search((data[2:] if self._codec == "mov_text" else data).decode()) is None
        except UnicodeDecodeError:
            is_text = False
        if not is_text:
            raise CorruptInputError(f"{self._name}: a subtitle is no text; leave out --keep subtitles (keep.streams)")
        text: Packet[Stream] = Packet(data)
        text.pts, text.dts, text.duration, text.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        text.is_keyframe = packet.is_keyframe
        super().write(text, mux)


def copy_tags(stream: Stream, source: CopiedStream) -> None:
    """Give a stream of the output the tags and disposition that pass, and no others."""
    stream.metadata.clear()
    stream.metadata.update(source.metadata)
    stream.disposition = Disposition(source.disposition)


class _UnseekableBuffer(io.BytesIO):
    """A pipe: the header cannot be completed later, and AAC of MPEG-TS lacks the configuration that it needs."""

    def seekable(self) -> bool:
        return False


def can_copy(container: str, source: Stream, piped: bool = False) -> bool:
    """Tell whether a container can hold a copy of a stream: write a header with it to memory, the one sure test."""
    try:
        with av.open(_UnseekableBuffer() if piped else io.BytesIO(), "w", format=container) as probe:
            probe.add_stream_from_template(source)
            probe.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def add_passthrough(container: OutputContainer, source: CopiedStream, name: str) -> StreamWriter:
    """Add a stream other than audio: a copy if the container can hold it, else text converted to its subtitle codec.

    name: of the input, for messages
    Raises UsageError when the container can hold neither.
    """
    output = container.format.name
    if source.type is StreamType.attachment:
        return _add_attachment(container, source, name)
    if _holds(output, source):
        stream = container.add_stream_from_template(source.native)
        copy_tags(stream, source)
        if source.type is not StreamType.subtitle:
            return StreamCopy(stream)
        context = cast(SubtitleStream, stream).codec_context
        context.extradata = _styles_only(source.codec, context.extradata or b"")
        return _TextCopy(stream, source.codec, name)
    if source.type is StreamType.subtitle and source.codec in TEXT_SUBTITLES and output in SUBTITLE_CODECS:
        return _add_text_subtitles(container, source, name)
    is_text = source.codec in TEXT_SUBTITLES
    others = [other for other in SUFFIXES if _holds(other, source) or (is_text and other in SUBTITLE_CODECS)]
    what = f"{source.codec} {source.type.value}".strip()
    raise _refusal(
        f"{name}: {SUFFIXES[output]} cannot hold its {what}", f"--keep {source.type.value} (keep.streams)", others
    )


def _styles_only(codec: str, header: bytes) -> bytes | None:
    """Return what the header of text subtitles says of styles, without what may be files, pictures or comments."""
    if codec == "mov_text":
        font = header[TX3G_FONT_ID] + b"\x05Serif"
        return header[:TX3G_BYTES] + struct.pack(">I4sH", 10 + len(font), b"ftab", 1) + font
    if codec not in STYLED_SUBTITLES:
        return None
    lines = header.decode("utf-8", "replace").splitlines()
    return "\r\n".join([line for line in lines if ASS_LINE.fullmatch(line)] + [""]).encode()


def _holds(container: str, source: CopiedStream) -> bool:
    if source.type is StreamType.data and source.codec not in DATA_CODECS.get(container, ()):
        return False
    if source.type is StreamType.subtitle and container == "mpegts":  # it has bitmap subtitles alone
        return False
    return can_copy(container, source.native)


def add_tags(container: OutputContainer, info: StreamInfo) -> None:
    """Give an output the tags and chapters that pass, and nothing that the muxer writes about itself.

    Raises UsageError when the container can hold none.
    """
    output, passing, name = container.format.name, info.metadata, info.name
    _warn_of_lost_tags(output, [passing.video, *(source.metadata for source in info.copied_streams)], name)
    container.flags |= BITEXACT  # no versions, no random numbers: the same file each time
    for what, asked_for, option in (
        ("chapters", passing.chapters, "--keep chapters (keep.streams)"),
        ("timecode", "timecode" in passing.video, "--keep timecode (keep.streams)"),
        ("tags", passing.container, "--keep-tag (keep.tags)"),
    ):
        if asked_for and output not in TAGGED_CONTAINERS:
            raise _refusal(f"{name}: {SUFFIXES[output]} cannot hold its {what}", option, TAGGED_CONTAINERS)
    container.metadata.update(passing.container)
    if passing.chapters:
        container.set_chapters(list(passing.chapters))
    if output in ("mp4", "mov") and any(key not in MP4_TAGS for key in passing.container):
        options = container.container_options
        options["movflags"] = options.get("movflags", "") + "+use_metadata_tags"


def _warn_of_lost_tags(container: str, tags: Sequence[Mapping[str, str]], name: str) -> None:
    """Warn only: a tag may be named for the file's sake and be in a stream too, which is no reason to refuse."""
    allowed = STREAM_TAGS.get(container)
    lost = sorted({key for some in tags for key in some if allowed is not None and key.casefold() not in allowed})
    if lost:
        log.warning("%s: %s has no place for these stream tags: %s", name, SUFFIXES[container], ", ".join(lost))


def _refusal(what: str, option: str, containers: Sequence[str]) -> UsageError:
    """Say what cannot be held and which containers can hold it."""
    others = listed([SUFFIXES[container] for container in containers])
    return UsageError(f"{what}: leave out {option}" + (f", or write {others}" if others else ""))


def _add_attachment(container: OutputContainer, source: CopiedStream, name: str) -> StreamWriter:
    if container.format.name != "matroska":
        suffix = SUFFIXES[container.format.name]
        raise _refusal(
            f"{name}: {suffix} cannot hold its attachments", "--keep attachments (keep.streams)", ["matroska"]
        )
    mime_type = source.metadata.get("mimetype", "application/octet-stream")
    attachment = container.add_attachment(
        source.metadata.get("filename", "attachment"), mime_type, source.extradata or b""
    )
    attachment.metadata.update(source.metadata)
    return StreamCopy(attachment)


def _add_text_subtitles(container: OutputContainer, source: CopiedStream, name: str) -> StreamWriter:
    output = container.format.name
    codec = SUBTITLE_CODECS[output]
    log.warning("%s: %s cannot hold %s subtitles, they are converted to %s", name, output, source.codec, codec)
    decoded = cast(SubtitleStream, source.native)
    encoded = cast(SubtitleStream, container.add_stream(codec))
    decoded.codec_context.open(strict=False)
    encoded.codec_context.subtitle_header = decoded.codec_context.subtitle_header
    encoded.codec_context.time_base = encoded.time_base = SUBTITLE_TIME_BASE
    copy_tags(encoded, source)
    return _SubtitleTranscode(encoded, decoded, name)


class _SubtitleTranscode:
    """Converts text subtitles to another codec."""

    def __init__(self, stream: SubtitleStream, source: SubtitleStream, name: str) -> None:
        self._stream = stream
        self._source = source
        self._name = name

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass on the text of one packet, if it has any."""
        try:
            text = self._source.codec_context.decode2(packet)
        except av.error.FFmpegError as error:
            raise CorruptInputError(
                f"{self._name}: the subtitles cannot be decoded: {reason(error)}; nothing was written"
            ) from error
        if text is None or not len(text):  # a pause
            return
        try:
            encoded = self._stream.codec_context.encode_subtitle(text)
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkError(f"the subtitles cannot be encoded: {reason(error)}") from error
        encoded.pts, encoded.dts, encoded.duration = packet.pts, packet.pts, packet.duration
        encoded.stream, encoded.time_base = self._stream, packet.time_base
        mux([encoded])

    def flush(self, mux: Mux) -> None:
        """Do nothing: no packet is held."""
