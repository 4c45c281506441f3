"""Selection of streams: the video to anonymize, the streams and tags that are copied, and those that are dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from blurscene_stream.config.schema import AudioMode, KeepConfig, Settings, SourceConfig
from blurscene_stream.config.validation import listed
from blurscene_stream.errors import ConfigError, SourceError
from blurscene_stream.source.container.stream_types import InputStreamType, codec_name, describe_stream, stream_type
from blurscene_stream.source.scrub.audio_frames import frame_scrub
from blurscene_stream.source.scrub.audio_headers import scrub_extradata
from blurscene_stream.source.scrub.font_files import rebuilt_font
from blurscene_stream.source.scrub.metadata_tags import describe_dropped, is_language_duplicate, kept_tags, with_title
from blurscene_stream.streams import CopiedMetadata, CopiedStream, StreamType

COPIED_TYPES = {  # what may be copied, audio first
    InputStreamType.audio: StreamType.audio,
    InputStreamType.subtitle: StreamType.subtitle,
    InputStreamType.data: StreamType.data,
    InputStreamType.attachment: StreamType.attachment,
}
UNASKED_TAGS = {StreamType.audio: ("language", "title"), StreamType.attachment: ("filename", "mimetype")}
NO_FORMATS: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The streams of a container that a run reads.

    name:           the source as it may be printed
    video:          the one that is anonymized
    copied_streams: audio in the order of the file, then what was asked for
    metadata:       tags and chapters that were asked for
    dropped:        descriptions of the streams, chapters and tags that are left out
    audio:          what becomes of the audio
    """

    name: str
    video: VideoStream
    copied_streams: tuple[CopiedStream, ...]
    metadata: CopiedMetadata
    dropped: tuple[str, ...]
    audio: AudioMode

    @property
    def packet_streams(self) -> list[Any]:
        """Return PyAV's streams whose packets are copied."""
        return [stream.native for stream in self.copied_streams if stream.type is not StreamType.attachment]


def select_streams(
    container: InputContainer, name: str, settings: Settings, formats: Mapping[int, str] = NO_FORMATS
) -> Selection:
    """Select by allow-list: one video, all audio unless none is wanted, what is named; `dropped` describes the rest.

    formats: sample formats of the tracks of an MP4 file, by track id
    Raises SourceError when there is no video that can be decoded, or several and none is chosen; ConfigError when
    what is chosen is no video.
    """
    keep = settings.keep
    types = {stream.index: stream_type(stream, container, formats) for stream in container.streams}
    video = _select_video(_TypedStreams(container, types, formats), name, settings.source)
    wanted = {input_type for input_type in COPIED_TYPES if input_type.value in keep.streams}
    wanted |= {InputStreamType.audio} if settings.encode.audio is not AudioMode.drop else set()
    copied_streams = tuple(
        _copied_stream(stream, COPIED_TYPES[input_type], keep, (name, codec_name(stream, formats)))
        for input_type in COPIED_TYPES
        for stream in container.streams
        if types[stream.index] is input_type and input_type in wanted
    )
    metadata = _copied_metadata(container, video, keep)
    passed = {video.index, *(stream.native.index for stream in copied_streams)}
    left = [stream for stream in container.streams if stream.index not in passed]
    dropped = [
        describe_stream(stream, types[stream.index], formats)
        for stream in left
        if not _is_written_anew(types[stream.index], keep)
    ]
    if container.chapters() and not metadata.chapters:
        count = len(container.chapters())
        dropped.append(f"{count} chapter{'' if count == 1 else 's'}")
    keys = dropped_tag_keys(container, video, copied_streams, metadata)
    descriptions = (*dropped, *filter(None, [describe_dropped(keys)]))
    return Selection(name, video, copied_streams, metadata, descriptions, settings.encode.audio)


@dataclass(frozen=True, slots=True)
class _TypedStreams:
    """The streams of a container, with their types."""

    container: InputContainer
    types: Mapping[int, InputStreamType]
    formats: Mapping[int, str]


def _select_video(typed: _TypedStreams, name: str, config: SourceConfig) -> VideoStream:
    """Return the one video, or the chosen one of several: a run that writes one would lose or reveal the others."""
    streams, types = typed.container.streams, typed.types
    chosen = config.video_stream
    videos = {stream.index: stream for stream in streams.video if types[stream.index] is not InputStreamType.cover_art}
    if not videos:
        found = [describe_stream(stream, types[stream.index], typed.formats) for stream in streams]
        raise SourceError(f"{name}: there is no video in it, only {', '.join(found) or 'nothing'}; give a video")
    choices = listed([f"{index} ({_codec_and_size(stream)})" for index, stream in videos.items()])
    if chosen is not None and chosen not in videos:
        raise ConfigError(f"{name}: source.video_stream must be the number of a video, {choices}, got {chosen}")
    if chosen is None and len(videos) > 1:
        raise SourceError(
            f"{name}: holds {len(videos)} videos, an output has room for one: choose with --set source.video_stream=N, "
            f"N being {choices}; to have all, run once for each"
        )
    video = next(iter(videos.values())) if chosen is None else videos[chosen]
    if video.codec_context is None or video.width <= 0 or video.height <= 0:
        larger = f", or it has more than {config.max_pixels:,} pixels" if config.max_pixels else ""
        raise SourceError(f"{name}: the video's codec or size is unknown to this build{larger}; convert it first")
    return video


def _codec_and_size(video: VideoStream) -> str:
    return f"{video.codec_context.name} {video.width}x{video.height}" if video.codec_context is not None else "unknown"


def _copied_stream(stream: Stream, copied_type: StreamType, keep: KeepConfig, names: tuple[str, str]) -> CopiedStream:
    """`names`: of the source, and of the codec."""
    tags = kept_tags(stream_tags(stream), keep.tags, UNASKED_TAGS.get(copied_type, ("language",)))
    name, codec = names
    if copied_type is StreamType.attachment:
        return CopiedStream(copied_type, codec, tags, int(stream.disposition), stream, _font(stream, name))
    if copied_type is not StreamType.audio:
        return CopiedStream(copied_type, codec, tags, int(stream.disposition), stream)
    try:
        extradata = scrub_extradata(codec, stream.codec_context.extradata)
        copyable = frame_scrub(codec, extradata, stream.codec_context) is not None
    except (ValueError, IndexError) as error:
        raise SourceError(f"{name}: the header of {codec} audio is damaged; convert the audio first") from error
    return CopiedStream(copied_type, codec, tags, int(stream.disposition), stream, extradata, copyable)


def _font(stream: Any, name: str) -> bytes:
    try:
        return rebuilt_font(stream.data)
    except ValueError as error:
        raise SourceError(
            f"{name}: attachment {stream.index} is no font; leave out --keep attachments (keep.streams)"
        ) from error


def stream_tags(stream: Stream) -> Mapping[str, str]:
    """Return the tags of a stream, under the names that they pass by."""
    return with_title(stream.metadata) if isinstance(stream, AudioStream | VideoStream) else stream.metadata


def _copied_metadata(container: InputContainer, video: VideoStream, keep: KeepConfig) -> CopiedMetadata:
    tags = kept_tags(stream_tags(video), keep.tags, ("language",))
    owners = (video.metadata, container.metadata, *(stream.metadata for stream in container.streams.data))
    timecode = next((value for owner in owners for key, value in owner.items() if key.casefold() == "timecode"), None)
    if "timecode" in keep.streams and timecode is not None:
        tags["timecode"] = timecode  # a muxer makes a track of it
    chapters = container.chapters() if "chapters" in keep.streams else []
    scrubbed = [{**chapter, "metadata": kept_tags(chapter["metadata"], keep.tags, ("title",))} for chapter in chapters]
    return CopiedMetadata(kept_tags(container.metadata, keep.tags), tags, tuple(scrubbed))


def _is_written_anew(input_type: InputStreamType, keep: KeepConfig) -> bool:
    """Chapters are counted, and pass without the track that holds their titles; so does a timecode."""
    return input_type is InputStreamType.chapters or (
        input_type is InputStreamType.timecode and "timecode" in keep.streams
    )


def dropped_tag_keys(
    container: InputContainer, video: VideoStream, copied_streams: Sequence[CopiedStream], metadata: CopiedMetadata
) -> list[str]:
    """Return the keys of the tags, of the file and of the streams that pass, that do not pass themselves."""
    pairs: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
        (container.metadata, metadata.container),
        (stream_tags(video), metadata.video),
    ]
    pairs += [(stream_tags(stream.native), stream.metadata) for stream in copied_streams]
    return [
        key
        for tags, passed in pairs
        for key in tags
        if not _passes(key, passed) and not is_language_duplicate(key, tags)
    ]


def _passes(key: str, passed: Mapping[str, str]) -> bool:
    """Return whether a tag passes; Matroska has timecodes in capitals."""
    return key in passed or (key.casefold() == "timecode" and "timecode" in passed)
