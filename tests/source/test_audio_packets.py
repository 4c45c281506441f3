"""Bytes in and behind the frames of copied audio are no audio: none of them comes through, and the audio stays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, sampled_from

from blurscene_stream.config.schema import AudioMode, EncodeConfig, Settings
from blurscene_stream.errors import CorruptInputError
from blurscene_stream.source.scrub.audio_frames import FRAME_BYTES, frame_scrub, scrub_aac
from blurscene_stream.source.scrub.opus_packets import scrub_opus
from tests.canaries import CANARY, coded_audio, film, jpeg
from tests.pipeline.runs import anonymize, fails

JPEG = jpeg()
AAC_48_KHZ = 3
CODECS = ("aac", "libmp3lame", "mp2", "ac3", "eac3", "libopus", "vorbis", "flac", "alac", "pcm_s16le")


def bits(*fields: tuple[int, int]) -> tuple[int, int]:
    """Numbers and their widths, as one number and its width."""
    number = width = 0
    for value, size in fields:
        number, width = number << size | value, width + size
    return number, width


def in_front(*fields: tuple[int, int]) -> Callable[[bytes], bytes]:
    """An element of AAC before all others."""

    def spoil(data: bytes) -> bytes:
        number, width = bits(*fields, (int.from_bytes(data, "big"), 8 * len(data)))
        return (number << -width % 8).to_bytes((width + 7) // 8, "big")

    return spoil


def before_the_end(data: bytes) -> bytes:
    """A data stream element of AAC as the last one; the end is 111, filled up with zeros."""
    number = int.from_bytes(data, "big")
    unused = (number & -number).bit_length() + 2
    start = 8 * len(data) - unused
    fields = ((number >> unused, start), (4, 3), (0, 4), (1, 1), (len(CANARY), 8), (0, -start % 8))
    number, width = bits(*fields, (int.from_bytes(CANARY, "big"), 8 * len(CANARY)), (7, 3))
    return (number << -width % 8).to_bytes((width + 7) // 8, "big")


def as_number(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data, "big"), 8 * len(data)


def in_padding(data: bytes) -> bytes:
    """A packet of one frame of Opus, padded (RFC 6716, 3.2.5)."""
    assert not data[0] & 3
    return bytes([data[0] | 3, 0x41, len(CANARY)]) + data[1:] + CANARY


PLACES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    **{f"behind a frame of {codec}": (codec, lambda data: data + JPEG) for codec in CODECS[:5]},
    "behind zeros behind a frame of aac": ("aac", lambda data: data + bytes(9) + JPEG),
    "data element of aac": ("aac", in_front((4, 3), (5, 4), (1, 1), (len(CANARY), 8), as_number(CANARY))),
    "last data element of aac": ("aac", before_the_end),
    "fill element of aac": ("aac", in_front((6, 3), (15, 4), (len(CANARY) - 13, 8), (0, 8), as_number(CANARY))),
    "padding of opus": ("libopus", in_padding),
}


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def samples(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray().tobytes() for frame in container.decode(audio=0))


@pytest.mark.parametrize("name", PLACES)
def test_what_is_no_audio_goes_and_the_audio_stays(name: str, tmp_path: Path) -> None:
    codec, spoil = PLACES[name]
    source, honest, after = (tmp_path / f"{name}.mkv" for name in ("in", "honest", "out"))
    with film(honest, audio=codec):
        pass
    with film(source, audio=codec) as made:
        made.spoil_audio = lambda data, _: spoil(data)
    anonymize(source, after)
    assert CANARY not in b"".join(packets(after))
    assert samples(after) == samples(honest)
    if name.startswith("behind"):
        assert packets(after) == packets(honest)


def test_fill_at_any_bit_goes() -> None:
    """Elements begin at any bit, so that what is in them is not to be found by its bytes."""
    honest = [bytes(packet) for packet in coded_audio("aac")[1]][3]
    for shift in range(8):
        spoil = in_front(*[((6, 3)), (0, 4)] * shift, (6, 3), (14, 4), *[(1, 4), (9, 4)], as_number(CANARY[:13]))
        clean = scrub_aac(spoil(honest), AAC_48_KHZ)
        start = 7 * shift + 7
        assert int.from_bytes(clean, "big") >> 8 * len(clean) - start - 14 * 8 & (1 << 14 * 8) - 1 == 0
        assert scrub_aac(clean, AAC_48_KHZ) == clean


def test_adts_frames_are_cut_and_keep_their_header(tmp_path: Path) -> None:
    """MPEG-TS has a header before each frame, which counts what lies behind it too."""
    source, honest = tmp_path / "in.ts", tmp_path / "honest.ts"
    with film(honest, audio="aac"):
        pass
    with film(source, audio="aac") as made:
        made.spoil_audio = lambda data, _: data + JPEG
    assert packets(source) != packets(honest)
    for suffix in ("ts", "mp4"):
        anonymize(source, tmp_path / f"out.{suffix}")
        anonymize(honest, tmp_path / f"other.{suffix}")
        assert packets(tmp_path / f"out.{suffix}") == packets(tmp_path / f"other.{suffix}")


@pytest.mark.parametrize("codec", ["aac", "flac", "vorbis", "ac3"])
def test_a_packet_that_is_no_frame_ends_the_run(codec: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with film(source, audio=codec) as made:
        made.spoil_audio = lambda data, number: JPEG if number == 1 else data
    (tmp_path / "out").mkdir()
    message = fails(CorruptInputError, source, tmp_path / "out" / "out.mkv")
    assert "is no frame of" in message and "choose --audio" in message
    anonymize(source, tmp_path / "out" / "none.mkv", Settings(encode=EncodeConfig(audio=AudioMode.drop)))


@pytest.mark.parametrize("codec", ["flac", "vorbis", "alac"])
def test_what_no_decoder_reads_ends_the_run(codec: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with film(source, audio=codec) as made:
        made.spoil_audio = lambda data, number: data + JPEG if number == 1 else data
    (tmp_path / "out").mkdir()
    assert "is no frame of" in fails(CorruptInputError, source, tmp_path / "out" / "out.mkv")


@pytest.mark.parametrize(("codec", "suffix"), [*(("libmp3lame", end) for end in ("mkv", "mp4", "ts")), ("ac3", "ts")])
def test_what_lies_between_frames_goes(codec: str, suffix: str, tmp_path: Path) -> None:
    """FFmpeg looks for these frames itself, and gives what lies between two of them with the second one."""
    source, honest, after = (tmp_path / f"{name}.{suffix}" for name in ("in", "honest", "out"))
    with film(honest, audio=codec):
        pass
    with film(source, audio=codec) as made:
        made.spoil_audio = lambda data, number: JPEG if number == 2 else data
    anonymize(source, after)
    assert CANARY in b"".join(packets(source))
    assert CANARY not in after.read_bytes()
    assert packets(after) == packets(honest)[:2] + packets(honest)[3:]


def test_a_recording_may_begin_and_end_within_a_frame(tmp_path: Path) -> None:
    source, after = tmp_path / "in.mkv", tmp_path / "out.mkv"
    whole = [bytes(packet) for packet in coded_audio("aac")[1]]
    with film(source, audio="aac") as made:
        last = len(whole) - 1
        made.spoil_audio = lambda data, number: data[9:] if number == 0 else data[:-3] if number == last else data
    anonymize(source, after)
    assert packets(after) == whole[1:-1]


@pytest.mark.parametrize("codec", ["wavpack", "tta"])
def test_a_codec_that_cannot_be_checked_is_encoded_again(
    codec: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with film(tmp_path / "in.mkv", audio=codec):
        pass
    with caplog.at_level(logging.WARNING):
        anonymize(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert f"{codec} audio may hold other data and cannot be checked for it, it is encoded as aac" in caplog.text
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


@pytest.mark.parametrize("codec", CODECS)
def test_honest_packets_pass_as_they_are(codec: str) -> None:
    stream, coded = coded_audio(codec)
    context = stream.codec_context
    scrub = frame_scrub(context.name, context.extradata, context)
    assert scrub is not None
    for packet in coded:
        assert scrub(bytes(packet)) == bytes(packet)


@given(binary(max_size=300), sampled_from([None, *range(13)]))
def test_no_bytes_break_the_parser_of_aac(data: bytes, rate_index: int | None) -> None:
    try:
        clean = scrub_aac(data, rate_index)
    except (ValueError, IndexError):
        return
    assert len(clean) <= len(data)
    assert scrub_aac(clean, rate_index) == clean


@given(binary(max_size=300), integers(1, 3))
def test_no_bytes_break_the_parser_of_opus(data: bytes, streams: int) -> None:
    try:
        clean = scrub_opus(data, bytes(18) + bytes([1, streams]))
    except (ValueError, IndexError):
        return
    assert clean == scrub_opus(clean, bytes(18) + bytes([1, streams]))
    assert len(clean) <= len(data)


@pytest.mark.parametrize(
    ("codec", "header", "size"),
    [
        ("mp3", "fffb9064", 417),  # 128 kbit/s, 44.1 kHz
        ("mp3", "fffb9264", 418),  # padded
        ("mp3", "fff348c4", 144),  # MPEG-2, 32 kbit/s, 16 kHz
        ("mp3", "ffe348c4", 288),  # MPEG-2.5, 8 kHz
        ("mp2", "fffda404", 576),  # 192 kbit/s, 48 kHz
        ("mp1", "ffff1004", 32),  # 32 kbit/s, 44.1 kHz: slots of 4 bytes
        ("ac3", "0b7700001440", 768),  # 192 kbit/s, 48 kHz
        ("ac3", "0b7700005540", 836),  # 44.1 kHz
        ("ac3", "0b7700009440", 1152),  # 32 kHz
        ("eac3", "0b7701ff3f80", 1024),
        ("amrnb", "3c", 32),  # 12.2 kbit/s
        ("amrwb", "44", 61),  # 23.85 kbit/s
    ],
)
def test_headers_tell_how_long_a_frame_is(codec: str, header: str, size: int) -> None:
    start = bytes.fromhex(header)
    assert FRAME_BYTES[codec](start) == size
    scrub = frame_scrub(codec, None, None)
    assert scrub is not None
    frame = start.ljust(size, b"\x11")
    assert scrub(frame + frame + CANARY) == frame + frame
    with pytest.raises((ValueError, IndexError)):
        scrub(frame[:-1])
