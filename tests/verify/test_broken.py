"""Whatever is broken is a FAIL, and for the right reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RedactMethod, Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, render_video
from blurscene_stream.redact import Redactor
from blurscene_stream.verify import Grade
from tests.settings import changed
from tests.verify.conftest import Honest
from tests.verify.runs import check_of, failed, report_text, settings_of
from tests.verify.scenes import HEIGHT, Picture, audio_changed, frames_changed

Line = dict[str, Any]
CRFS = pytest.mark.parametrize("crf", [20, 35])


def _rendered(honest: Honest, target: Path, change: Callable[[list[Line]], None], settings: Settings) -> Path:
    """A run that covers something else than was recorded."""
    lines = [json.loads(line) for line in honest.file.read_text().splitlines()]
    change(lines[1:])
    broken = target.with_suffix(".jsonl")
    broken.write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = Job(Address(str(honest.source)), Address(str(target)))
    render_video(job, broken, settings, Callbacks(), StopToken())
    return target


def _shift(lines: list[Line], right_px: int, down_px: int) -> None:
    for line in lines:
        for box in line["boxes"]:
            box["xyxy"] = [edge + by for edge, by in zip(box["xyxy"], (right_px, down_px) * 2, strict=True)]


def _empty(lines: list[Line]) -> None:
    for line in lines:
        line["boxes"].clear()


@CRFS
@pytest.mark.parametrize(("right_px", "down_px"), [(20, 0), (-20, 0), (0, 20), (0, -20)])
def test_boxes_that_are_shifted(right_px: int, down_px: int, crf: int, honest: Honest, tmp_path: Path) -> None:
    settings = settings_of(crf)
    target = _rendered(honest, tmp_path / "out.mp4", lambda lines: _shift(lines, right_px, down_px), settings)
    found = honest.verify(target, settings)
    assert check_of(found, "cover").grade is Grade.fail, report_text(found)


@CRFS
def test_a_redaction_that_is_missing_in_one_frame(crf: int, honest: Honest, tmp_path: Path) -> None:
    settings = settings_of(crf)
    target = _rendered(honest, tmp_path / "out.mp4", lambda lines: lines[7]["boxes"].clear(), settings)
    found = honest.verify(target, settings)
    check = check_of(found, "residual" if crf == 20 else "cover")  # with much loss it does not look like INPUT at once
    assert check.grade is Grade.fail, report_text(found)
    assert {place.frame for place in check.places} == {7}
    assert "frame 7 (0.280 s): " in report_text(found)


@CRFS
def test_a_box_that_is_left_out(crf: int, honest: Honest, tmp_path: Path) -> None:
    settings = settings_of(crf)
    target = _rendered(honest, tmp_path / "out.mp4", _empty, settings)
    found = honest.verify(target, settings)
    assert check_of(found, "residual").found == 12, report_text(found)


def with_cells(settings: Settings, cells: int) -> Settings:
    """Return settings with more cells than are allowed, behind the back of their validation."""
    redact = replace(settings.redact)
    object.__setattr__(redact, "cells", cells)
    return replace(settings, redact=redact)


@CRFS
def test_cells_that_are_too_small(crf: int, honest: Honest, tmp_path: Path) -> None:
    weak = with_cells(settings_of(crf), 24)
    target = _rendered(honest, tmp_path / "out.mp4", lambda _: None, weak)
    found = honest.verify(target, settings_of(crf))
    assert check_of(found, "cover").grade is Grade.fail, report_text(found)


@pytest.mark.parametrize(("crf", "cells"), [(20, 12), (20, 24), (35, 24)])
def test_cells_that_are_too_small_by_the_settings(cells: int, crf: int, honest: Honest, tmp_path: Path) -> None:
    weak = with_cells(settings_of(crf), cells)
    found = honest.verify(_rendered(honest, tmp_path / "out.mp4", lambda _: None, weak), weak)
    assert failed(found) == {"residual"}, report_text(found)
    assert "has more than 6 cells" in report_text(found)


def test_a_blur_of_too_many_cells_by_the_settings(honest: Honest, tmp_path: Path) -> None:
    blurred = changed(settings_of(), {"redact.method": RedactMethod.blur})
    weak = with_cells(blurred, 8)
    found = honest.verify(_rendered(honest, tmp_path / "out.mp4", lambda _: None, weak), weak)
    assert failed(found) == {"residual"}, report_text(found)
    assert "has more than 6 cells" in report_text(found)
    found = honest.verify(_rendered(honest, tmp_path / "again.mp4", lambda _: None, blurred), blurred)
    assert failed(found) == set(), report_text(found)


def _skip(pictures: list[Picture]) -> list[Picture]:
    return [*pictures[:5], *pictures[6:]]


def _repeat(pictures: list[Picture]) -> list[Picture]:
    return [*pictures[:6], pictures[5], *pictures[7:]]


def _early(pictures: list[Picture]) -> list[Picture]:
    return [*pictures[1:], pictures[-1]]


@CRFS
def test_a_frame_that_is_skipped(crf: int, honest: Honest, tmp_path: Path) -> None:
    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", _skip, crf))
    assert check_of(found, "frames").grade is Grade.fail, report_text(found)
    assert check_of(found, "frames").summary.startswith("11 of 12")
    assert check_of(found, "frames").places[0].text == "shows what frame 6 of INPUT shows"


@CRFS
def test_a_frame_that_is_shown_twice_instead_of_the_next(crf: int, honest: Honest, tmp_path: Path) -> None:
    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", _repeat, crf))
    places = check_of(found, "frames").places
    assert [place.frame for place in places] == [6], report_text(found)
    assert places[0].text == "shows what frame 5 of INPUT shows"


@CRFS
def test_frames_that_all_come_too_early(crf: int, honest: Honest, tmp_path: Path) -> None:
    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", _early, crf))
    check = check_of(found, "frames")
    assert check.grade is Grade.fail and check.found >= 6, report_text(found)
    assert check.places[0].text == "shows what frame 1 of INPUT shows"


def _patched(level: int) -> Callable[[list[Picture]], list[Picture]]:
    def change(pictures: list[Picture]) -> list[Picture]:
        pictures[4][20:36, 200:216] = level
        return pictures

    return change


@pytest.mark.parametrize(("crf", "level"), [(20, 60), (20, 130), (35, 16), (35, 200)])
def test_a_patch_outside_the_boxes(crf: int, level: int, honest: Honest, tmp_path: Path) -> None:
    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", _patched(level), crf))
    assert failed(found) == {"picture"}, report_text(found)
    (place,) = check_of(found, "picture").places
    assert place.frame == 4 and "near x 2" in place.text


def test_a_patch_of_another_colour(honest: Honest, tmp_path: Path) -> None:
    def change(pictures: list[Picture]) -> list[Picture]:
        blue = pictures[4][HEIGHT : HEIGHT + HEIGHT // 4].reshape(HEIGHT // 2, -1)
        blue[10:18, 100:108] += 40
        return pictures

    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", change, 20))
    assert failed(found) == {"picture"}, report_text(found)


def test_nothing_but_another_encoding_is_no_failure(honest: Honest, tmp_path: Path) -> None:
    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", lambda pictures: pictures, 20))
    assert failed(found) == set(), report_text(found)


def test_audio_that_is_late_by_one_packet(honest: Honest, tmp_path: Path) -> None:
    def late(packets: list[Any]) -> list[Any]:
        for packet in packets:
            packet.pts, packet.dts = packet.pts + 1024, packet.dts + 1024
        return packets

    found = honest.verify(audio_changed(honest.target, tmp_path / "out.mp4", late))
    assert failed(found) == {"audio"}, report_text(found)
    assert "21.3 ms too late" in report_text(found)


def test_audio_without_its_first_packet(honest: Honest, tmp_path: Path) -> None:
    def shifted(packets: list[Any]) -> list[Any]:
        times = [(packet.pts, packet.dts) for packet in packets]
        for packet, (pts, dts) in zip(packets[1:], times, strict=False):
            packet.pts, packet.dts = pts, dts
        return packets[1:]

    found = honest.verify(audio_changed(honest.target, tmp_path / "out.mp4", shifted))
    assert failed(found) == {"audio"}, report_text(found)
    assert "packet 0" in report_text(found)


def test_the_video_itself_is_no_redaction(honest: Honest) -> None:
    found = honest.verify(honest.source)
    assert {"cover", "residual"} <= failed(found), report_text(found)
    assert check_of(found, "residual").grade is Grade.fail and check_of(found, "residual").found == 12


def test_a_redactor_that_does_nothing_does_not_pass_itself(
    honest: Honest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "_redact", lambda _self, _frame, detections: detections)
    target = _rendered(honest, tmp_path / "out.mp4", lambda _: None, settings_of())
    found = honest.verify(target)
    assert failed(found) == {"residual"}, report_text(found)
    assert check_of(found, "residual").found == 12


def test_another_video_of_the_same_length_fails(honest: Honest, tmp_path: Path) -> None:
    def other(pictures: list[Picture]) -> list[Picture]:
        return [np.ascontiguousarray(picture[::-1, ::-1]) for picture in pictures]

    found = honest.verify(frames_changed(honest.target, tmp_path / "out.mp4", other, 20))
    assert check_of(found, "picture").grade is Grade.fail, report_text(found)
    assert "is another picture" in report_text(found)
