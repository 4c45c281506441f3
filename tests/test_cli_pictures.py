"""`blurscene-stream picture` and `blurscene-stream detect`, as a user types them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import PIPE

import click
import numpy as np
import pytest
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from blurscene_stream.boxes import Detections
from blurscene_stream.cli import run
from blurscene_stream.cli.image import detect_command, picture_command
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame
from blurscene_stream.image import decode
from blurscene_stream.paths import walk_folder
from blurscene_stream.pipeline.image_files import detect_images
from tests.conftest import ROOT
from tests.detectors import RgbSquareDetector, SquareDetector, take_detector
from tests.pictures import LOSSLESS, SQUARE, exif_of, file_of, read_back, samples_of, turned
from tests.processes import PATIENCE_S, started, wait_until


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> SquareDetector:
    """Takes the place of the network."""
    made = RgbSquareDetector()
    take_detector(made.load, monkeypatch)
    monkeypatch.setattr(detect_images, "__defaults__", (made.load,))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in a tree, and files that are none."""
    made = tmp_path / "in"
    (made / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.JPG", "deep/a.png", "deep/er/c.tiff", "deep/d.webp")):
        form = {"JPG": "jpeg"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
        (made / name).write_bytes(file_of(samples_of(3, seed=number), form))
    (made / "notes.txt").write_text("nothing to see")
    (made / "deep" / "film.mp4").write_bytes(b"no film")
    (made / "linked").symlink_to(made / "deep")
    return made


def picture(*arguments: object) -> int:
    return _run(picture_command, arguments, "picture")


def detect(*arguments: object) -> int:
    return _run(detect_command, arguments, "detect")


def _run(command: click.Command, arguments: Sequence[object], name: str) -> int:
    return run(command, [str(argument) for argument in arguments], f"blurscene-stream {name}")


def files_in(root: Path) -> dict[str, str]:
    """All files below a folder, with a checksum of each."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.usefixtures("detector")
def test_a_folder_goes_into_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, target = files_in(folder), tmp_path / "out"
    assert picture(folder, target) == 0
    assert files_in(folder) == before
    assert sorted(files_in(target)) == ["a.png", "b.JPG", "deep/a.png", "deep/d.webp", "deep/er/c.tiff"]
    for number, name in enumerate(("a.png", "deep/a.png")):
        after = read_back((target / name).read_bytes())
        expected = samples_of(3, seed=2 * number)
        np.testing.assert_array_equal(after[40:], expected[40:])
        assert (after[SQUARE[1], SQUARE[0]] != expected[SQUARE[1], SQUARE[0]]).any()
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert sum(": skipped, not a picture" in line for line in lines) == 3
    assert f"{folder} -> {target} on test: anonymizing" in lines
    assert lines[-1].startswith(f"{target}: 5 pictures in ")
    assert lines[-1].endswith(", 5 plates; 3 skipped that are no pictures")


@pytest.mark.usefixtures("detector")
def test_what_exists_is_refused_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    (target / "deep").mkdir(parents=True)
    (target / "deep" / "d.webp").touch()
    assert picture(folder, target) == 2
    assert list(files_in(target)) == ["deep/d.webp"]
    assert picture("-y", folder, target) == 0
    assert len(files_in(target)) == 5
    assert picture(folder / "a.png", target / "a.png") == 2
    assert picture("-y", folder / "a.png", target / "a.png") == 0


@pytest.mark.usefixtures("detector")
def test_a_folder_is_looked_through_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = list[Path]()

    def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
        looked.append(root)
        return walk_folder(root)

    monkeypatch.setattr("blurscene_stream.pipeline.image_paths.walk_folder", walk)
    (tmp_path / "out").mkdir()
    assert picture("-y", folder, tmp_path / "out") == 0
    assert looked == [folder]


TEXT = PngInfo()
TEXT.add_text("Comment", "at home")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIGINALS = {  # what this program does not write: EXIF of a camera, a text, what is no picture here
    **{form: file_of(samples_of(3), form, exif=exif_of(1)) for form in ("jpeg", "png", "webp", "tiff")},
    "comment": file_of(samples_of(3), "jpeg", comment=b"at home"),
    "text": file_of(samples_of(3), "png", pnginfo=TEXT),
    "heic": b"\0\0\0\x18ftypheic",
    "cut": file_of(samples_of(3), "jpeg")[:200],
}


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("name", ORIGINALS)
def test_an_original_is_never_replaced(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`picture -y a.png b.png` may be meant as two inputs, and so may two folders."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes(ORIGINALS[name])
    for paths in ((folder / "a.png", other / "a.png"), (folder, other)):
        assert picture("-y", *paths) == 2
        line = (
            "a.png: nothing shows that this program has made it: an original may be lost; move it away if this picture"
        )
        assert line in capsys.readouterr().err
        assert {path.name: path.read_bytes() for path in other.iterdir()} == {"a.png": ORIGINALS[name]}


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("profile", [None, SRGB])
@pytest.mark.parametrize(("form", "channels"), [("jpeg", 1), ("jpeg", 3), *LOSSLESS])
def test_what_this_program_has_made_is_replaced(
    form: str, channels: int, profile: bytes | None, tmp_path: Path
) -> None:
    source, target = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    source.write_bytes(file_of(samples_of(channels), form, icc_profile=profile, exif=exif_of(1)))
    assert picture(source, target) == 0
    assert picture("-y", source, target) == 0


@pytest.mark.parametrize("broken", ["a.png", "deep/d.webp"])
def test_the_first_error_ends_the_run(
    broken: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], detector: SquareDetector
) -> None:
    data = (folder / broken).read_bytes()
    (folder / broken).write_bytes(data[: len(data) // 2])
    assert picture("--quiet", folder, tmp_path / "out") == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert (str(folder / broken) in line and "cut short" in line) or "damaged" in line
    if broken == "a.png":
        assert not (tmp_path / "out").exists() and not detector.frame_numbers
    else:
        assert line.endswith("the 3 pictures before it are complete")
        assert sorted(files_in(tmp_path / "out")) == ["a.png", "b.JPG", "deep/a.png"]


REFUSALS = [  # arguments, exit code, the message
    (("IN",), 2, "OUT is missing"),
    (("IN/a.png", "IN/a.png"), 2, "input and output are the same"),
    (("-y", "IN/a.png", "hard.png"), 2, "input and output are the same"),
    (("-y", "IN/a.png", "soft.png"), 2, "input and output are the same"),
    (("-y", "soft.png", "IN/a.png"), 2, "input and output are the same"),
    (("-y", "IN", "IN"), 2, "input and output are the same"),
    (("-y", "IN", "folder"), 2, "input and output are the same"),
    (("-y", "IN", "IN/out"), 2, "lie in one another"),
    (("-y", "IN/deep", "IN"), 2, "lie in one another"),
    (("-y", "IN", "linked"), 2, "is one of the pictures of the input"),
    (("IN", "soft.png"), 2, "is not a folder"),
    (("IN", "no/where"), 2, "there is no folder no; make it first"),
    (("IN/a.png", "nowhere/out.png"), 2, "no folder"),
    (("IN/a.png", "out.gif"), 2, ".jpg .jpeg .png .webp .bmp .tif .tiff"),
    (("missing.png", "out.png"), 1, "missing.png: there is no such file"),
    (("empty", "out"), 1, "holds no picture"),
    (("IN/notes.txt", "out.png"), 1, "notes.txt: not a picture"),
    (("--thresh", "2", "IN/a.png", "out.png"), 2, "[0, 1)"),
    (("-crf", "18", "IN/a.png", "out.png"), 2, "No such option"),
]


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize(("arguments", "code", "message"), REFUSALS, ids=[" ".join(row[0]) for row in REFUSALS])
def test_what_cannot_work_is_refused_in_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    os.link(folder / "a.png", "hard.png")
    Path("soft.png").symlink_to(folder / "a.png")
    Path("folder").symlink_to(folder)
    Path("empty").mkdir()
    Path("linked").mkdir()
    Path("linked/b.JPG").symlink_to(folder / "a.png")
    before = files_in(tmp_path)
    assert picture("--quiet", *[argument.replace("IN", str(folder)) for argument in arguments]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("blurscene-stream: error: ")
    assert message in line
    assert files_in(tmp_path) == before


def test_a_failing_detector_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Sequence[Frame]) -> list[Detections]:
        raise RuntimeError("out of ideas")

    take_detector(SquareDetector(broken).load, monkeypatch)
    assert picture(folder / "a.png", tmp_path / "out.png") == 6
    assert "a.png: " in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.usefixtures("detector")
def test_a_full_disk_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert picture(folder / "a.png", tmp_path / "out.png") == 9
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.usefixtures("detector")
def test_a_preview_is_marked(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert picture("--preview", folder, tmp_path / "out") == 0
    assert "a_NOT_ANONYMIZED.png" in files_in(tmp_path / "out")
    assert all("_NOT_ANONYMIZED." in name for name in files_in(tmp_path / "out"))
    assert "PREVIEW, NOT ANONYMIZED" in capsys.readouterr().err
    (folder / "a_NOT_ANONYMIZED.png").write_bytes((folder / "a.png").read_bytes())
    assert picture("--preview", folder, tmp_path / "other") == 2


@pytest.mark.usefixtures("detector")
def test_json_and_quiet(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert picture("--quiet", folder / "a.png", tmp_path / "out.bmp") == 0
    assert capsys.readouterr().err == ""
    assert picture("--json-log", folder / "a.png", tmp_path / "out.webp") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (lines[-1]["event"], lines[-1]["pictures"]) == ("done", 1)
    assert lines[-1]["found"] == {"license_plate": 1}


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("orientation", [1, 6])
def test_detect_prints_a_line_of_json_for_each_picture(
    orientation: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [tmp_path / "a.png", tmp_path / "b \udcff.png"]
    for name in names:
        name.write_bytes(file_of(turned(samples_of(3), orientation), "png", exif=exif_of(orientation)))
    assert detect(*names) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = [json.loads(line) for line in captured.out.splitlines()]
    boxes = [{"label": "license_plate", "score": 1.0, "xyxy": list(SQUARE)}]
    assert lines == [{"file": str(name), "width": 80, "height": 60, "boxes": boxes} for name in names]


@pytest.mark.usefixtures("detector")
def test_detect_prints_a_table_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a\x1b.png").write_bytes(file_of(samples_of(3), "png"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert detect(tmp_path / "a\x1b.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].rstrip() == f"{tmp_path}/a\\x1b.png  80x60"
    assert lines[1].split() == ["license_plate", "1.00", "x", "48.0", "to", "64.0", "y", "8.0", "to", "20.0"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Usage"),
        (("--quiet",), 2, "PICTURE is missing"),
        (("IN",), 1, "is not a file; give a picture"),
        (("IN/a.png", "IN/missing.png"), 1, "missing.png: there is no such file"),
        (("IN/notes.txt",), 1, "not a picture"),
        (("--replacewith", "solid", "IN/a.png"), 2, "No such option"),
    ],
)
@pytest.mark.usefixtures("detector")
def test_what_detect_refuses(
    arguments: tuple[str, ...], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(*[argument.replace("IN", str(folder)) for argument in arguments]) == code
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert "{" not in captured.out


def test_both_commands_show_settings(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (picture, detect):
        assert command("--show-config", "--face-thresh", "0.15") == 0
        assert "option --face-thresh" in capsys.readouterr().out


# The real command line with a detector that needs no weights, and that takes its time.
PROGRAM = textwrap.dedent("""
    import time
    from tests.detectors import SquareDetector
    from blurscene_stream import cli
    from blurscene_stream.pipeline import detection
    detection.load_configured_detector = SquareDetector(lambda frames: time.sleep(0.3)).load
    cli.main()
""")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    for copy in range(40):
        (folder / f"a{copy:02}.png").write_bytes((folder / "a.png").read_bytes())
    target = tmp_path / "out"
    command = [sys.executable, "-c", PROGRAM, "picture", str(folder), str(target)]
    with started(command, cwd=ROOT, stderr=PIPE, text=True) as process:
        wait_until((target / "a.png").exists)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    expected = f"blurscene-stream: error: stopped by {number.name}; pictures that were finished stay"
    assert errors.splitlines()[-1] == expected
    done = files_in(target)
    assert 1 <= len(done) < 40
    for name in done:
        decode((target / name).read_bytes())


def test_the_real_detector_finds_people(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = shared / "data" / "faces_photos" / "images" / "dlib_000.jpg"
    assert detect("--device", "cpu", source) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["width"], found["height"]) == (500, 375)
    sure = [box["xyxy"] for box in found["boxes"] if box["score"] > 0.5]
    assert len(sure) == 7
    assert picture("--device", "cpu", "--replacewith", "solid", source, tmp_path / "out.png") == 0
    before, after = decode(source.read_bytes()).samples, read_back((tmp_path / "out.png").read_bytes())
    for x0, y0, x1, y1 in sure:
        assert (after[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1] == 0).all()
    changed = (after != before).any(axis=2)
    assert 0.02 < changed.mean() < 0.2
    assert (after[changed] == 0).all()
    assert Settings().redact.method.name == "mosaic"


@pytest.mark.usefixtures("detector")
def test_the_boxes_in_the_lines_of_blurscene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "street.png").write_bytes(file_of(samples_of(3), "png"))
    assert detect(tmp_path / "street.png", "--format", "blurscene") == 0
    assert capsys.readouterr().out == "[48, 8, 64, 20, 1, 1.00]\n"
