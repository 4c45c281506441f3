"""What passes because it was asked for by name; a container that cannot hold it is refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import av
from av.container import OutputContainer
from av.container.core import Flags
from av.packet import Packet
from av.stream import AttachmentStream, Stream
from av.subtitles.stream import SubtitleStream

from blurscene_stream.config.rules import listed
from blurscene_stream.errors import CorruptInputError, SinkError, UsageError, reason
from blurscene_stream.sink.tracks import Copy, Mux, TrackWriter, holds, label
from blurscene_stream.streams import CopiedStream, StreamInfo, StreamType

log = logging.getLogger(__name__)

BITEXACT = cast(int, Flags.bitexact.value)
TEXT_TIME_BASE = Fraction(1, 1000)
SUFFIXES = {"mp4": "mp4", "mov": "mov", "matroska": "mkv", "webm": "webm", "mpegts": "ts"}
WITH_TAGS = ("mp4", "mov", "matroska", "webm")
TEXT = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")  # subtitles that libav turns into each other
TEXT_OF = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
# What libav writes so that it is found again; anything else becomes private data, or gets the name of another format.
DATA_OF = {"mp4": {"gpmd"}, "mov": {"gpmd"}, "mpegts": {"timed_id3", "klv"}}
MP4_TAGS = {  # that have a place of their own in MP4 and MOV; any other needs the table of keys
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "description"),
    *("location", "creation_time", "timecode"),
}


MP4_TRACK_TAGS = frozenset(("language", "title", "handler_name", "creation_time", "timecode"))
TRACK_TAGS = {  # Matroska takes any
    "mp4": MP4_TRACK_TAGS,
    "mov": MP4_TRACK_TAGS,
    "mpegts": frozenset(("language", "title")),  # nobody has named the title of sound: that it is lost is not told
}


def add_kept(container: OutputContainer, track: CopiedStream, name: str) -> TrackWriter:
    """Add a track that is no sound: a copy if the container can hold it, else text as the container has it.

    name: of the source, for messages
    Raises UsageError when it can hold neither.
    """
    form = container.format.name
    if track.type is StreamType.attachment:
        return _add_attachment(container, track, name)
    if _can_copy(form, track):
        copied = container.add_stream_from_template(track.native)
        label(copied, track)
        return Copy(copied)
    if track.type is StreamType.subtitle and track.codec in TEXT and form in TEXT_OF:
        return _add_text(container, track, name)
    forms = [other for other in SUFFIXES if _can_copy(other, track) or (track.codec in TEXT and other in TEXT_OF)]
    what = f"{track.codec} {track.type.name}".strip()
    raise _refusal(f"{name}: {SUFFIXES[form]} cannot hold its {what}", f"--keep {track.type.name}", forms)


def _can_copy(form: str, track: CopiedStream) -> bool:
    if track.type is StreamType.data and track.codec not in DATA_OF.get(form, ()):
        return False
    if track.type is StreamType.subtitle and form == "mpegts":  # it has pictures alone
        return False
    return holds(form, track.native)


def add_tags(container: OutputContainer, info: StreamInfo) -> None:
    """Give an output the tags and chapters that pass, and nothing that the muxer would say of itself.

    Raises UsageError when it can hold none.
    """
    form, kept, name = container.format.name, info.metadata, info.name
    _warn_of_lost(form, [kept.video, *(track.metadata for track in info.copied_streams)], name)
    container.flags |= BITEXACT  # no versions, no random numbers: the same file each time
    for what, there, option in (
        ("chapters", kept.chapters, "--keep chapters"),
        ("timecode", "timecode" in kept.video, "--keep timecode"),
        ("tags", kept.container, "--keep-tag"),
    ):
        if there and form not in WITH_TAGS:
            raise _refusal(f"{name}: {SUFFIXES[form]} cannot hold its {what}", option, WITH_TAGS)
    container.metadata.update(kept.container)
    if kept.chapters:
        container.set_chapters(list(kept.chapters))
    if form in ("mp4", "mov") and any(key not in MP4_TAGS for key in kept.container):
        options = container.container_options
        options["movflags"] = options.get("movflags", "") + "+use_metadata_tags"


def _warn_of_lost(form: str, tags: Sequence[Mapping[str, str]], name: str) -> None:
    """A tag may be named for the file's sake and be in a track too: that is no reason to refuse."""
    places = TRACK_TAGS.get(form)
    lost = sorted({key for some in tags for key in some if places is not None and key.casefold() not in places})
    if lost:
        log.warning("%s: %s has no place for these tags of a track: %s", name, SUFFIXES[form], ", ".join(lost))


def _refusal(what: str, option: str, forms: Sequence[str]) -> UsageError:
    """forms: containers that can."""
    others = listed([SUFFIXES[form] for form in forms])
    return UsageError(f"{what}: leave out {option}" + (f", or write {others}" if others else ""))


def _add_attachment(container: OutputContainer, track: CopiedStream, name: str) -> TrackWriter:
    if container.format.name != "matroska":
        form = SUFFIXES[container.format.name]
        raise _refusal(f"{name}: {form} cannot hold its attachments", "--keep attachments", ["matroska"])
    file = cast(AttachmentStream, track.native)
    kind = track.metadata.get("mimetype", "application/octet-stream")
    added = container.add_attachment(track.metadata.get("filename", "attachment"), kind, file.data)
    added.metadata.update(track.metadata)
    return Copy(added)


def _add_text(container: OutputContainer, track: CopiedStream, name: str) -> TrackWriter:
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
            raise CorruptInputError(
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
