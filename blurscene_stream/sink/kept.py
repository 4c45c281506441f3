"""What passes because it was asked for by name; a container that cannot hold it is refused."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import cast

import av
from av.container import OutputContainer
from av.container.core import Flags
from av.packet import Packet
from av.stream import AttachmentStream, Stream
from av.subtitles.stream import SubtitleStream

from blurscene_stream.carried import KeptTags, Track, TrackKind
from blurscene_stream.errors import DamagedInputError, SinkError, UsageError, reason
from blurscene_stream.sink.tracks import Copy, Mux, TrackWriter, holds, label

log = logging.getLogger(__name__)

BITEXACT = cast(int, Flags.bitexact.value)
TEXT_TIME_BASE = Fraction(1, 1000)
WITH_TAGS = ("mp4", "mov", "matroska", "webm")
TEXT = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")  # subtitles that libav turns into each other
TEXT_OF = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
# MPEG-TS stores anything else as private data without an error, and it is lost to players.
TS_TRACKS = {"dvb_subtitle", "dvbsub", "dvb_teletext", "timed_id3", "klv"}
MP4_TAGS = {  # that have a place of their own in MP4 and MOV; any other needs the table of keys
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "description"),
    *("location", "creation_time", "timecode"),
}


def add_kept(container: OutputContainer, track: Track, name: str) -> TrackWriter:
    """Add a track that is no sound: a copy if the container can hold it, else text as the container has it.

    name: of the source, for messages
    Raises UsageError when it can hold neither.
    """
    form = container.format.name
    if track.kind is TrackKind.attachment:
        return _add_attachment(container, track, name)
    if holds(form, track.native) and (form != "mpegts" or _codec(track) in TS_TRACKS):
        copied = container.add_stream_from_template(track.native)
        label(copied, track)
        return Copy(copied)
    if track.kind is TrackKind.subtitles and track.codec in TEXT and form in TEXT_OF:
        return _add_text(container, track, name)
    raise _refusal(name, form, f"{_codec(track)} {track.kind.name}".strip(), f"--keep {track.kind.name}")


def add_tags(container: OutputContainer, kept: KeptTags, name: str) -> None:
    """Give an output the tags and chapters that pass, and nothing that the muxer would say of itself.

    Raises UsageError when it can hold none.
    """
    form = container.format.name
    container.flags |= BITEXACT  # no versions, no random numbers: the same file each time
    for what, there, option in (
        ("chapters", kept.chapters, "--keep chapters"),
        ("timecode", "timecode" in kept.video, "--keep timecode"),
        ("tags", kept.whole, "--keep-tag"),
    ):
        if there and form not in WITH_TAGS:
            raise _refusal(name, form, what, option)
    container.metadata.update(kept.whole)
    if kept.chapters:
        container.set_chapters(list(kept.chapters))
    if form in ("mp4", "mov") and any(key not in MP4_TAGS for key in kept.whole):
        options = container.container_options
        options["movflags"] = options.get("movflags", "") + "+use_metadata_tags"


def _refusal(name: str, form: str, what: str, option: str) -> UsageError:
    form = form.removeprefix("mpeg").replace("matroska", "mkv")
    return UsageError(f"{name}: {form} cannot hold its {what}: leave out {option}, or choose another output")


def _codec(track: Track) -> str:
    return track.codec or track.native.name or ""


def _add_attachment(container: OutputContainer, track: Track, name: str) -> TrackWriter:
    if container.format.name != "matroska":
        raise _refusal(name, container.format.name, "attachments", "--keep attachments")
    file = cast(AttachmentStream, track.native)
    kind = track.tags.get("mimetype", "application/octet-stream")
    added = container.add_attachment(track.tags.get("filename", "attachment"), kind, file.data)
    added.metadata.update(track.tags)
    return Copy(added)


def _add_text(container: OutputContainer, track: Track, name: str) -> TrackWriter:
    form = container.format.name
    log.warning(
        "%s: %s cannot hold %s subtitles, this track is converted to %s", name, form, track.codec, TEXT_OF[form]
    )
    source = cast(SubtitleStream, track.native)
    made = cast(SubtitleStream, container.add_stream(TEXT_OF[form]))
    source.codec_context.open(strict=False)
    made.codec_context.subtitle_header = source.codec_context.subtitle_header
    made.codec_context.time_base = made.time_base = TEXT_TIME_BASE
    label(made, track)
    return _Text(made, source, name)


class _Text:
    """The same text in another form."""

    def __init__(self, stream: SubtitleStream, source: SubtitleStream, name: str) -> None:
        self._stream = stream
        self._source = source
        self._name = name

    def write(self, packet: Packet[Stream], mux: Mux) -> None:
        """Pass on the text of one packet, if it has any."""
        try:
            text = self._source.codec_context.decode2(packet)
        except av.error.FFmpegError as error:
            raise DamagedInputError(
                f"{self._name}: the subtitles cannot be decoded: {reason(error)}; nothing was written"
            ) from error
        if text is None or not len(text):  # a pause
            return
        try:
            made = self._stream.codec_context.encode_subtitle(text)
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkError(f"the subtitles cannot be encoded: {reason(error)}") from error
        made.pts, made.dts, made.duration = packet.pts, packet.pts, packet.duration
        made.stream, made.time_base = self._stream, packet.time_base
        mux([made])

    def finish(self, mux: Mux) -> None:
        """Nothing is held."""
