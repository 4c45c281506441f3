"""What a container holds: the video to anonymize, the sound to copy, and what is left behind."""

from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from blurscene_stream.config.rules import listed
from blurscene_stream.config.schema import Settings, Sound
from blurscene_stream.errors import ConfigError, SourceError
from blurscene_stream.frames import Track


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The streams of a container that a run reads.

    name:    the source as it may be printed
    video:   the one that is anonymized
    audio:   copied; in the order of the file
    dropped: what is left behind, in words
    """

    name: str
    video: VideoStream
    audio: tuple[AudioStream, ...]
    dropped: tuple[str, ...]

    def tracks(self) -> tuple[Track, ...]:
        """The sound tracks as a sink must know them."""
        return tuple(
            Track(stream.codec_context.name, stream.metadata.get("language", ""), int(stream.disposition), stream)
            for stream in self.audio
        )


def select(container: InputContainer, name: str, settings: Settings) -> Selection:
    """Choose by allow-list: one video, all sound if it is wanted; the rest is named in `dropped`.

    Raises SourceError when there is no video that can be decoded, or several and none is chosen; ConfigError when
    what is chosen is no video.
    """
    video = _video(container, name, settings.source.video)
    if video.codec_context is None or video.width <= 0 or video.height <= 0:
        raise SourceError(f"{name}: the video's codec or size is unknown to this build; convert it first")
    sound = container.streams.audio if settings.encode.audio is not Sound.drop else ()
    audio = tuple(stream for stream in sound if stream.codec_context is not None)
    kept = {video.index, *(stream.index for stream in audio)}
    dropped = [_words(stream) for stream in container.streams if stream.index not in kept]
    if container.chapters():
        dropped.append(f"{len(container.chapters())} chapters")
    return Selection(name, video, audio, tuple(dropped))


def _video(container: InputContainer, name: str, chosen: int | None) -> VideoStream:
    """The one video; of several the chosen one, for a run that writes one would lose or reveal the others."""
    videos = {stream.index: stream for stream in container.streams.video if not _is_cover(stream)}
    if not videos:
        held = ", ".join(_words(stream) for stream in container.streams) or "nothing"
        raise SourceError(f"{name}: there is no video in it, only {held}; give a video")
    looks = [f"{index} ({_look(stream)})" for index, stream in videos.items()]
    if chosen is not None:
        if chosen not in videos:
            raise ConfigError(f"{name}: source.video must be the number of a video, {listed(looks)}, got {chosen}")
        return videos[chosen]
    if len(videos) > 1:
        raise SourceError(
            f"{name}: holds {len(videos)} videos, an output has room for one: choose with --set source.video=N, "
            f"N being {listed(looks)}; to have all, run once for each"
        )
    return next(iter(videos.values()))


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _words(stream: Stream) -> str:
    kind = "cover picture" if _is_cover(stream) else f"{stream.type or 'unknown'} stream"
    codec = stream.codec_context.name if stream.codec_context is not None else ""
    return f"{kind} {stream.index}" + (f" ({codec})" if codec else "")


def _look(video: VideoStream) -> str:
    return f"{video.codec_context.name} {video.width}x{video.height}" if video.codec_context is not None else "unknown"
