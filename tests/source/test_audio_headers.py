"""Audio headers and packets lose their comments, and nothing that is heard."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, sampled_from

from blurscene_stream.errors import SourceError
from blurscene_stream.source.scrub.audio_headers import scrub_extradata
from blurscene_stream.source.scrub.audio_packets import without_tags
from tests.canaries import AAC_LAYOUT, CANARY, coded_audio, film, id3
from tests.pipeline.runs import anonymize, fails

CODECS = (
    "aac",
    "vorbis",
    "libopus",
    "flac",
    "alac",
    "libmp3lame",
    "mp2",
    "ac3",
    "eac3",
    "tta",
    "wavpack",
    "pcm_s16le",
    "pcm_s24le",
)


def heard(path: Path) -> tuple[str, bytes, int]:
    """The codec, all packets, and how many samples they decode to."""
    with av.open(str(path)) as container:
        codec = container.streams.audio[0].codec_context.name
        packets = b"".join(bytes(packet) for packet in container.demux(audio=0))
    with av.open(str(path)) as container:
        return codec, packets, sum(frame.samples for frame in container.decode(audio=0))


@pytest.mark.parametrize("target", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("codec", CODECS)
def test_what_is_heard_stays_the_same(codec: str, target: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with film(source, audio=codec):
        pass
    anonymize(source, tmp_path / f"out.{target}")
    before, after = heard(source), heard(tmp_path / f"out.{target}")
    assert before[2] >= 9600
    if before[0] == after[0]:  # MOV takes no Opus, Vorbis or FLAC
        assert after[1] == before[1]
        assert abs(after[2] - before[2]) <= 4096  # of silence before and behind, as the container tells it


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_without_comments_passes_as_it_is(codec: str) -> None:
    header = coded_audio(codec)[0].codec_context.extradata
    clean = scrub_extradata(codec, header)
    assert clean == header or codec == "vorbis"
    assert scrub_extradata(codec, clean) == clean


def test_blocks_behind_the_first_one_of_flac_go() -> None:
    streaminfo = bytes(range(34))
    picture = b"\x86\0\0\x04FACE"  # RFC 9639, 8.8
    assert scrub_extradata("flac", streaminfo + picture) == streaminfo
    assert scrub_extradata("flac", b"fLaC\0\0\0\x22" + streaminfo + picture) == streaminfo


@pytest.mark.parametrize("codec", ["tta", "wavpack", "alac", "libopus"])
def test_whatever_follows_a_header_of_known_length_is_cut(codec: str) -> None:
    header = coded_audio(codec)[0].codec_context.extradata
    assert scrub_extradata(codec, (header or b"") + CANARY) == header


@given(binary(max_size=40))
def test_whatever_follows_a_header_of_aac_is_cut(more: bytes) -> None:
    for header in (b"\x11\x90", b"\x11\x90\x56\xe5\x00", b"\x13\x10\x56\xe5\x9d\x48\x80", b"\x2b\x92\x08\x00"):
        assert len(header) <= len(scrub_extradata("aac", header + b"\0\0" + more) or b"") <= len(header) + 1
    assert scrub_extradata("aac", AAC_LAYOUT + bytes([len(more)]) + more) == AAC_LAYOUT + b"\0"


@given(sampled_from(["aac", "vorbis", "opus", "flac", "alac"]), binary(max_size=60))
def test_a_header_that_is_none_is_refused_or_cut_but_never_grows(codec: str, header: bytes) -> None:
    try:
        clean = scrub_extradata(codec, header)
    except ValueError:
        return
    assert clean is None or len(clean) <= len(header) + len(b"\x03vorbis" + bytes(9))


@given(integers(0, 3), binary(max_size=400))
def test_tags_in_front_of_audio_go_and_the_audio_stays(tags: int, more: bytes) -> None:
    audio = b"\xff\xfb\x90\x64" + more
    assert without_tags(id3() * tags + audio) == audio


def test_a_header_that_cannot_be_read_ends_the_run(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with film(source, audio="vorbis"):
        pass
    data = source.read_bytes()
    source.write_bytes(data.replace(b"\x02\x1e", b"\xff\x1e", 1))  # of 256 packets
    (tmp_path / "out").mkdir()
    assert "the header of vorbis audio is damaged" in fails(SourceError, source, tmp_path / "out" / "out.mkv")
