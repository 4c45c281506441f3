"""Stream types of a container: video, audio, cover art, subtitles, GPS and other data, timecode, attachments."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from av.container import InputContainer
from av.stream import AttachmentStream, Disposition, Stream

COVER_ART = Disposition.attached_pic | Disposition.timed_thumbnails
IMAGE_MIMETYPES = ("image/", "video/")
FONT_SIGNATURES = (b"\0\1\0\0", b"OTTO", b"ttcf", b"true", b"wOFF", b"wOF2")  # TrueType, OpenType, WOFF
TIMECODE_FORMAT, CHAPTER_FORMAT = "tmcd", "text"  # of MP4
TIMED_ID3 = "timed_id3"
DATA_FORMATS = {  # those of MP4, as mp4ra.org registers them, and libav's names of codecs
    "gpmd": "GPS/sensor data",
    "camm": "GPS/sensor data",
    "mebx": "timed metadata",
    "rtmd": "camera data",
    "djmd": "flight data",
    "timed_id3": "timed ID3 tags",
    "klv": "KLV metadata",
    "scte_35": "SCTE-35 cue",
}


class InputStreamType(Enum):
    """Type of a stream; the values are the words of `--keep` where there is one."""

    video = "video"
    cover_art = "cover"
    audio = "audio"
    subtitle = "subtitles"
    bitmap_subtitle = "bitmap subtitles"
    data = "data"
    attachment = "attachments"
    timecode = "timecode"
    chapters = "chapters"
    unknown = "unknown"


def stream_type(stream: Stream, container: InputContainer, formats: Mapping[int, str]) -> InputStreamType:
    """Return the type of a stream.

    formats: sample formats of the tracks of an MP4 file, by track id
    """
    if stream.disposition & COVER_ART:
        return InputStreamType.cover_art
    if stream.type == "data":
        return _data_type(stream, container, formats.get(stream.id, ""))
    if isinstance(stream, AttachmentStream):
        return _attachment_type(stream)
    if stream.codec_context is None:
        return InputStreamType.unknown
    if stream.type == "subtitle":  # those of DVDs, Blu-rays and broadcasts are pictures, and no detector sees them
        is_text = stream.codec_context.codec.text_sub
        return InputStreamType.subtitle if is_text else InputStreamType.bitmap_subtitle
    types = {"video": InputStreamType.video, "audio": InputStreamType.audio}
    return types.get(stream.type, InputStreamType.unknown)


def _data_type(stream: Stream, container: InputContainer, sample_format: str) -> InputStreamType:
    if stream.name == TIMED_ID3:  # may hold pictures
        return InputStreamType.unknown
    if sample_format == TIMECODE_FORMAT or "timecode" in stream.metadata:
        return InputStreamType.timecode
    if sample_format == CHAPTER_FORMAT and container.chapters():
        return InputStreamType.chapters  # MP4 holds their titles in a track of their own
    # what libav has no name for may be anything, a video among them; in MP4 a video is marked as one
    return InputStreamType.data if stream.name or sample_format else InputStreamType.unknown


def _attachment_type(stream: AttachmentStream) -> InputStreamType:
    """Only fonts are attachments: no picture passes that no detector has seen, whatever it is called."""
    if (stream.mimetype or "").lower().startswith(IMAGE_MIMETYPES):
        return InputStreamType.cover_art
    is_font = stream.data.startswith(FONT_SIGNATURES)
    return InputStreamType.attachment if is_font else InputStreamType.unknown


def describe_stream(stream: Stream, input_type: InputStreamType, formats: Mapping[int, str]) -> str:
    """Describe a dropped stream for a message, such as "GPS/sensor data (gpmd) stream 3", without any tag."""
    codec = codec_name(stream, formats)
    if input_type is InputStreamType.cover_art:
        return f"cover picture {stream.index}" + (f" ({codec})" if codec else "")
    if input_type is InputStreamType.bitmap_subtitle:
        return f"bitmap subtitles ({codec}) stream {stream.index}"
    if codec in DATA_FORMATS:
        return f"{DATA_FORMATS[codec]} ({codec}) stream {stream.index}"
    return f"{stream.type or 'unknown'} stream {stream.index}" + (f" ({codec})" if codec else "")


def codec_name(stream: Stream, formats: Mapping[int, str]) -> str:
    """Return ffmpeg's name of the codec, else the container's of the sample format, else ""."""
    if isinstance(stream, AttachmentStream):
        return ""  # its name is the file's, which may be a person's
    # PyAV asks the codec for the name of a video or audio stream, also where there is none
    name = stream.codec_context.name if stream.codec_context is not None else getattr(stream, "name", None) or ""
    sample_format = formats.get(stream.id, "")
    return sample_format if sample_format.isprintable() and sample_format and name in ("", "bin_data") else name
