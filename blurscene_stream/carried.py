"""What passes beside the pictures: the sound, and what was asked for by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class TrackKind(Enum):
    """What a track that is copied holds."""

    sound = "sound"
    subtitles = "subtitles"
    data = "data that belongs to times, such as where a camera was"
    attachment = "a file that has no time; there are no packets of it"


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A track that is copied.

    kind:        what it holds
    codec:       ffmpeg's name, such as "aac", or that of the format where ffmpeg has none, such as "camm"
    tags:        the tags that pass with it
    disposition: ffmpeg's flags (default, forced ...)
    native:      the stream as its source holds it; for the sink
    header:      of sound: what a decoder must know before the first packet, without comments; None when that is nothing
    """

    kind: TrackKind
    codec: str
    tags: Mapping[str, str]
    disposition: int
    native: Any = field(repr=False)
    header: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class KeptTags:
    """What passes beside pictures and tracks, because it was asked for by name.

    whole:    tags of the file
    video:    tags of the video
    chapters: as PyAV has them, without tags other than the title
    """

    whole: Mapping[str, str] = field(default_factory=dict)
    video: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Any, ...] = ()
