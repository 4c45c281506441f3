"""The detections file of a still image: written by `picture`, edited, and rendered again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurscene_stream.cli import run
from blurscene_stream.cli.image import picture_command
from blurscene_stream.cli.video import render_command, video_command
from tests.detectors import RgbSquareDetector, take_detector
from tests.pictures import SQUARE, exif_of, file_of, read_back, samples_of, turned


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> RgbSquareDetector:
    """Takes the place of the network."""
    made = RgbSquareDetector()
    take_detector(made.load, monkeypatch)
    return made


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A PNG, alone in its folder."""
    (tmp_path / "in").mkdir()
    made = tmp_path / "in" / "street.png"
    made.write_bytes(file_of(samples_of(3), "png"))
    return made


def picture(*arguments: object) -> int:
    return run(picture_command, [str(argument) for argument in arguments], "blurscene-stream picture")


def render(*arguments: object) -> int:
    return run(render_command, [str(argument) for argument in arguments], "blurscene-stream render")


def edit(file: Path, boxes: list[dict[str, Any]]) -> None:
    header, line = file.read_text().splitlines()
    file.write_text(f"{header}\n{json.dumps(json.loads(line) | {'boxes': boxes})}\n")


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_a_file_as_it_was_written_gives_the_picture_of_the_first_run(form: str, tmp_path: Path) -> None:
    source, file = tmp_path / f"in.{form}", tmp_path / "found.jsonl"
    source.write_bytes(file_of(turned(samples_of(3), 6), form, exif=exif_of(6)))
    assert picture(source, tmp_path / f"first.{form}", "--detections", file) == 0
    header, line = map(json.loads, file.read_text().splitlines())
    assert (header["width"], header["height"], header["time_base"]) == (80, 60, "1")  # upright
    assert (line["frame"], line["pts"], line["boxes"][0]["xyxy"]) == (0, 0, list(SQUARE))
    assert render(source, tmp_path / f"again.{form}", "--from", file) == 0
    assert (tmp_path / f"again.{form}").read_bytes() == (tmp_path / f"first.{form}").read_bytes()


def test_an_edited_file_says_what_is_covered(street: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "found.jsonl", tmp_path / "out.png"
    picture(street, tmp_path / "draft.png", "--detections", file)
    edit(file, [])
    assert render(street, out, "--from", file) == 0
    assert np.array_equal(read_back(out.read_bytes()), samples_of(3))
    edit(file, [{"label": "face", "xyxy": [4, 30, 24, 50]}])
    again = (street, out, "--from", file, "--replacewith", "solid", "--mask-scale", "1")
    assert render(*again) == 2, "it is there already"
    assert render("-y", *again) == 0
    original = tmp_path / "original.jpg"
    original.write_bytes(file_of(samples_of(3), "jpeg", exif=exif_of(1)))
    assert render("-y", street, original, "--from", file) == 2, "it may be lost"
    shown, (x0, y0, x1, y1) = read_back(out.read_bytes()), SQUARE
    assert np.ptp(shown[30:50, 4:24]) == 0
    assert np.array_equal(shown[y0:y1, x0:x1], samples_of(3)[y0:y1, x0:x1])


def test_the_command_for_everything_writes_one_too(street: Path, tmp_path: Path) -> None:
    arguments = [str(street), str(tmp_path / "out.png"), "--detections", str(tmp_path / "found.jsonl")]
    assert run(video_command, arguments, "blurscene-stream") == 0
    assert render(street, tmp_path / "again.png", "--from", tmp_path / "found.jsonl") == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"width": 80', '"width": 81'), "is of another input than"),
        (lambda text: text.replace('"checksum": "', '"checksum": "0')[:-1], "checksum must be 8 hex digits"),
        (lambda text: text.replace('"label": "license_plate"', '"label": "dog"'), "label must be"),
        (lambda text: text.splitlines()[0], "ends before frame 0"),
        (lambda text: text + text.splitlines()[1], "line 3 is left over"),
        (lambda text: text[: len(text) // 2], "is no file of detections that can be used"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    change: Any, message: str, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.jsonl"
    picture(street, tmp_path / "draft.png", "--detections", file)
    file.write_text(change(file.read_text()))
    assert render(street, tmp_path / "out.png", "--from", file) in (1, 2)
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out.png").exists()


def test_another_picture_of_the_same_size_is_refused(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(street, tmp_path / "draft.png", "--detections", tmp_path / "found.jsonl")
    street.write_bytes(file_of(samples_of(3, seed=1), "png"))
    assert render(street, tmp_path / "out.png", "--from", tmp_path / "found.jsonl") == 2
    assert "line 2 is for another picture than frame 0" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_picture_and_file_get_their_names_together_or_not_at_all(
    street: Path, tmp_path: Path, detector: RgbSquareDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "found.jsonl", tmp_path / "out.png"
    monkeypatch.setattr(detector, "_hook", lambda _: file.write_text("of somebody else") and None)
    assert picture(street, out, "--detections", file) == 9
    assert file.read_text() == "of somebody else"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["found.jsonl"]


def test_what_can_be_no_detections_file_is_refused_first(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    for file, message in ((street, "input and file of detections are the same"), (out, "are the same")):
        assert picture(street, out, "--detections", file) == 2
        assert message in capsys.readouterr().err
    assert picture(street.parent, tmp_path / "folder", "--detections", tmp_path / "found.jsonl") == 2
    assert "is a folder" in capsys.readouterr().err
    assert render(street, out, "--from", tmp_path / "found.jsonl", "--audit", tmp_path / "log.jsonl") == 2
    assert "the audit log takes videos alone" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [street.parent]
