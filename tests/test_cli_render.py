"""What a user types to keep what was covered, and to render from it."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest

from blurscene_stream.cli import run
from blurscene_stream.cli.video import render_command, video_command
from tests.videos import VideoSpec, make_video, read_video

ENCODE = ("--set", "encode.threads=1", "-preset", "ultrafast")


def _video(*arguments: object) -> int:
    detect = ("--size", "160", "--device", "cpu")
    return run(video_command, [str(argument) for argument in (*arguments, *detect, *ENCODE)], "blurscene-stream")


def _render(*arguments: object) -> int:
    return run(render_command, [str(argument) for argument in (*arguments, *ENCODE)], "blurscene-stream render")


def run_with_detections(folder: Path, *options: str) -> Path:
    """Make out.mp4 and found.jsonl of in.mp4 in a folder, by the real detector."""
    arguments = (folder / "in.mp4", folder / "out.mp4", "--detections", folder / "found.jsonl", "--quiet", *options)
    assert _video(*arguments) == 0
    return folder


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_video(folder / "in.mp4", VideoSpec(frames=8))
    return run_with_detections(folder)


@pytest.fixture
def written(finished_run: Path, tmp_path: Path) -> Path:
    """A folder with in.mp4, and out.mp4 and found.jsonl that the real detector has made of it."""
    return copytree(finished_run, tmp_path, dirs_exist_ok=True)


def test_written_and_rendered(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _render(written / "in.mp4", written / "again.mp4", "--from", written / "found.jsonl") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    first, last = captured.err.strip().splitlines()
    assert first.endswith(f"again.mp4 as {written / 'found.jsonl'} says: anonymizing")
    assert last.startswith(f"{written / 'again.mp4'}: 8 frames in ")
    assert (written / "again.mp4").read_bytes() == (written / "out.mp4").read_bytes()


def test_a_file_of_another_model_is_told(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The margins of that run may have been others."""
    file = written / "found.jsonl"
    file.write_text(file.read_text().replace('"name": "face_plate_v2"', '"name": "face_plate_v1"'))
    for options, told in (((), True), (("--set", "model=face_plate_v1"), False)):
        assert _render(written / "in.mp4", written / "again.mp4", "-y", "--from", file, *options) == 0
        said = f"{file}: is of a run with another model than face_plate_v2, whose margins count; give that run's model"
        assert (said in capsys.readouterr().err) == told


def test_settings_of_the_cover_can_be_others(written: Path) -> None:
    content = [json.loads(line) for line in (written / "found.jsonl").read_text().splitlines()]
    for line in content[1:]:
        line["boxes"] = [{"label": "face", "xyxy": [60, 40, 100, 80]}]
    (written / "found.jsonl").write_text("".join(json.dumps(line) + "\n" for line in content))
    options = ("--from", written / "found.jsonl", "--replacewith", "solid", "-crf", "0")
    chosen = (
        (("--mask-scale", "1"), 40),
        (("--mask-scale", "2"), 80),
        ((), 72),
        (("--set", "model=face_plate_v1"), 64),
    )
    for options_of_cover, black in chosen:
        assert _render(written / "in.mp4", written / "again.mp4", "-y", *options_of_cover, *options) == 0
        for luma in read_video(written / "again.mp4").luma:
            assert abs(int((luma[60] < 30).sum()) - black) <= 6  # the least margin, and whole blocks


def test_areas_hold_when_it_is_rendered(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = [json.loads(line) for line in (written / "found.jsonl").read_text().splitlines()]
    for line in content[1:]:
        line["boxes"] = [{"label": "face", "xyxy": [20, 40, 50, 80]}, {"label": "face", "xyxy": [100, 40, 130, 80]}]
    (written / "found.jsonl").write_text("".join(json.dumps(line) + "\n" for line in content))
    options = ("--from", written / "found.jsonl", "--replacewith", "solid", "-crf", "0", "--mask-scale", "1", "-y")
    areas = ("--exclude", "0,0 60,120", "--always", "0.5,0.9 1,1")
    assert _render(written / "in.mp4", written / "again.mp4", *options, *areas) == 0
    assert "areas.exclude (1) is NOT hidden; areas.always (1) is covered in every frame" in capsys.readouterr().err
    for luma in read_video(written / "again.mp4").luma:
        assert luma[60, 20:50].min() > 30
        assert luma[60, 100:130].max() < 30
        assert luma[108:, 80:].max() < 30
        assert luma[108:, :76].min() > 30


REFUSALS = [  # arguments, exit code, the message
    (("-y",), 2, "INPUT is missing"),
    (("IN",), 2, "--from FILE is missing"),
    (("IN", "OUT"), 2, "--from FILE is missing"),
    (("IN", "OUT", "--from", "none.jsonl"), 1, "none.jsonl: there is no such file"),
    (("IN", "OUT", "--from", "IN"), 1, "line 1 is not a whole line of JSON"),
    (("IN", "OUT", "--from", "FILE", "--thresh", "0.3"), 2, "No such option '--thresh'"),
    (("IN", "OUT", "--from", "FILE", "--mask-scale", "99"), 2, "--mask-scale must be"),
    (("IN", "out.mp4", "--from", "FILE"), 2, "out.mp4: exists already; use -y to replace it"),
    (("IN", "OUT", "--from", "SHORT"), 6, "ends before frame 7; every frame needs its line"),
    (("out.mp4", "in.mp4", "--from", "FILE"), 2, "in.mp4: exists already"),
    (("none.mp4", "OUT", "--from", "FILE"), 1, "none.mp4: there is no such file"),
    (("rtsp://user:secret@127.0.0.1:9/x", "OUT", "--from", "FILE"), 2, "a live stream cannot be rendered"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSALS, ids=[" ".join(row[0]) for row in REFUSALS])
def test_what_cannot_be_rendered_is_refused_in_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    written: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(written)
    text = Path("found.jsonl").read_text().splitlines(keepends=True)
    Path("short.jsonl").write_text("".join(text[:-1]))
    before = sorted(written.iterdir())
    named = {"IN": "in.mp4", "OUT": "new.mp4", "FILE": "found.jsonl", "SHORT": "short.jsonl"}
    assert _render(*[named.get(argument, argument) for argument in arguments], "--quiet") == code
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("blurscene-stream: error: ") and message in error and "secret" not in error
    assert sorted(written.iterdir()) == before


def test_detections_to_a_place_that_cannot_be(walker: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for file, message in (("rtsp://user:secret@h/x", "rtsp://h/x: detections are only"), (tmp_path, "is not a file")):
        assert _video(walker, tmp_path / "out.mp4", "--detections", file) == 2
        error = capsys.readouterr().err.strip()
        assert message in error and "secret" not in error


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(render_command, [], "blurscene-stream render") == 2
    captured = capsys.readouterr()
    assert "Usage: blurscene-stream render [OPTIONS] INPUT [OUTPUT]" in captured.err + captured.out


def test_show_config_needs_no_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert _render("--show-config", "--replacewith", "solid") == 0
    assert "method: solid" in capsys.readouterr().out
