"""Inventory of a file for `blurscene-stream inspect`: streams, tags and atoms, and which of them a run would keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from blurscene_stream.config.schema import Settings
from blurscene_stream.source.container.mp4_atoms import metadata_atoms, sample_formats
from blurscene_stream.source.container.opening import open_file
from blurscene_stream.source.container.stream_selection import Selection, select_streams, stream_tags
from blurscene_stream.source.container.stream_types import DATA_FORMATS, InputStreamType, codec_name, stream_type

NO_TAGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class TagEntry:
    """One tag.

    kept: it would be in the output
    """

    key: str
    value: str
    kept: bool


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One stream.

    type:    in the words of --keep where there is one
    codec:   ffmpeg's name, or the container's of the sample format; "" when there is none
    details: description of size, sample rate and the like
    kept:    it would be in the output: anonymized, if it is the video
    """

    index: int
    type: str
    codec: str
    details: str
    kept: bool
    tags: tuple[TagEntry, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Contents of a file.

    container:      ffmpeg's name
    duration_s:     seconds, as the container declares; 0 when it does not
    chapters:       how many there are
    chapters_kept:  they would be in the output
    tags:           of the file as a whole
    metadata_atoms: where an MP4 has atoms for tags, XMP and the like; none of them is ever copied
    """

    name: str
    container: str
    duration_s: float
    streams: tuple[StreamEntry, ...]
    chapters: int
    chapters_kept: bool
    tags: tuple[TagEntry, ...]
    metadata_atoms: tuple[str, ...]


def inspect_file(path: Path, settings: Settings) -> Inventory:
    """List the contents of a video file. No picture is decoded but those that libav needs to tell the format.

    settings: what is kept because it is named. Of several videos none is unless it is chosen; a run would ask.
    Raises what opening it for a run raises: SourceError, CorruptInputError, ConfigError.
    """
    with open_file(path) as container:
        container_format = container.format.name
        formats = sample_formats(path, container_format)
        types = {stream.index: stream_type(stream, container, formats) for stream in container.streams}
        videos = [index for index, input_type in types.items() if input_type is InputStreamType.video]
        undecided = settings.source.video_stream is None and len(videos) > 1
        choice = replace(settings.source, video_stream=videos[0]) if undecided else settings.source
        selection = select_streams(container, str(path), replace(settings, source=choice), formats)
        streams = [_stream_entry(stream, container, selection, formats) for stream in container.streams]
        refused = videos if undecided else []
        return Inventory(
            name=str(path),
            container=container_format,
            duration_s=(container.duration or 0) / av.time_base,
            streams=tuple(replace(entry, kept=False) if entry.index in refused else entry for entry in streams),
            chapters=len(container.chapters()),
            chapters_kept=bool(selection.metadata.chapters),
            tags=_tag_entries(container.metadata, selection.metadata.container),
            metadata_atoms=tuple(metadata_atoms(path, container_format)),
        )


def _stream_entry(
    stream: Stream, container: InputContainer, selection: Selection, formats: Mapping[int, str]
) -> StreamEntry:
    input_type = stream_type(stream, container, formats)
    kept = {copied.native.index: copied.metadata for copied in selection.copied_streams}
    kept[selection.video.index] = selection.metadata.video
    is_timecode = input_type is InputStreamType.timecode
    timecode = {key: text for key, text in selection.metadata.video.items() if is_timecode and key == "timecode"}
    written_anew = bool(timecode) or (input_type is InputStreamType.chapters and bool(selection.metadata.chapters))
    tags = _tag_entries(stream_tags(stream), timecode or kept.get(stream.index, NO_TAGS))
    codec = codec_name(stream, formats)
    is_kept = written_anew or stream.index in kept
    return StreamEntry(stream.index, input_type.value, codec, _details(stream, codec), is_kept, tags)


def _tag_entries(tags: Mapping[str, str], kept: Mapping[str, str]) -> tuple[TagEntry, ...]:
    return tuple(TagEntry(key, value, key in kept) for key, value in tags.items())


def _details(stream: Stream, codec: str) -> str:
    if isinstance(stream, VideoStream) and stream.codec_context is not None:
        return f"{stream.width}x{stream.height}"
    if isinstance(stream, AudioStream) and stream.codec_context is not None:
        return f"{stream.sample_rate} Hz, {stream.layout.name}"
    return DATA_FORMATS.get(codec, "")
