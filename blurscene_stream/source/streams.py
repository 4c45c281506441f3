"""What a container holds: the video to anonymize, what is copied, and what is left behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from blurscene_stream.config.keep import KeepConfig
from blurscene_stream.config.rules import listed
from blurscene_stream.config.schema import Settings, Sound
from blurscene_stream.errors import ConfigError, SourceError
from blurscene_stream.source.kinds import Kind, codec_of, in_words, kind_of
from blurscene_stream.source.sound import without_comments
from blurscene_stream.source.tags import in_words as tags_in_words
from blurscene_stream.source.tags import passing, said_twice, titled
from blurscene_stream.streams import CopiedMetadata, CopiedStream, StreamType

TRACKS = {  # what may be copied, the sound first
    Kind.sound: StreamType.audio,
    Kind.subtitles: StreamType.subtitle,
    Kind.data: StreamType.data,
    Kind.attachment: StreamType.attachment,
}
ALWAYS = {StreamType.audio: ("language", "title"), StreamType.attachment: ("filename", "mimetype")}  # tags
NO_FORMATS: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The streams of a container that a run reads.

    name:    the source as it may be printed
    video:   the one that is anonymized
    tracks:  what is copied: the sound, in the order of the file, then what was asked for
    kept:    tags and chapters that were asked for
    dropped: what is left behind, in words
    """

    name: str
    video: VideoStream
    tracks: tuple[CopiedStream, ...]
    kept: CopiedMetadata
    dropped: tuple[str, ...]

    @property
    def copied(self) -> list[Any]:
        """The streams whose packets are copied."""
        return [track.native for track in self.tracks if track.type is not StreamType.attachment]


def select(
    container: InputContainer, name: str, settings: Settings, formats: Mapping[int, str] = NO_FORMATS
) -> Selection:
    """Choose by allow-list: one video, all sound unless none is wanted, what is named; the rest is told in `dropped`.

    formats: of the tracks of an MP4 file, by their number
    Raises SourceError when there is no video that can be decoded, or several and none is chosen; ConfigError when
    what is chosen is no video.
    """
    keep = settings.keep
    kinds = {stream.index: kind_of(stream, container, formats) for stream in container.streams}
    video = _video(_Held(container, kinds, formats), name, settings.source.video)
    wanted = {kind for kind in TRACKS if kind.value in keep.streams}
    wanted |= {Kind.sound} if settings.encode.audio is not Sound.drop else set()
    tracks = tuple(
        _track(stream, TRACKS[kind], keep, (name, codec_of(stream, formats)))
        for kind in TRACKS
        for stream in container.streams
        if kinds[stream.index] is kind and kind in wanted
    )
    kept = _kept(container, video, keep)
    passed = {video.index, *(track.native.index for track in tracks)}
    left = [stream for stream in container.streams if stream.index not in passed]
    dropped = [in_words(one, kinds[one.index], formats) for one in left if not _told(kinds[one.index], keep)]
    if container.chapters() and not kept.chapters:
        count = len(container.chapters())
        dropped.append(f"{count} chapter{'' if count == 1 else 's'}")
    keys = dropped_keys(container, video, tracks, kept)
    return Selection(name, video, tracks, kept, (*dropped, *filter(None, [tags_in_words(keys)])))


@dataclass(frozen=True, slots=True)
class _Held:
    """The streams of a container, and what each is."""

    container: InputContainer
    kinds: Mapping[int, Kind]
    formats: Mapping[int, str]


def _video(held: _Held, name: str, chosen: int | None) -> VideoStream:
    """The one video; of several the chosen one, for a run that writes one would lose or reveal the others."""
    streams = held.container.streams
    videos = {stream.index: stream for stream in streams.video if held.kinds[stream.index] is not Kind.cover}
    if not videos:
        words = ", ".join(in_words(stream, held.kinds[stream.index], held.formats) for stream in streams) or "nothing"
        raise SourceError(f"{name}: there is no video in it, only {words}; give a video")
    looks = [f"{index} ({_look(stream)})" for index, stream in videos.items()]
    if chosen is not None and chosen not in videos:
        raise ConfigError(f"{name}: source.video must be the number of a video, {listed(looks)}, got {chosen}")
    if chosen is None and len(videos) > 1:
        raise SourceError(
            f"{name}: holds {len(videos)} videos, an output has room for one: choose with --set source.video=N, "
            f"N being {listed(looks)}; to have all, run once for each"
        )
    video = next(iter(videos.values())) if chosen is None else videos[chosen]
    if video.codec_context is None or video.width <= 0 or video.height <= 0:
        raise SourceError(f"{name}: the video's codec or size is unknown to this build; convert it first")
    return video


def _look(video: VideoStream) -> str:
    return f"{video.codec_context.name} {video.width}x{video.height}" if video.codec_context is not None else "unknown"


def _track(stream: Stream, kind: StreamType, keep: KeepConfig, names: tuple[str, str]) -> CopiedStream:
    """`names`: of the source, and of the codec."""
    tags = passing(tags_of(stream), keep.tags, ALWAYS.get(kind, ("language",)))
    name, codec = names
    try:
        header = without_comments(codec, stream.codec_context.extradata) if kind is StreamType.audio else None
    except ValueError as error:
        raise SourceError(f"{name}: the header of {codec} sound is damaged; convert the sound first") from error
    return CopiedStream(kind, codec, tags, int(stream.disposition), stream, header)


def tags_of(stream: Stream) -> Mapping[str, str]:
    """The tags of a stream, under the names that they pass by."""
    return titled(stream.metadata) if isinstance(stream, AudioStream | VideoStream) else stream.metadata


def _kept(container: InputContainer, video: VideoStream, keep: KeepConfig) -> CopiedMetadata:
    tags = passing(tags_of(video), keep.tags, ("language",))
    places = (video.metadata, container.metadata, *(stream.metadata for stream in container.streams.data))
    code = next((value for place in places for key, value in place.items() if key.casefold() == "timecode"), None)
    if "timecode" in keep.streams and code is not None:
        tags["timecode"] = code  # a muxer makes the track of it
    chapters = container.chapters() if "chapters" in keep.streams else []
    plain = [{**chapter, "metadata": passing(chapter["metadata"], keep.tags, ("title",))} for chapter in chapters]
    return CopiedMetadata(passing(container.metadata, keep.tags), tags, tuple(plain))


def _told(kind: Kind, keep: KeepConfig) -> bool:
    """Chapters are counted, and pass without the track that holds their titles; so does a timecode."""
    return kind is Kind.chapters or (kind is Kind.timecode and "timecode" in keep.streams)


def dropped_keys(
    container: InputContainer, video: VideoStream, tracks: Sequence[CopiedStream], kept: CopiedMetadata
) -> list[str]:
    """The keys of the tags of the file and of what passes of it that do not pass themselves."""
    pairs: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
        (container.metadata, kept.container),
        (tags_of(video), kept.video),
    ]
    pairs += [(tags_of(track.native), track.metadata) for track in tracks]
    return [key for tags, passed in pairs for key in tags if not _passes(key, passed) and not said_twice(key, tags)]


def _passes(key: str, passed: Mapping[str, str]) -> bool:
    """Whether a tag passes; Matroska has timecodes in capitals."""
    return key in passed or (key.casefold() == "timecode" and "timecode" in passed)
