"""`-y a.mp4 b.mp4`: two inputs may have been meant; only what this program has made is replaced by its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from blurscene_stream.cli import run
from blurscene_stream.cli.video import render_command, video_command
from blurscene_stream.config import Settings
from blurscene_stream.source.inspection.output_metadata import is_own_output
from tests.detectors import RgbSquareDetector, take_detector
from tests.pipeline.runs import anonymize
from tests.settings import changed
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 4
SPEC = VideoSpec(FRAMES, 64, 48)

pytestmark = pytest.mark.usefixtures("detector")


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of the network."""
    take_detector(RgbSquareDetector().load, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "a.mp4", SPEC)
    return tmp_path


def _video(*arguments: str) -> int:
    return run(video_command, list(arguments), "blurscene-stream")


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts"])
def test_an_original_is_not_replaced_by_its_place(
    ending: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = make_video(folder / f"b.{ending}", SPEC)
    before = original.read_bytes()
    assert _video("-y", "a.mp4", original.name) == 2
    line = f"b.{ending}: nothing shows that this program has made it: an original may be lost; name it with -o"
    assert line in capsys.readouterr().err
    assert original.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["a.mp4", original.name]
    assert _video("-y", "a.mp4", "-o", original.name) == 0
    assert original.read_bytes() != before
    assert _video("-y", "a.mp4", original.name) == 0, "now it is ours"
    assert len(read_video(original).luma) == FRAMES


@pytest.mark.parametrize(
    ("ending", "codec"), [("mp4", "hevc"), ("mp4", "av1"), ("mov", "hevc"), ("mkv", "ffv1"), ("webm", "vp9")]
)
def test_all_that_is_written_is_known_again(ending: str, codec: str, folder: Path) -> None:
    target = folder / f"out.{ending}"
    anonymize(folder / "a.mp4", target, changed(Settings(), {"encode.codec": codec}))
    assert is_own_output(target)
    again = folder / f"copied.{ending}"
    shutil.copy(target, again)
    assert is_own_output(again)


def test_what_is_no_video_is_not_ours(folder: Path) -> None:
    for name, data in (("text.mp4", b"text"), ("cut.mp4", (folder / "a.mp4").read_bytes()[:3000])):
        (folder / name).write_bytes(data)
        assert not is_own_output(folder / name)
        assert _video("-y", "a.mp4", name) == 2
        assert (folder / name).read_bytes() == data


def test_an_empty_file_and_the_default_name_are_replaced(folder: Path) -> None:
    (folder / "made_by_mktemp.mp4").touch()
    assert _video("-y", "a.mp4", "made_by_mktemp.mp4") == 0
    make_video(folder / "a_anonymized.mp4", SPEC)
    assert _video("-y", "a.mp4") == 0, "it is not told by its place"
    assert is_own_output(folder / "a_anonymized.mp4")


def test_a_folder_of_originals_that_is_last(folder: Path) -> None:
    """As in `-y one/*.mp4 two/`."""
    (folder / "two").mkdir()
    make_video(folder / "b.mp4", SPEC)
    original = make_video(folder / "two" / "b.mp4", SPEC)
    before = original.read_bytes()
    assert _video("-y", "a.mp4", "b.mp4", "two") == 2
    assert original.read_bytes() == before and list((folder / "two").iterdir()) == [original]


def test_a_picture_has_no_mark_and_is_not_replaced(folder: Path) -> None:
    photo = np.full((40, 60, 3), 90, np.uint8)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), photo)
    assert _video("-y", "a.png", "b.png") == 2
    assert _video("-y", "a.png", "-o", "b.png") == 0


def test_rendered_in_place_of_an_original(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _video("a.mp4", "out.mp4", "--detections", "found.jsonl") == 0
    make_video(folder / "b.mp4", SPEC)
    assert run(render_command, ["-y", "a.mp4", "b.mp4", "--from", "found.jsonl"], "render") == 2
    assert "b.mp4: nothing shows that this program has made it: an original may be lost; move it away" in (
        capsys.readouterr().err
    )
    assert run(render_command, ["-y", "a.mp4", "out.mp4", "--from", "found.jsonl"], "render") == 0


@pytest.mark.parametrize("ending", ["mp4", "png"])
@pytest.mark.parametrize("data", [b"our minutes\n", b'{"name": "package.json"}\n', None], ids=["text", "json", "video"])
def test_a_file_of_detections_replaces_nothing_else(
    data: bytes | None, ending: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite("a.png", np.full((40, 60, 3), 90, np.uint8))
    other, sidecar = folder / "other", ("--detections", "other")
    other.write_bytes(Path("a.mp4").read_bytes() if data is None else data)
    before = other.read_bytes()
    arguments = ("-y", f"a.{ending}", "-o", f"out.{ending}", *sidecar)
    assert _video(*arguments) == 2
    line = "other: is no file of detections of this program, and is not replaced; move it away or choose another name"
    assert line in capsys.readouterr().err
    assert other.read_bytes() == before and not Path(f"out.{ending}").exists()
    other.write_bytes(b"")
    assert _video(*arguments) == 0
    lines = other.read_text().splitlines()
    assert len(lines) == 1 + (1 if ending == "png" else FRAMES)
    other.write_text("\n".join(lines[:1]))  # edited since
    assert _video(*arguments) == 0
    assert other.read_text().splitlines() == lines
