"""What a file holds, and what of it would pass. No picture is decoded for it but those that tell the format."""

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
from blurscene_stream.source.boxes import boxes_for_notes, track_formats
from blurscene_stream.source.file import open_file
from blurscene_stream.source.kinds import FORMATS, Kind, codec_of, kind_of
from blurscene_stream.source.streams import Selection, select, tags_of

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag.

    passes: it would be in the output
    """

    key: str
    value: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One stream.

    kind:    what it is, in the words of --keep where there is one
    codec:   ffmpeg's name, or the container's of the format; "" when there is none
    details: what it is like, in words
    passes:  it would be in the output: anonymized, if it is the video
    """

    index: int
    kind: str
    codec: str
    details: str
    passes: bool
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a file holds.

    container:     ffmpeg's name
    duration_s:    seconds, as the container says; 0 when it does not
    chapters:      how many there are
    chapters_pass: they would be in the output
    tags:          of the file as a whole
    boxes:         where an MP4 has boxes for tags, XMP and the like; none of them is ever copied
    """

    name: str
    container: str
    duration_s: float
    parts: tuple[Part, ...]
    chapters: int
    chapters_pass: bool
    tags: tuple[Tag, ...]
    boxes: tuple[str, ...]


def inspect_file(path: Path, settings: Settings) -> Inventory:
    """List what a video file holds.

    settings: what passes because it is named. Of several videos none passes unless it is chosen; a run would ask.
    Raises what opening it for a run raises: SourceError, CorruptInputError, ConfigError.
    """
    with open_file(path) as container:
        formats = track_formats(path, container.format.name)
        videos = [stream.index for stream in container.streams if kind_of(stream, container, formats) is Kind.video]
        open_choice = settings.source.video is None and len(videos) > 1
        choice = replace(settings.source, video=videos[0]) if open_choice else settings.source
        chosen = select(container, str(path), replace(settings, source=choice), formats)
        parts = [_part(stream, container, chosen, formats) for stream in container.streams]
        asked = videos if open_choice else []
        chapters = len(container.chapters())
        return Inventory(
            name=str(path),
            container=container.format.name,
            duration_s=(container.duration or 0) / av.time_base,
            parts=tuple(replace(part, passes=False) if part.index in asked else part for part in parts),
            chapters=chapters,
            chapters_pass=bool(chosen.kept.chapters),
            tags=_tags(container.metadata, chosen.kept.container),
            boxes=tuple(boxes_for_notes(path, container.format.name)),
        )


def _part(stream: Stream, container: InputContainer, chosen: Selection, formats: Mapping[int, str]) -> Part:
    kind = kind_of(stream, container, formats)
    passing = {track.native.index: track.metadata for track in chosen.tracks} | {chosen.video.index: chosen.kept.video}
    code = {key: value for key, value in chosen.kept.video.items() if key == "timecode" and kind is Kind.timecode}
    made_anew = bool(code) or (kind is Kind.chapters and bool(chosen.kept.chapters))
    tags = _tags(tags_of(stream), code or passing.get(stream.index, NOTHING))
    codec = codec_of(stream, formats)
    return Part(stream.index, kind.value, codec, _details(stream, codec), made_anew or stream.index in passing, tags)


def _tags(held: Mapping[str, str], passing: Mapping[str, str]) -> tuple[Tag, ...]:
    return tuple(Tag(key, value, key in passing) for key, value in held.items())


def _details(stream: Stream, codec: str) -> str:
    if isinstance(stream, VideoStream) and stream.codec_context is not None:
        return f"{stream.width}x{stream.height}"
    if isinstance(stream, AudioStream) and stream.codec_context is not None:
        return f"{stream.sample_rate} Hz, {stream.layout.name}"
    return FORMATS.get(codec, "")
