"""`blurscene-stream inspect`: what a file holds, and what of it would pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from blurscene_stream.cli import run
from blurscene_stream.cli.inspect import inspect_command
from blurscene_stream.config.schema import KeepConfig, Settings
from tests.canaries import PLANTS, WORD
from tests.pipeline.runs import anonymize


def table(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(inspect_command, [str(argument) for argument in arguments], "blurscene-stream inspect") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(table(capsys, "--json", *arguments))
    return found


def test_a_table_tells_what_happens_to_each_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table(capsys, PLANTS["GPS track of mp4 (gpmd)"](tmp_path))
    video, audio, data = (line.split() for line in out.splitlines()[1:4])
    assert video == ["0", "video", "h264", "64x48", "anonymized"]
    assert audio == ["1", "audio", "aac", "48000", "Hz,", "stereo", "kept"]
    assert data == ["2", "data", "gpmd", "GPS/sensor", "data", "dropped", "(--keep", "data)"]


def test_values_are_shown_when_they_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = PLANTS["tags of mkv"](tmp_path)
    for form in ((), ("--json",)):
        assert WORD not in table(capsys, source, *form)
        assert "LOCATION" in table(capsys, source, *form)
        assert f"{WORD} title" in table(capsys, source, *form, "--values")


def test_a_name_cannot_command_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        container.metadata["ti\x1b[2Jtle"] = "\x1b[31mred"
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.mux([*video.encode(av.VideoFrame(64, 48, "yuv420p")), *video.encode(None)])
    assert "\x1b" not in table(capsys, tmp_path / "in.mkv", "--values")


@pytest.mark.parametrize("name", ["atoms at the end of mp4", "atoms inside moov of mp4"])
def test_atoms_are_listed_that_libav_does_not_expose(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = as_json(capsys, PLANTS[name](tmp_path))["metadata_atoms"]
    assert "uuid" in boxes or "moov/uuid" in boxes
    assert any(line.split()[0] == "atoms" and line.endswith("dropped") for line in
               table(capsys, tmp_path / "in.mp4").splitlines())  # fmt: skip


KEPT = [
    ("subtitles of mp4", "mp4", ("subtitles",), ()),
    ("GPS track of mp4 (gpmd)", "mp4", ("data",), ()),
    ("attachment of mkv", "mkv", ("attachments",), ()),
    ("picture under another name", "mkv", ("attachments",), ()),
    ("cover picture of mkv", "mkv", ("attachments", "data"), ()),
    ("chapters of mp4", "mp4", ("chapters",), ()),
    ("chapters of mp4", "mp4", ("data",), ()),
    ("name of the reel of a timecode", "mov", ("timecode",), ()),
    ("tags of mkv", "mkv", (), ("title", "ARTIST")),
    ("tags of streams of mkv", "mkv", (), ("comment",)),
    ("klv of ts", "ts", ("data", "subtitles"), ()),
]


@pytest.mark.parametrize("keeping", [False, True])
@pytest.mark.parametrize(("name", "target", "streams", "tags"), KEPT, ids=[f"{row[0]} {row[2]}" for row in KEPT])
def test_the_table_is_what_a_run_does(
    name: str,
    target: str,
    streams: tuple[str, ...],
    tags: tuple[str, ...],
    keeping: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, after = PLANTS[name](tmp_path), tmp_path / f"out.{target}"
    options = [*(("--keep", ",".join(streams)) if streams else ()), *(x for tag in tags for x in ("--keep-tag", tag))]
    found = as_json(capsys, source, *(options if keeping else ()))
    keep = KeepConfig(list(streams), list(tags)) if keeping else KeepConfig()
    anonymize(source, after, Settings(keep=keep))
    with av.open(str(after)) as container:
        made = [stream.type for stream in container.streams]
        assert bool(container.chapters()) == (found["chapters_kept"] and found["chapters"] > 0)
        passed = {tag["key"].lower() for tag in found["tags"] if tag["kept"]}
        assert passed <= {key.lower() for key in container.metadata}
    assert len(made) == sum(stream["kept"] for stream in found["streams"])
    assert passed == ({tag.lower() for tag in tags} if keeping and name == "tags of mkv" else set())


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("missing.mp4",), 1, "there is no such file"),
        (("text.mp4",), 1, "cannot be read as a video"),
        (("cut.mkv",), 3, "cut short"),
        ((), 2, "FILE is missing"),
        (
            ("in.mkv", "--keep", "gps"),
            2,
            "subtitles, data, attachments, timecode or chapters, got 'gps'",
        ),
        (("in.mkv", "--keep-tag", ""), 2, "names of tags"),
    ],
)
def test_what_cannot_be_listed_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...],
    code: int,
    error: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = PLANTS["tags of mkv"](tmp_path).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "text.mp4").write_text("no video")
    assert run(inspect_command, [*arguments, "--quiet"], "blurscene-stream inspect") == code
    out = capsys.readouterr()
    assert out.out == ""
    (line,) = out.err.strip().splitlines()
    assert error in line
    assert WORD not in line
