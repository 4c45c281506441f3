"""The face of the program: what a user types, and what comes back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from blurscene_stream import cli
from blurscene_stream.cli import COMMANDS, load_command, run
from blurscene_stream.cli.progress import summary_line
from blurscene_stream.cli.video import video_command
from blurscene_stream.pipeline import Summary
from tests.videos import make_video, read_video


def _run(*arguments: object) -> int:
    return run(video_command, [str(argument) for argument in arguments], "blurscene-stream")


def test_a_video_goes_through_with_the_real_detector(
    walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.mp4"
    assert _run("--size", 160, "--device", "cpu", walker, target) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    loading, first, last = captured.err.strip().splitlines()
    assert loading == f"{walker} -> {target}: loading the model"
    assert "anonymizing" in first and "on cpu" in first
    assert last.startswith(f"{target}: 25 frames in ") and "frames/s" in last
    assert read_video(target).times == read_video(walker).times


REFUSALS = [  # arguments, exit code, the message
    (("-y",), 2, "INPUT is missing"),
    (("-",), 2, "-: what is not a file has no name to call its output by; give an OUTPUT"),
    (("rtsp://user:secret@h/x",), 2, "rtsp://h/x: what is not a file has no name to call its output by"),
    (("IN", "OUT", "more"), 1, "out.mp4: there is no such file; name the output of several inputs with -o"),
    (("help",), 1, "help: there is no such file; did you mean blurscene-stream --help?"),
    (("0",), 1, "0: there is no such file; a camera is given by its rtsp:// address"),
    (("pictures", "OUT"), 1, "did you mean blurscene-stream picture?"),
    (("server",), 1, "server: there is no such file; did you mean blurscene-stream serve?"),
    (("-t", "10", "IN", "OUT"), 2, "--thresh (-t) must be a score in [0, 1), got 10; nothing is cut here"),
    (("-ss", "3", "IN", "OUT"), 2, "-ss: nothing is cut"),
    (("-vf", "scale=100:100", "IN", "OUT"), 2, "-vf: the picture is changed where something is covered and nowhere"),
    (("-r", "25", "IN", "OUT"), 2, "-r: every frame keeps its time"),
    (("-map", "0", "IN", "OUT"), 2, "-map: one video and its audio pass"),
    (("-c", "copy", "IN", "OUT"), 2, "-c: the video is encoded anew, for it is changed"),
    (("-f", "mp4", "IN", "OUT"), 2, "-f: the container is told by the ending of OUTPUT"),
    (("-s", "640x360", "IN", "OUT"), 2, "-s: the picture keeps its size; --scale WxH is that of what the detector"),
    (("--keep-metadata", "IN", "OUT"), 2, "--keep-metadata: tags tell who and where; --keep-tag KEY"),
    (("-qscale", "2", "IN", "OUT"), 2, "No such option '-qscale'"),
    (("-help",), 2, "No such option '-help'"),
    (("cam", "OUT"), 1, "cam: there is no such file; a camera is given by its rtsp:// address"),
    (("-c:a", "wmav2", "IN", "OUT"), 2, "encode.audio must be copy, drop, aac, opus, mp3, ac3 or flac, got 'wmav2'"),
    (("--mosaicsize", "20", "IN", "OUT"), 2, "--mosaicsize: the cells follow the size of the box"),
    (("--replacewith", "none", "IN", "OUT"), 2, "--replacewith none would cover nothing"),
    (("--replacewith", "img", "IN", "OUT"), 2, "no picture is put over a face"),
    (("--scale", "640", "IN", "OUT"), 2, "option --scale must be WIDTHxHEIGHT, such as 1280x720, got '640'"),
    (("--classes", "dog", "IN", "OUT"), 2, "classes.dog"),
    (("--only-faces", "--only-plates", "IN", "OUT"), 2, "one of --classes, --only-faces and --only-plates"),
    (("--tresh", "0.3", "IN", "OUT"), 2, "No such option '--tresh'"),
    (("--thresh", "1.5", "IN", "OUT"), 2, "[0, 1)"),
    (("--replacewith", "glitter", "IN", "OUT"), 2, "'mosaic', 'solid', 'blur'"),
    (("--set", "detect.sise_px=9", "IN", "OUT"), 2, "did you mean 'detect.size_px'"),
    (("--roi", "0,0 0,9", "IN", "OUT"), 2, "option --roi: areas.roi must be a list of polygons such as"),
    (("--always", "0.1,0.1 9,9", "--always", "1 2", "IN", "OUT"), 2, "option --always: areas.always must be"),
    (("--exclude", "500,0 600,9", "IN", "OUT"), 2, "lies outside the upright picture of 160x120 pixels"),
    (("--keep", "subtitles,gps", "IN", "OUT"), 2, "option --keep: keep.streams must be a list of subtitles, data,"),
    (("--keep-tag", " ", "IN", "OUT"), 2, "option --keep-tag: keep.tags must be"),
    (("--keep", "chapters", "IN", "rtsp://127.0.0.1:9/x"), 2, "is sent video and audio alone"),
    (("--keep-tag", "title", "IN", "rtsp://127.0.0.1:9/x"), 2, "leave out --keep (keep.streams) and --keep-tag"),
    (("--keep", "data", "--size", "160", "rtsp://127.0.0.1:9/x", "OUT"), 2, "only video and audio of a camera"),
    (("--device", "cuda:99", "IN", "OUT"), 11, "cuda:99"),
    (("--device", "tpu", "IN", "OUT"), 2, "auto"),
    (("-c:v", "divx", "IN", "OUT"), 2, "h264"),
    (("missing.mp4", "OUT"), 1, "missing.mp4: there is no such file"),
    (("IN", "IN"), 2, "input and output are the same"),
    (("IN", "OUT.xyz"), 2, ".mp4"),
    (("IN", "nowhere/out.mp4"), 2, "no folder"),
    (("https://example.org/a.mp4", "OUT"), 2, "https:// addresses are not supported"),
    (("--preview", "IN", "rtsp://127.0.0.1:9/x"), 2, "preview"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSALS, ids=[" ".join(row[0]) for row in REFUSALS])
def test_what_cannot_work_is_refused_in_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    walker: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"IN": str(walker), "OUT": "out.mp4"}
    assert _run(*[named.get(argument, argument) for argument in arguments]) == code
    error = capsys.readouterr().err.strip().splitlines()[-1:]
    assert error and error[0].startswith("blurscene-stream: error: ")
    assert message in error[0]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_last_line_counts_one_and_several() -> None:
    one = summary_line(Summary("out.mp4", "cpu", frames=1, seconds=1, added=1, covered_whole=1, dropped_frames=1))
    assert one == (
        "out.mp4: 1 frame in 1.0 s (1.0 frames/s), nothing found, and 1 box between and around them; "
        "1 damaged picture was covered whole; 1 late or damaged picture was dropped whole"
    )
    two = summary_line(Summary("out.mp4", "cpu", frames=2, seconds=1, added=2, covered_whole=2, dropped_frames=2))
    assert two == (
        "out.mp4: 2 frames in 1.0 s (2.0 frames/s), nothing found, and 2 boxes between and around them; "
        "2 damaged pictures were covered whole; 2 late or damaged pictures were dropped whole"
    )


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run() == 2
    captured = capsys.readouterr()
    assert "Usage: blurscene-stream [OPTIONS] INPUT... [OUTPUT]" in captured.err + captured.out


def test_show_config_prints_settings_that_load_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _run("--show-config", "--face-thresh", "0.15") == 0
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "threshold: 0.15" in line)
    assert "option --face-thresh" in line
    kept = tmp_path / "mine.yaml"
    kept.write_text(printed)
    assert _run("--show-config", "--config", kept) == 0
    assert yaml.safe_load(capsys.readouterr().out) == yaml.safe_load(printed)


def test_fast_takes_a_smaller_input_and_a_view_less_and_settings_go_over_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def shown(*arguments: str) -> Any:
        assert _run("--show-config", *arguments) == 0
        return yaml.safe_load(capsys.readouterr().out)

    fast, plain = shown("--fast"), shown()
    assert (fast["model"], fast["classes"]) == (plain["model"], plain["classes"])
    assert (fast["detect"]["size_px"], plain["detect"]["size_px"]) == (960, 1280)
    assert fast["detect"]["variants"]["scales"] == [1.0, 0.25]
    assert plain["detect"]["variants"]["scales"] == [1.0, 0.5, 0.25]
    over = shown("--fast", "--size", "640", "--set", "detect.variants.scales=[1]")["detect"]
    assert (over["size_px"], over["variants"]["scales"]) == (640, [1.0])


def test_a_preview_is_marked_in_name_and_log(walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--preview", "--size", 160, walker, tmp_path / "out.mp4") == 0
    assert "NOT ANONYMIZED" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out_NOT_ANONYMIZED.mp4"]


def test_json_log_is_one_object_a_line(walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--json-log", "--size", 160, walker, tmp_path / "out.mkv") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[-1]["event"] == "done" and lines[-1]["frames"] == 25
    assert _run("--json-log", "missing.mp4", tmp_path / "out2.mp4") == 1
    assert json.loads(capsys.readouterr().err)["level"] == "error"


def test_quiet_says_nothing_when_all_is_well(walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--quiet", "--size", 160, walker, tmp_path / "out.mp4") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_file_named_like_a_command_is_reached_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video(tmp_path / "video.mp4").rename(tmp_path / "video")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["blurscene-stream", "--size", "160", "./video", "out.mp4"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    monkeypatch.setattr("sys.argv", ["blurscene-stream", "video", "--help"])  # the command, not the file
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert "Usage: blurscene-stream video" in capsys.readouterr().out


def test_an_unforeseen_error_is_one_line_without_its_text(
    walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("rtsp://user:secret@host")

    monkeypatch.setattr("blurscene_stream.api.anonymize_video", broken)
    assert _run(walker, tmp_path / "out.mp4") == 70
    errors = capsys.readouterr().err
    _, line = errors.strip().splitlines()
    assert "internal error: KeyError in test_cli.py" in line
    assert "secret" not in errors


def test_only_one_class_is_covered(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the real network: a street with plates, where faces alone are to be covered."""
    picture = sorted((shared / "data" / "plates_photos" / "images").iterdir())[0]
    found = {}
    for option in ("--only-faces", "--only-plates", "--classes=plates"):
        target = tmp_path / f"{option}{picture.suffix}"
        assert _run(option, picture, target) == 0
        found[option] = target.read_bytes()
        left_out = "license_plate" if option == "--only-faces" else "face"
        assert f"NOT covered: {left_out} (classes.*.enabled is false)" in capsys.readouterr().err
    assert found["--only-plates"] == found["--classes=plates"] != found["--only-faces"]


def test_without_a_terminal_a_line_tells_how_far_it_is(
    walker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blurscene_stream.cli.progress.LINE_INTERVAL_S", 0.0)
    assert _run("--size", 160, walker, tmp_path / "out.mp4") == 0
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"{walker}: 24 of 25 frames, [0-9.]+/s, 0 s left", lines[-3]), lines
    assert _run("--json-log", "-y", "--size", 160, walker, tmp_path / "out.mp4") == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    progress = [event for event in events if event.get("event") == "progress"]
    assert [event["done"] for event in progress] == list(range(1, 26))
    assert progress[4]["total"] == 25 and progress[4]["dropped_frames"] == 0 and progress[4]["left_s"] >= 0
    assert _run("--quiet", "-y", "--size", 160, walker, tmp_path / "out.mp4") == 0
    assert capsys.readouterr().err == ""


def test_help_names_every_command() -> None:
    text = load_command("video").get_help(click.Context(load_command("video")))
    assert [name for name in COMMANDS if f"blurscene-stream {name} --help" not in text] == ["video"]
