"""Videos with a word hidden in one place each, where cameras, phones and programs put what tells of a person.

`PLANTS` has a builder for each place: it writes a video into a folder, and returns its path.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec import CodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph

from tests.mp4_atoms import atom

WORD = "Kanarienvogel7"
CANARY = WORD.encode()
FRAMES, RATE, SOUND_RATE_HZ = 5, 25, 48_000
Plant = Callable[[Path], Path]
PLANTS: dict[str, Plant] = {}
NO_TAGS: Mapping[str, str] = MappingProxyType({})


def plant(name: str) -> Callable[[Plant], Plant]:
    """Enters a builder into PLANTS."""

    def enter(build: Plant) -> Plant:
        PLANTS[name] = build
        return build

    return enter


class Film:
    """A small video with audio that is being written.

    spoil: what becomes of each packet of the video; header: what becomes of the audio's header
    """

    def __init__(self, container: OutputContainer, codec: str, audio: str, header: Callable[[bytes], bytes] | None):
        self.container = container
        options = {"preset": "ultrafast"} if codec == "libx264" else {}
        if codec == "libx265":
            options = {"preset": "ultrafast", "x265-params": "log-level=error"}
        self.video = cast(VideoStream, container.add_stream(codec, rate=RATE, options=options))
        self.video.width, self.video.height = 64, 48
        self.video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        self._coded = coded_audio(audio)
        self.audio = container.add_stream_from_template(self._coded[0])
        if header:
            self.audio.codec_context.extradata = header(self._coded[0].codec_context.extradata or b"")
        self.spoil: Callable[[bytes, int], bytes] = lambda data, _: data
        self.spoil_audio: Callable[[bytes, int], bytes] = lambda data, _: data

    def finish(self) -> None:
        pictures = [packet for number in range(FRAMES) for packet in self.video.encode(self._picture(number))]
        for number, packet in enumerate([*pictures, *self.video.encode(None)]):
            self.container.mux(copy(packet, self.spoil(bytes(packet), number), self.video))
        for number, packet in enumerate(self._coded[1]):
            self.container.mux(copy(packet, self.spoil_audio(bytes(packet), number), self.audio))

    def _picture(self, number: int) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        frame = frame.reformat(format=self.video.pix_fmt)
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        return frame


def copy(packet: Packet[Any], data: bytes, stream: Any) -> Packet[Any]:
    made: Packet[Any] = Packet(data)
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    made.is_keyframe, made.stream = packet.is_keyframe, stream
    return made


def coded_audio(codec: str) -> tuple[AudioStream, list[Packet[Any]]]:
    """A fifth of a second of a tone: its stream, and its packets."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4" if codec == "alac" else "matroska") as container:
        stream = cast(AudioStream, container.add_stream(codec, rate=SOUND_RATE_HZ, options={"strict": "experimental"}))
        stream.codec_context.layout = "stereo"
        for start in range(0, 9600, 960):
            wave = (np.sin((start + np.arange(960)) / 20) * 9000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE_HZ, start, Fraction(1, SOUND_RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    memory.seek(0)
    opened = av.open(memory, "r")
    return opened.streams.audio[0], [packet for packet in opened.demux(audio=0) if packet.size]


@contextmanager
def film(
    path: Path,
    codec: str = "libx264",
    audio: str = "aac",
    header: Callable[[bytes], bytes] | None = None,
    options: dict[str, str] | None = None,
    tags: Mapping[str, str] = NO_TAGS,
) -> Iterator[Film]:
    with av.open(str(path), "w", container_options=options or {}) as container:
        container.metadata.update(tags)
        made = Film(container, codec, audio, header)
        yield made
        made.finish()


# --- tags

TAGS = {"location": f"+52.5+013.4/{WORD}", "creation_time": "2021-02-03T04:05:06Z"} | {
    key: f"{WORD} {key}" for key in ("title", "artist", "comment", "copyright", "make", "model", "description")
}


def _tags(suffix: str, **more: str) -> Plant:
    def build(folder: Path) -> Path:
        with film(folder / f"in.{suffix}", tags={**TAGS, **more}):
            pass
        return folder / f"in.{suffix}"

    return build


for _suffix in ("mp4", "mov", "mkv", "avi", "flv"):
    PLANTS[f"tags of {_suffix}"] = _tags(_suffix)
PLANTS["names of the service of ts"] = _tags("ts", service_name=WORD, service_provider=WORD)


@plant("keys of QuickTime")
def _mdta(folder: Path) -> Path:
    path = folder / "in.mov"
    keys = {f"com.apple.quicktime.{key}": f"{WORD} {key}" for key in ("location.ISO6709", "make", "author")}
    with film(path, options={"movflags": "use_metadata_tags"}, tags=keys):
        pass
    return path


def _stream_tags(suffix: str) -> Plant:
    def build(folder: Path) -> Path:
        path = folder / f"in.{suffix}"
        with film(path) as made:
            for stream in (made.video, made.audio):
                stream.metadata.update({"handler_name": f"{WORD} handler", "comment": WORD, "encoder": WORD})
            made.video.metadata["title"] = WORD
        return path

    return build


for _suffix in ("mp4", "mov", "mkv"):
    PLANTS[f"tags of streams of {_suffix}"] = _stream_tags(_suffix)


@plant("a language of mkv that is none")
def _language(folder: Path) -> Path:
    with film(folder / "in.mkv") as made:
        made.audio.metadata["language"] = made.video.metadata["language"] = WORD
    return folder / "in.mkv"


def _chapters(suffix: str) -> Plant:
    def build(folder: Path) -> Path:
        with film(folder / f"in.{suffix}") as made:
            chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": WORD}}
            made.container.set_chapters([cast(Any, chapter)])
        return folder / f"in.{suffix}"

    return build


for _suffix in ("mp4", "mkv"):
    PLANTS[f"chapters of {_suffix}"] = _chapters(_suffix)


# --- other streams


def _subtitles(suffix: str, codec: str) -> Plant:
    def build(folder: Path) -> Path:
        path = folder / f"in.{suffix}"
        with film(path) as made:
            texts = add_subtitles(made.container, codec)
            made.container.mux(texts)
        return path

    return build


def add_subtitles(container: OutputContainer, codec: str, words: Sequence[str] = (WORD,)) -> list[Packet[Any]]:
    """A track of subtitles, and its packets: each word for 40 ms."""
    text = "".join(f"{n + 1}\n00:00:00,{n * 80:03} --> 00:00:00,{n * 80 + 40:03}\n{w}\n\n" for n, w in enumerate(words))
    source = av.open(io.BytesIO(text.encode()), "r", format="srt")
    given = source.streams.subtitles[0]
    stream = cast(Any, container.add_stream(codec))
    given.codec_context.open(strict=False)
    stream.codec_context.subtitle_header = given.codec_context.subtitle_header
    stream.codec_context.time_base = Fraction(1, 1000)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "ita"
    made = []
    for packet in source.demux(given):
        found = given.codec_context.decode2(packet) if packet.size else None
        if found is not None:
            coded = stream.codec_context.encode_subtitle(found)
            coded.pts, coded.dts, coded.duration = packet.pts, packet.pts, packet.duration
            coded.time_base, coded.stream = packet.time_base, stream
            made.append(coded)
    return made


PLANTS["subtitles of mp4"] = _subtitles("mp4", "mov_text")
PLANTS["subtitles of mkv"] = _subtitles("mkv", "subrip")


def _data(suffix: str, codec: str, form: bytes = b"gpmd") -> Plant:
    def build(folder: Path) -> Path:
        path = folder / f"in.{suffix}"
        with film(path) as made:
            stream = made.container.add_data_stream(codec)
            for number in range(FRAMES):
                packet: Packet[Any] = Packet(f"DEVC {WORD} {number}".encode())
                packet.stream, packet.pts, packet.dts = stream, number * 40, number * 40
                packet.duration, packet.time_base = 40, Fraction(1, 1000)
                made.container.mux(packet)
        if form != b"gpmd":
            path.write_bytes(path.read_bytes().replace(b"gpmd", form))
        return path

    return build


PLANTS["GPS track of mp4 (gpmd)"] = _data("mp4", "bin_data")
PLANTS["GPS track of mp4 (camm)"] = _data("mp4", "bin_data", b"camm")
PLANTS["timed metadata of mp4 (mebx)"] = _data("mp4", "bin_data", b"mebx")
for _codec in ("klv", "timed_id3", "bin_data"):
    PLANTS[f"{_codec} of ts"] = _data("ts", _codec)


@plant("name of the reel of a timecode")
def _reel(folder: Path) -> Path:
    with film(folder / "in.mov") as made:
        made.video.metadata.update({"timecode": "01:02:03:04", "reel_name": WORD})
    return folder / "in.mov"


def font() -> bytes:
    """A font with a word in it, and behind it."""
    made, file = FontBuilder(1000, isTTF=True), io.BytesIO()
    made.setupGlyphOrder([".notdef", "A"])
    made.setupCharacterMap({65: "A"})
    made.setupGlyf({".notdef": Glyph(), "A": Glyph()})
    made.setupHorizontalMetrics({".notdef": (500, 0), "A": (500, 0)})
    made.setupHorizontalHeader()
    made.setupNameTable({"familyName": "Plain", "styleName": "Regular", "copyright": WORD})
    made.setupOS2()
    made.setupPost()
    made.save(file)
    return file.getvalue() + CANARY


@plant("attachment of mkv")
def _attachment(folder: Path) -> Path:
    with film(folder / "in.mkv") as made:
        made.container.add_attachment(f"{WORD}.ttf", "application/x-truetype-font", font())
    return folder / "in.mkv"


@plant("cover picture of mp4")
def _cover(folder: Path) -> Path:
    with film(folder / "in.mp4") as made:
        cover = made.container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        made.container.start_encoding()
        packet: Packet[Any] = Packet(jpeg())
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, RATE)
        made.container.mux(packet)
    return folder / "in.mp4"


def _attached_picture(name: str, kind: str) -> Plant:
    def build(folder: Path) -> Path:
        with film(folder / "in.mkv") as made:
            made.container.add_attachment(name, kind, jpeg())
        return folder / "in.mkv"

    return build


PLANTS["cover picture of mkv"] = _attached_picture("cover.jpg", "image/jpeg")
PLANTS["picture under another name"] = _attached_picture("font.ttf", "application/x-truetype-font")


def jpeg() -> bytes:
    """A picture with a comment in it."""
    coder = CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = 32, 32, "yuvj420p", Fraction(1, RATE)
    return jpeg_comment(bytes(coder.encode(av.VideoFrame(32, 32, "yuvj420p"))[0]))


def jpeg_comment(picture: bytes) -> bytes:
    """A JPEG with a comment in it (ISO/IEC 10918-1, B.2.4.5)."""
    return picture[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(CANARY)) + CANARY + picture[2:]


@plant("comments of ogg")
def _ogg(folder: Path) -> Path:
    with film(folder / "in.ogv", codec="libvpx", audio="flac") as made:
        for stream in (made.video, made.audio):
            stream.metadata.update({"ARTIST": WORD, "location": WORD})
    return folder / "in.ogv"


# --- atoms and chunks that libav does not know


XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3, 1.1.5


@plant("atoms at the end of mp4")
def _atoms(folder: Path) -> Path:
    with film(folder / "in.mp4"):
        pass
    with (folder / "in.mp4").open("ab") as file:
        for name, body in ((b"uuid", XMP + CANARY), (b"free", CANARY), (b"skip", CANARY), (b"meta", CANARY)):
            file.write(atom(name, body))
    return folder / "in.mp4"


@plant("atoms inside moov of mp4")
def _inner_atoms(folder: Path) -> Path:
    path = folder / "in.mp4"
    with film(path):
        pass
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    assert at + size == len(data)
    place = atom(b"\xa9xyz", struct.pack(">HH", len(CANARY), 0x15C7) + CANARY)
    more = atom(b"udta", place + atom(b"GPS ", CANARY) + atom(b"XMP_", CANARY)) + atom(b"uuid", XMP + CANARY)
    path.write_bytes(data[:at] + struct.pack(">I", size + len(more)) + data[at + 4 :] + more)
    return path


@plant("chunks of avi")
def _chunks(folder: Path) -> Path:
    path = folder / "in.avi"
    with film(path, codec="mjpeg", audio="pcm_s16le"):
        pass
    data = path.read_bytes()
    words = CANARY + b"\0" * (len(CANARY) % 2)
    body = b"INFO" + b"".join(name + struct.pack("<I", len(words)) + words for name in (b"ISFT", b"IART", b"ICMT"))
    more = b"LIST" + struct.pack("<I", len(body)) + body + b"JUNK" + struct.pack("<I", len(words)) + words
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8 + len(more)) + data[8:] + more)
    return path


@plant("beside the audio of mkv (BlockAdditions)")
def _block_additions(folder: Path) -> Path:
    """In a cluster of its own at the end; a recorder that writes live does not tell how long the whole is."""
    path = folder / "in.mkv"
    with film(path, audio="libopus", options={"live": "1"}):
        pass
    block = element(0xA1, b"\x82" + struct.pack(">hB", 0, 0) + bytes(coded_audio("libopus")[1][0]))
    more = element(0x75A1, element(0xA6, element(0xEE, b"\x01") + element(0xA5, CANARY)))
    cluster = element(0x1F43B675, element(0xE7, struct.pack(">H", 300)) + element(0xA0, block + more))
    with path.open("ab") as file:
        file.write(cluster)
    return path


def element(number: int, body: bytes) -> bytes:
    """An element of EBML, its length in four bytes (RFC 8794)."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + struct.pack(">I", 0x10000000 | len(body)) + body


# --- inside the coded video and the coded audio

ANY_UUID = "086f3693b7b34f2c965321492feee5b8"
CAPTION = bytes.fromhex("b50031") + b"GA94\x03"  # ATSC A/53 part 4, 6.2.3
A53_PAIRS = [CANARY[place : place + 2] for place in range(0, len(CANARY), 2)]
A53 = CAPTION + bytes([0x40 | len(A53_PAIRS), 0xFF]) + b"".join(b"\xfc" + pair for pair in A53_PAIRS) + b"\xff"


def sei(kind: int, body: bytes, start: bytes) -> bytes:
    """A NAL unit of supplementary information behind a start code (H.264 and H.265, 7.3.2.3)."""
    return b"\0\0\0\1" + start + bytes([kind, len(body)]) + body + b"\x80"


def _sei(codec: str, kind: int, body: bytes) -> Plant:
    start = b"\x06" if codec == "libx264" else b"\x4e\x01"

    def build(folder: Path) -> Path:
        with film(folder / "in.mp4", codec=codec) as made:
            made.spoil = lambda data, _: sei(kind, body, start) + data
        return folder / "in.mp4"

    return build


for _name, _codec in (("H.264", "libx264"), ("HEVC", "libx265")):
    PLANTS[f"user data of {_name}"] = _sei(_codec, 5, bytes.fromhex(ANY_UUID) + CANARY)
    PLANTS[f"captions of {_name}"] = _sei(_codec, 4, A53)


@plant("user data of MPEG-2")
def _mpeg2(folder: Path) -> Path:
    with film(folder / "in.ts", codec="mpeg2video", audio="mp2") as made:
        made.spoil = lambda data, _: data.replace(b"\0\0\1\x01", b"\0\0\1\xb2" + CANARY + b"\0\0\1\x01", 1)
    return folder / "in.ts"


@plant("comments of JPEG pictures")
def _mjpeg(folder: Path) -> Path:
    with film(folder / "in.mov", codec="mjpeg") as made:
        made.spoil = lambda data, _: jpeg_comment(data)
    return folder / "in.mov"


def comments() -> bytes:
    """Comments of Vorbis with one entry."""
    entry = b"LOCATION=" + CANARY
    return struct.pack("<I", len(CANARY)) + CANARY + struct.pack("<II", 1, len(entry)) + entry


def vorbis_comments(header: bytes) -> bytes:
    """The three packets of a header, laced, with another one in the middle; the first always has 30 bytes."""
    assert header[:2] == b"\x02\x1e"
    second = next(place for place in range(2, len(header)) if header[place] != 255)
    packets = header[second + 1 :]
    setup = packets[30 + sum(header[2 : second + 1]) :]
    comment = b"\x03vorbis" + comments() + b"\x01"
    return b"\x02\x1e" + bytes([len(comment)]) + packets[:30] + comment + setup


def _in_audio(suffix: str, codec: str, header: Callable[[bytes], bytes]) -> Plant:
    def build(folder: Path) -> Path:
        with film(folder / f"in.{suffix}", audio=codec, header=header):
            pass
        return folder / f"in.{suffix}"

    return build


for _suffix in ("mkv", "mp4"):
    PLANTS[f"comments of Vorbis in {_suffix}"] = _in_audio(_suffix, "vorbis", vorbis_comments)
for _codec in ("libopus", "aac"):
    PLANTS[f"behind the header of {_codec}"] = _in_audio("mkv", _codec, lambda header: header + CANARY)
PLANTS["behind the header of alac"] = _in_audio("mkv", "alac", lambda header: header + CANARY)
# LC at 48 kHz with a channel layout of its own, one pair in front (ISO/IEC 14496-3, 1.6.2.1 and 4.4.1.1)
AAC_LAYOUT = bytes.fromhex("1180 04c4 0000 20".replace(" ", ""))
PLANTS["comment in the header of aac"] = _in_audio("mkv", "aac", lambda _: AAC_LAYOUT + bytes([len(CANARY)]) + CANARY)
for _codec in ("pcm_s16le", "libmp3lame", "mp2", "ac3"):
    PLANTS[f"a header of {_codec}, which needs none"] = _in_audio("mkv", _codec, lambda _: CANARY)


def id3() -> bytes:
    """An ID3 tag with a title (ID3v2.4, 3.1 and 4)."""
    frame = b"TIT2" + struct.pack(">IH", 1 + len(CANARY), 0) + b"\x03" + CANARY
    return b"ID3\x04\0\0" + struct.pack(">I", len(frame)) + frame


def _id3(suffix: str) -> Plant:
    def build(folder: Path) -> Path:
        with film(folder / f"in.{suffix}", audio="libmp3lame") as made:
            made.spoil_audio = lambda data, number: (id3() if number in (0, 3) else b"") + data
        return folder / f"in.{suffix}"

    return build


for _suffix in ("avi", "mkv", "ts", "mp4"):
    PLANTS[f"ID3 tag in the audio of {_suffix}"] = _id3(_suffix)


@plant("ID3v1 tag at the end of the audio of mkv")
def _id3v1(folder: Path) -> Path:
    with film(folder / "in.mkv", audio="libmp3lame") as made:
        made.spoil_audio = lambda data, number: (b"TAG" + CANARY).ljust(128, b"\0") if number == 5 else data
    return folder / "in.mkv"
