"""What OUTPUT holds beside pictures and audio, and what it says of its pictures: nothing more, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.container import OutputContainer

from blurscene_stream.config.schema import KeepConfig
from blurscene_stream.errors import SourceError
from blurscene_stream.verify import Grade
from tests.canaries import PLANTS, WORD, film
from tests.detectors import SquareDetector
from tests.settings import changed
from tests.verify.runs import anonymized, check_of, checked, failed, report_text, settings_of
from tests.verify.scenes import Scene, make_scene


def remuxed(path: Path, change: Callable[[OutputContainer], None]) -> Path:
    """The same packets in a file that holds more."""
    other = path.with_name("more" + path.suffix)
    with av.open(str(path)) as before, av.open(str(other), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        change(after)
        for packet in before.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                after.mux(packet)
    return other


def _title(container: OutputContainer) -> None:
    container.metadata["title"] = "my street"


def _chapters(container: OutputContainer) -> None:
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "home"}}
    container.set_chapters([chapter])  # type: ignore[list-item]


@pytest.mark.parametrize(("change", "message"), [(_title, "OUTPUT holds 1 tag"), (_chapters, "OUTPUT holds 1 chapter")])
def test_what_may_only_pass_by_name_fails(
    change: Callable[[OutputContainer], None], message: str, tmp_path: Path
) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene()), tmp_path / "found.jsonl"
    target = remuxed(anonymized(source, tmp_path / "out.mkv", file), change)
    found = checked(source, target, file)
    assert failed(found) == {"metadata"} and message in report_text(found), report_text(found)
    assert "my street" not in report_text(found) and "home" not in report_text(found)
    settings = changed(settings_of(), {"keep": KeepConfig(streams=["chapters"], tags=["title"])})
    assert failed(checked(source, target, file, settings)) == set()


UNSEEN = ("user data of MPEG-2", "comments of JPEG pictures")  # no encoder of ours writes these
HELD = [name for name in PLANTS if not name.endswith(("avi", "flv", "ogg")) and name not in UNSEEN]


@pytest.mark.parametrize("name", HELD)
def test_whatever_tells_of_a_person_fails(name: str, tmp_path: Path) -> None:
    """Pictures and audio are those of INPUT, and nothing had to be covered."""
    path = PLANTS[name](tmp_path)
    found = checked(path, path, None, detector=SquareDetector())
    assert failed(found) in ({"metadata"}, {"bytes"}, {"metadata", "bytes"}), report_text(found)
    assert WORD not in report_text(found)


WRITTEN = [
    *((suffix, codec, "aac") for suffix in ("mp4", "mov", "mkv") for codec in ("h264", "hevc")),
    *((suffix, codec, "libopus") for suffix in ("mp4", "mkv", "webm") for codec in ("av1", "vp9")),
    *((suffix, "h264", audio) for suffix in ("mp4", "mkv", "ts") for audio in ("mp2", "libmp3lame", "ac3")),
    *((suffix, "h264", audio) for suffix in ("mp4", "mkv") for audio in ("flac", "alac", "vorbis")),
    *(("ts", codec, audio) for codec, audio in (("h264", "aac"), ("hevc", "aac"), ("h264", "libopus"))),
    *(("mkv", "ffv1", "pcm_s16le"), ("mov", "h264", "pcm_s16le"), ("m2ts", "h264", "aac"), ("m4v", "h264", "aac")),
]


@pytest.mark.parametrize(("suffix", "codec", "audio"), WRITTEN)
def test_nothing_that_a_run_writes_itself_fails(suffix: str, codec: str, audio: str, tmp_path: Path) -> None:
    with film(tmp_path / "in.mkv", audio=audio):
        pass
    settings, target = settings_of(), tmp_path / f"out.{suffix}"
    settings = changed(settings, {"encode.codec": codec, "encode.crf": None})
    anonymized(tmp_path / "in.mkv", target, None, settings, SquareDetector())
    found = checked(tmp_path / "in.mkv", target, None, settings, detector=SquareDetector())
    assert check_of(found, "metadata").grade is Grade.ok, report_text(found)


def test_nothing_that_was_to_be_kept_fails(tmp_path: Path) -> None:
    """Whatever boxes it needs."""
    for name, keep in KEPT.items():
        folder = tmp_path / name
        folder.mkdir()
        source, settings = PLANTS[name](folder), settings_of()
        settings = changed(settings, {"keep": keep})
        for suffix in ("mp4", "mov", "mkv"):
            target = anonymized(source, folder / f"out.{suffix}", None, settings, SquareDetector())
            found = checked(source, target, None, settings, detector=SquareDetector())
            assert check_of(found, "metadata").grade is Grade.ok, f"{name} {suffix}: {report_text(found)}"


KEPT = {
    "chapters of mp4": KeepConfig(streams=["chapters"]),
    "subtitles of mp4": KeepConfig(streams=["subtitles"]),
    "name of the reel of a timecode": KeepConfig(streams=["timecode"]),
    "tags of mp4": KeepConfig(tags=["title", "artist", "location", "comment", "creation_time"]),
    "keys of QuickTime": KeepConfig(tags=["com.apple.quicktime.make", "com.apple.quicktime.author"]),
    "tags of streams of mkv": KeepConfig(tags=["handler_name", "title"]),
}


def test_a_raw_video_beside_the_redacted_one_fails(tmp_path: Path) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene()), tmp_path / "found.jsonl"
    target = anonymized(source, tmp_path / "out.mp4", file)
    with av.open(str(source)) as raw, av.open(str(target)) as done, av.open(str(tmp_path / "two.mp4"), "w") as two:
        inputs = [(done, done.streams.video[0]), (done, done.streams.audio[0]), (raw, raw.streams.video[0])]
        copies = [two.add_stream_from_template(stream) for _, stream in inputs]
        for (container, stream), made in zip(inputs, copies, strict=True):
            container.seek(0)
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = made
                    two.mux(packet)
    found = checked(source, tmp_path / "two.mp4", file)
    assert failed(found) == {"metadata", "bytes"}, report_text(found)
    assert "OUTPUT holds 2 videos" in report_text(found)


def test_an_output_without_a_video_that_can_be_judged_fails(tmp_path: Path) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene()), tmp_path / "found.jsonl"
    anonymized(source, tmp_path / "out.mp4", file)
    with av.open(str(source)) as both, av.open(str(tmp_path / "audio.mp4"), "w") as alone:
        copied = alone.add_stream_from_template(both.streams.audio[0])
        for packet in both.demux(both.streams.audio[0]):
            if packet.size:
                packet.stream = copied
                alone.mux(packet)
    found = checked(source, tmp_path / "audio.mp4", file)
    assert "there is no video in it, only audio" in report_text(found) and found.checks[0].grade is Grade.fail
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match="cannot be read as a video"):
        checked(source, tmp_path / "text.mp4", file)


def test_a_run_that_keeps_things_passes_with_its_own_options(tmp_path: Path) -> None:
    source, file, settings = PLANTS["chapters of mp4"](tmp_path), tmp_path / "found.jsonl", settings_of()
    settings = changed(settings, {"keep": KeepConfig(streams=["chapters"])})
    target = anonymized(source, tmp_path / "out.mp4", file, settings)
    assert failed(checked(source, target, file, settings)) == set()
    assert failed(checked(source, target, file)) == {"metadata"}


def test_fields_that_an_encoder_cannot_tell_are_for_review(tmp_path: Path) -> None:
    scene = Scene(options={"preset": "veryfast", "crf": "12", "x264-params": "tff=1:interlaced=1"})
    source, file, settings = make_scene(tmp_path / "in.mkv", scene), tmp_path / "found.jsonl", settings_of()
    settings = changed(settings, {"encode.codec": "hevc"})
    found = checked(source, anonymized(source, tmp_path / "out.mkv", file, settings), file, settings)
    assert failed(found) == {"stream"} and "field order: progressive instead of " in report_text(found)
