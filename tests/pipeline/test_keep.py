"""`keep`: named streams and tags are copied; a target that cannot hold them is refused; nothing else passes."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.stream import AttachmentStream
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables.DefaultTable import DefaultTable

from blurscene_stream.config.schema import EncodeConfig, KeepConfig, Settings
from blurscene_stream.errors import CorruptInputError, SourceError, UsageError
from blurscene_stream.verify import Grade
from blurscene_stream.verify.container import account_bytes
from tests.canaries import CANARY, FRAMES, PLANTS, WORD, add_subtitles, copy, film, font, jpeg
from tests.pipeline.runs import anonymize, fails
from tests.pipeline.test_canary import holds_the_word
from tests.settings import changed


def keeping(*streams: str, tags: tuple[str, ...] = ()) -> Settings:
    return changed(Settings(keep=KeepConfig(list(streams), list(tags))), {"encode": EncodeConfig(preset=None)})


def texts(path: Path) -> list[tuple[float, float, str]]:
    """Start, length in seconds and words of each subtitle."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            shown = stream.codec_context.decode2(packet) if packet.size else None
            for rect in shown.rects if shown is not None else ():
                assert packet.pts is not None and packet.time_base is not None
                tick_s = float(packet.time_base)
                words = rect.dialogue.decode()  # type: ignore[attr-defined]  # text is AssSubtitle
                found.append((round(packet.pts * tick_s, 3), round((packet.duration or 0) * tick_s, 3), words))
    return found


@pytest.mark.parametrize("target", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "subrip"), ("mkv", "ass"), ("mkv", "webvtt")]
)
def test_subtitles_pass_to_where_text_can_be_held(suffix: str, codec: str, target: str, tmp_path: Path) -> None:
    source, after = tmp_path / f"in.{suffix}", tmp_path / f"out.{target}"
    with film(source) as made:
        made.container.mux(add_subtitles(made.container, codec, ("Buon giorno", "a <i>due</i>")))
    before = texts(source)
    assert [words for _, _, words in before] == ["Buon giorno", "a due"] or "due" in before[1][2]
    assert any("subtitle stream 2" in reported for reported in anonymize(source, after).left_out)
    with av.open(str(after)) as container:
        assert not container.streams.subtitles
    summary = anonymize(source, after, keeping("subtitles"), overwrite=True)
    assert not any("subtitle" in reported for reported in summary.left_out)
    with av.open(str(after)) as container:
        assert container.streams.subtitles[0].language == "ita"
        start_s = min(float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None and p.time_base)
    new = texts(after)
    assert [words.replace(r"{\i1}", "").replace(r"{\i0}", "") for _, _, words in new] == ["Buon giorno", "a due"]
    for early, late in zip(before, new, strict=True):
        assert late[0] - start_s == pytest.approx(early[0], abs=0.003)
        assert late[1] == pytest.approx(early[1], abs=0.003)


def payloads(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("GPS track of mp4 (gpmd)", "mp4"),
        ("GPS track of mp4 (gpmd)", "mov"),
        ("klv of ts", "ts"),
    ],
)
def test_data_pass_where_the_container_has_them(name: str, target: str, tmp_path: Path) -> None:
    source, after = PLANTS[name](tmp_path), tmp_path / f"out.{target}"
    summary = anonymize(source, after, keeping("data"))
    assert summary.left_out == ()
    assert payloads(after, "data") == payloads(source, "data")
    assert len(payloads(after, "data")) == FRAMES
    check = account_bytes(after).check  # of `verify`, which must know what is kept
    assert check.grade is Grade.ok, check.lines()


def test_attachments_pass_but_no_picture_among_them(tmp_path: Path) -> None:
    source, after = PLANTS["attachment of mkv"](tmp_path), tmp_path / "out.mkv"
    anonymize(source, after, keeping("attachments"))
    with av.open(str(after)) as container:
        (kept,) = (stream for stream in container.streams if isinstance(stream, AttachmentStream))
        assert (kept.name, kept.mimetype) == (f"{WORD}.ttf", "application/x-truetype-font")
        assert TTFont(io.BytesIO(kept.data))["name"].getDebugName(1) == "Plain"
        assert not holds_the_word(kept.data)
    left = {"cover picture of mkv": "cover picture 2 (mjpeg)", "picture under another name": "attachment stream 2"}
    for name, reported in left.items():
        source = PLANTS[name](tmp_path)
        summary = anonymize(source, after, keeping("attachments", "data", "subtitles"), overwrite=True)
        assert reported in summary.left_out
        assert not holds_the_word(after.read_bytes())


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("Grüße".encode(), False),
        (b"<img src='data:image/jpeg;base64,AAAA'>", False),
        (b"<s:svg xmlns:s='x'><s:image/></s:svg>", False),
        (b"/* XPM */ static char *a[] = {};", False),
        (b"P2 1 1 255 0 ", False),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", False),
        (b"\x1aE\xdf\xa3 a film", False),
        (b"text\0and more", False),
    ],
)
def test_an_attachment_is_what_it_holds_not_what_it_is_called(data: bytes, kept: bool, tmp_path: Path) -> None:
    with film(tmp_path / "in.mkv") as made:
        made.container.add_attachment("notes.txt", "text/plain", data)
    anonymize(tmp_path / "in.mkv", tmp_path / "out.mkv", keeping("attachments"))
    assert (data in (tmp_path / "out.mkv").read_bytes()) == kept


@pytest.mark.parametrize("target", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("source", ["mp4", "mkv"])
def test_chapters_pass_with_their_titles(source: str, target: str, tmp_path: Path) -> None:
    path, after = PLANTS[f"chapters of {source}"](tmp_path), tmp_path / f"out.{target}"
    assert anonymize(path, after).left_out == ("1 chapter",)
    assert anonymize(path, after, keeping("chapters"), overwrite=True).left_out == ()
    with av.open(str(after)) as container:
        (chapter,) = container.chapters()
    assert chapter["metadata"] == {"title": WORD}
    assert chapter["time_base"] is not None
    assert [float(chapter[end] * chapter["time_base"]) for end in ("start", "end")] == pytest.approx([0, 0.1], abs=0.03)


@pytest.mark.parametrize("target", ["mp4", "mov", "mkv"])
def test_a_timecode_passes_without_the_name_of_its_reel(target: str, tmp_path: Path) -> None:
    source, after = PLANTS["name of the reel of a timecode"](tmp_path), tmp_path / f"out.{target}"
    assert any("tmcd" in reported for reported in anonymize(source, after).left_out)
    kept = anonymize(source, after, keeping("timecode"), overwrite=True)
    assert not any("tmcd" in reported for reported in kept.left_out)
    with av.open(str(after)) as container:
        tags = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
    assert tags["timecode"] == "01:02:03:04"
    assert not holds_the_word(after.read_bytes())


@pytest.mark.parametrize("target", ["mp4", "mov", "mkv", "webm"])
def test_tags_pass_by_name_in_any_case(target: str, tmp_path: Path) -> None:
    source, after = tmp_path / "in.mov", tmp_path / f"out.{target}"
    tags = {"com.apple.quicktime.make": "Camera", "title": "street", "artist": "Anna", "location": "+52.5+013.4/"}
    with film(source, options={"movflags": "use_metadata_tags"}, tags=tags | {"creation_time": "2021-02-03T04:05:06Z"}):
        pass
    summary = anonymize(source, after, keeping(tags=("Title", "CREATION_TIME", "com.apple.quicktime.make")))
    assert "2 tags (a location among them)" in summary.left_out
    with av.open(str(after)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert (found["title"], found["com.apple.quicktime.make"]) == ("street", "Camera")
    assert found["creation_time"].startswith("2021-02-03T04:05:06")
    for secret in (b"anna", b"52.5"):
        assert secret not in after.read_bytes().lower()


@pytest.mark.parametrize(("target", "reported"), [("mp4", True), ("mov", True), ("mkv", False), ("webm", False)])
def test_a_tag_of_a_stream_that_is_lost_is_logged(
    target: str, reported: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, after = tmp_path / "in.mkv", tmp_path / f"out.{target}"
    with film(source, audio="libopus") as made:
        made.video.metadata.update({"comment": "a walk", "artist": "Anna", "title": "street"})
    anonymize(source, after, keeping(tags=("comment", "title")))
    lost = f"{target} has no place for these stream tags: COMMENT"
    assert (lost in caplog.text) == reported
    assert "walk" not in caplog.text
    with av.open(str(after)) as container:
        tags = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
    assert ("comment" in tags) != reported
    assert tags.get("title", tags.get("name")) == "street"


def test_a_place_passes_when_it_is_asked_for(tmp_path: Path) -> None:
    with film(tmp_path / "in.mp4", tags={"location": "+52.5+013.4/"}):
        pass
    assert anonymize(tmp_path / "in.mp4", tmp_path / "none.mp4").left_out == ("1 tag (a location)",)
    assert anonymize(tmp_path / "in.mp4", tmp_path / "out.mp4", keeping(tags=("location",))).left_out == ()
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["location"] == "+52.5000+013.4000/"  # four digits, as ISO 6709 has them


REFUSED = [  # what is asked for, where it is, the target, the message
    (
        keeping("subtitles"),
        "subtitles of mkv",
        "ts",
        "ts cannot hold its srt subtitles: leave out --keep subtitles (keep.streams), or write mp4, mov, mkv or webm",
    ),
    (
        keeping("data"),
        "GPS track of mp4 (gpmd)",
        "mkv",
        "mkv cannot hold its gpmd data: leave out --keep data (keep.streams), or write mp4 or mov",
    ),
    (keeping("data"), "GPS track of mp4 (camm)", "mov", "mov cannot hold its camm data"),  # libav forgets its name
    (keeping("data"), "bin_data of ts", "mp4", "mp4 cannot hold its bin_data data"),  # it would be called gpmd
    (keeping("data"), "klv of ts", "mp4", "mp4 cannot hold its klv data"),
    (keeping("data"), "bin_data of ts", "ts", "ts cannot hold its bin_data data"),
    (
        keeping("attachments"),
        "attachment of mkv",
        "mp4",
        "mp4 cannot hold its attachments: leave out --keep attachments (keep.streams), or write mkv",
    ),
    (keeping("chapters"), "chapters of mp4", "ts", "ts cannot hold its chapters: leave out --keep chapters"),
    (keeping("timecode"), "name of the reel of a timecode", "ts", "ts cannot hold its timecode"),
    (
        keeping(tags=("title",)),
        "tags of mkv",
        "ts",
        "ts cannot hold its tags: leave out --keep-tag (keep.tags), or write mp4, mov, mkv or webm",
    ),
]


@pytest.mark.parametrize(
    ("settings", "name", "target", "message"), REFUSED, ids=[f"{row[1]} to {row[2]}" for row in REFUSED]
)
def test_what_a_target_cannot_hold_is_refused(
    settings: Settings, name: str, target: str, message: str, tmp_path: Path
) -> None:
    source = PLANTS[name](tmp_path)
    (tmp_path / "out").mkdir()
    assert message in fails(UsageError, source, tmp_path / "out" / f"out.{target}", settings)


# --- the rest stays away

FORMAT_TAGS = {  # what the muxers say of themselves, with its value where it is always the same
    "mp4": {"major_brand", "minor_version", "compatible_brands"},
    "mov": {"major_brand", "minor_version", "compatible_brands"},
    "mkv": {"encoder"},
    "webm": {"encoder"},
    "ts": set[str](),
}
FORMAT_STREAM_TAGS = {"language", "handler_name", "vendor_id", "DURATION"}
FORMAT_VALUES = {
    "encoder": {"Lavf"},
    "handler_name": {"VideoHandler", "SoundHandler"},
    "language": {"und", "ita", "eng"},
}
BOXES = {
    *("ftyp", "free", "wide", "mdat", "moov", "mvhd", "trak", "tkhd", "edts", "elst", "mdia", "mdhd", "hdlr", "minf"),
    *("vmhd", "smhd", "dinf", "dref", "stbl", "stsd", "stts", "stss", "ctts", "stsc", "stsz", "stco", "co64", "sgpd"),
    *("sdtp", "sbgp", "udta", "meta", "ilst"),  # of HEVC; the last three empty, which MP4 has and MOV does not
}
PARENTS = {"moov": 0, "trak": 0, "edts": 0, "mdia": 0, "minf": 0, "dinf": 0, "stbl": 0, "udta": 0, "meta": 4}
EMPTY = {"free", "wide", "ilst"}
WITH_TIMES = {"mvhd", "mdhd"}  # behind version and flags, which are 0


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[str, bytes]]:
    """Name and body of every box, those inside others too."""
    while start < end:
        size, name = struct.unpack(">I4s", data[start : start + 8])
        word = name.decode("latin-1")
        assert 8 <= size <= end - start, word
        yield word, data[start + 8 : start + size]
        if word in PARENTS:
            yield from boxes(data, start + 8 + PARENTS[word], start + size)
        start += size


@pytest.mark.parametrize("target", FORMAT_TAGS)
@pytest.mark.parametrize("name", [name for name in PLANTS if "header" not in name and "comments" not in name])
def test_nothing_but_what_is_allowed_is_in_the_output(name: str, target: str, tmp_path: Path) -> None:
    after = tmp_path / f"out.{target}"
    anonymize(PLANTS[name](tmp_path), after)
    with av.open(str(after)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert not container.chapters()
        assert container.metadata.keys() <= FORMAT_TAGS[target]
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        assert all(stream.metadata.keys() <= FORMAT_STREAM_TAGS for stream in container.streams)
    for key, value in (pair for some in tags for pair in some.items()):
        assert key not in FORMAT_VALUES or value in FORMAT_VALUES[key]
    if target in ("mp4", "mov"):
        data = after.read_bytes()
        for word, body in boxes(data, 0, len(data)):
            assert word in BOXES
            assert word not in EMPTY or body == b""
            assert word not in WITH_TIMES or body[:12] == bytes(4) + bytes(8), "when it was made, and when changed"


@pytest.mark.parametrize(("target", "codec"), [("mkv", "ffv1"), ("webm", "vp9")])
def test_two_runs_give_the_same_file(target: str, codec: str, tmp_path: Path) -> None:
    """Nothing in it tells when it was made, nor Matroska's random numbers. (x264 is not the same each time itself.)"""
    source = PLANTS["tags of mp4"](tmp_path)
    settings = Settings(encode=EncodeConfig(codec=codec, threads=1))
    for name in ("one", "two"):
        anonymize(source, tmp_path / f"{name}.{target}", settings)
    assert (tmp_path / f"one.{target}").read_bytes() == (tmp_path / f"two.{target}").read_bytes()


def test_subtitles_that_are_pictures_never_pass(tmp_path: Path) -> None:
    """Nobody judges them; they are named, and left out."""
    source, after = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with film(source) as made:
        stream = made.container.add_mux_stream("dvbsub")
        packet = av.Packet(CANARY * 4)
        packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 100
        made.container.mux(packet)
    with av.open(str(source)) as container:
        assert container.streams.subtitles[0].codec_context.name == "dvbsub"
    assert CANARY in source.read_bytes()
    summary = anonymize(source, after, keeping("subtitles"))
    assert any("bitmap subtitles (dvbsub) stream 2" in reported for reported in summary.left_out)
    with av.open(str(after)) as container:
        assert not container.streams.subtitles
    assert CANARY not in after.read_bytes()


@pytest.mark.parametrize("start", [b"true", b"OTTO", b"\0\1\0\0"])
def test_a_picture_that_begins_like_a_font_is_refused(start: bytes, tmp_path: Path) -> None:
    with film(tmp_path / "in.mkv") as made:
        made.container.add_attachment("font.ttf", "application/x-truetype-font", start + jpeg())
    (tmp_path / "out").mkdir()
    message = fails(SourceError, tmp_path / "in.mkv", tmp_path / "out" / "out.mkv", keeping("attachments"))
    assert "attachment 2 is no font; leave out --keep attachments" in message


def test_styles_of_subtitles_pass_without_files_in_their_header(tmp_path: Path) -> None:
    source, after = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with film(source) as made:
        texts = add_subtitles(made.container, "ass", ("Buon giorno",))
        context = made.container.streams.subtitles[0].codec_context
        context.extradata = (context.extradata or b"") + f"\r\n[Graphics]\r\nfilename: {WORD}\r\n{WORD}\r\n".encode()
        made.container.mux(texts)
    assert holds_the_word(source.read_bytes())
    anonymize(source, after, keeping("subtitles"))
    assert not holds_the_word(after.read_bytes())
    assert b"Style: Default" in after.read_bytes()


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "subrip"), ("mkv", "webvtt")])
def test_what_lies_in_the_header_of_subtitles_goes(suffix: str, codec: str, tmp_path: Path) -> None:
    source, after = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    with film(source) as made:
        packets = add_subtitles(made.container, codec, ("Buon giorno", "a due"))
        context = made.container.streams.subtitles[0].codec_context
        context.extradata = (context.extradata or b"") + jpeg()
        made.container.mux(packets)
    assert holds_the_word(source.read_bytes())
    anonymize(source, after, keeping("subtitles"))
    assert not holds_the_word(after.read_bytes())
    assert [words for _, _, words in texts(after)] == [words for _, _, words in texts(source)]


def test_a_font_with_more_in_it_is_told_in_no_line(tmp_path: Path) -> None:
    """fontTools warns of tables that it does not know, by a name that is the font's, and not in the form of our log."""
    made, written = TTFont(io.BytesIO(font())), io.BytesIO()
    made["JPEG"] = DefaultTable("JPEG")
    made["JPEG"].data = jpeg()
    made.save(written)
    with film(tmp_path / "in.mkv") as video:
        video.container.add_attachment("font.ttf", "application/x-truetype-font", written.getvalue())
    command = [sys.executable, "-m", "blurscene_stream", "inspect", str(tmp_path / "in.mkv"), "--keep", "attachments"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stderr == "" and "attachment" in told.stdout


@pytest.mark.parametrize("codec", ["subrip", "ass", "webvtt"])
def test_a_subtitle_that_is_no_text_ends_the_run(codec: str, tmp_path: Path) -> None:
    with film(tmp_path / "in.mkv") as made:
        (text,) = add_subtitles(made.container, codec)
        spoiled = copy(text, bytes(text) + jpeg(), text.stream)
        made.container.mux(spoiled)
    (tmp_path / "out").mkdir()
    message = fails(CorruptInputError, tmp_path / "in.mkv", tmp_path / "out" / "out.mkv", keeping("subtitles"))
    assert "a subtitle is no text" in message


def test_timed_id3_never_passes(tmp_path: Path) -> None:
    source, after = PLANTS["timed_id3 of ts"](tmp_path), tmp_path / "out.ts"
    summary = anonymize(source, after, keeping("data"))
    assert any("timed ID3 tags" in reported for reported in summary.left_out)
    assert not holds_the_word(after.read_bytes())
