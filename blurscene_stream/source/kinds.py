"""What a stream of a container is, in the words of `--keep` and in those of a message."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from av.container import InputContainer
from av.stream import AttachmentStream, Disposition, Stream

COVER = Disposition.attached_pic | Disposition.timed_thumbnails
PICTURE_TYPES = ("image/", "video/")
FONT_STARTS = (b"\0\1\0\0", b"OTTO", b"ttcf", b"true", b"wOFF", b"wOF2")  # TrueType, OpenType, WOFF
CHAPTER_TEXT = "text"
FORMATS = {  # those of MP4, as mp4ra.org registers them, and libav's names of codecs
    "gpmd": "GPS/sensor data",
    "camm": "GPS/sensor data",
    "mebx": "timed metadata",
    "rtmd": "camera data",
    "djmd": "flight data",
    "timed_id3": "timed ID3 tags",
    "klv": "KLV metadata",
    "scte_35": "SCTE-35 cue",
}


class Kind(Enum):
    """What a stream is; the values are the words of `--keep` where there is one."""

    video = "video"
    cover = "cover"
    sound = "sound"
    subtitles = "subtitles"
    drawings = "drawings"
    data = "data"
    attachment = "attachments"
    timecode = "timecode"
    chapters = "chapters"
    unknown = "unknown"


def kind_of(stream: Stream, container: InputContainer, formats: Mapping[int, str]) -> Kind:
    """What a stream is.

    formats: of the tracks of an MP4 file, by their number
    """
    if stream.disposition & COVER:
        return Kind.cover
    if stream.type == "data":
        return _kind_of_data(stream, container, formats.get(stream.id, ""))
    if isinstance(stream, AttachmentStream):
        return _kind_of_attachment(stream)
    if stream.codec_context is None:
        return Kind.unknown
    if stream.type == "subtitle":  # those of DVDs, discs and broadcasts are pictures, and no picture passes unjudged
        return Kind.subtitles if stream.codec_context.codec.text_sub else Kind.drawings
    return {"video": Kind.video, "audio": Kind.sound}.get(stream.type, Kind.unknown)


def _kind_of_data(stream: Stream, container: InputContainer, form: str) -> Kind:
    if form == "tmcd" or "timecode" in stream.metadata:
        return Kind.timecode
    if form == CHAPTER_TEXT and container.chapters():
        return Kind.chapters  # MP4 holds their titles in a track of their own
    # what libav has no name for may be anything, a video among them; in MP4 a video says so
    return Kind.data if stream.name or form else Kind.unknown


def _kind_of_attachment(stream: AttachmentStream) -> Kind:
    """No picture passes that nobody has judged, whatever it is called: only fonts and text are attachments."""
    if (stream.mimetype or "").lower().startswith(PICTURE_TYPES):
        return Kind.cover
    data = stream.data
    return Kind.attachment if data.startswith(FONT_STARTS) or _is_text(data) else Kind.unknown


def _is_text(data: bytes) -> bool:
    """UTF-8 without control characters other than those of lines, and no drawing."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(char >= " " or char in "\t\n\r\f" for char in text) and "<svg" not in text.lower()


def in_words(stream: Stream, kind: Kind, formats: Mapping[int, str]) -> str:
    """A stream that is left behind, as a message has it: "GPS/sensor data (gpmd) stream 3". No tag is told."""
    codec = codec_of(stream, formats)
    if kind is Kind.cover:
        return f"cover picture {stream.index}" + (f" ({codec})" if codec else "")
    if kind is Kind.drawings:
        return f"subtitles that are pictures ({codec}) stream {stream.index}"
    if codec in FORMATS:
        return f"{FORMATS[codec]} ({codec}) stream {stream.index}"
    return f"{stream.type or 'unknown'} stream {stream.index}" + (f" ({codec})" if codec else "")


def codec_of(stream: Stream, formats: Mapping[int, str]) -> str:
    """ffmpeg's name of the codec, else the container's of the format, else ""."""
    if isinstance(stream, AttachmentStream):
        return ""  # its name is the file's, which may be a person's
    # PyAV asks the codec for the name of a video or a sound, also where there is none
    name = stream.codec_context.name if stream.codec_context is not None else getattr(stream, "name", None) or ""
    form = formats.get(stream.id, "")
    return form if form and form.isprintable() and (not name or name == "bin_data") else name
