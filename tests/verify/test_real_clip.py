"""A real clip with the real weights: an honest run is no FAIL, and one in which a box is left out is."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video, render_video
from blurscene_stream.verify import Findings, Grade, VerifyJob, sheet_png, verify_video, worst
from tests.settings import changed
from tests.verify.runs import check_of, report_text

CLIP = "motorway_1280x720"
SIZE_PX = 960  # at which plates are found


def _settings() -> Settings:
    return changed(Settings(device="cpu"), {"detect.size_px": SIZE_PX})


@pytest.fixture(scope="module")
def clip(shared: Path) -> Path:
    return shared / "data" / "clips" / f"{CLIP}.mp4"


@pytest.fixture(scope="module")
def file(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of detections of a run; out.mp4 is beside it."""
    folder = tmp_path_factory.mktemp("clip")
    job = Job(Address(str(clip)), Address(str(folder / "out.mp4")), detections=Address(str(folder / "found.jsonl")))
    anonymize_video(job, _settings(), Callbacks(), StopToken())
    return folder / "found.jsonl"


def _verified(clip: Path, target: Path, file: Path, every: int = 0) -> Findings:
    return verify_video(VerifyJob(Address(str(clip)), Address(str(target)), _settings(), file, every=every))


def test_an_honest_run_is_no_failure(clip: Path, file: Path) -> None:
    found = _verified(clip, file.with_name("out.mp4"), file, every=12)
    assert worst(found.checks) is not Grade.fail, report_text(found)
    assert check_of(found, "redetect").summary.startswith("4 frames of OUTPUT, ")
    if found.suspects:
        sheet = Image.open(BytesIO(sheet_png(found.suspects, _settings())))
        assert sheet.width > 100 < sheet.height


def test_plates_that_are_left_out_in_one_frame_are_a_failure(clip: Path, file: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[21]["boxes"], "nothing was found in the frame that is to be changed"
    lines[21]["boxes"] = []
    (tmp_path / "edited.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = Job(Address(str(clip)), Address(str(tmp_path / "out.mp4")))
    render_video(job, tmp_path / "edited.jsonl", _settings(), Callbacks(), StopToken())
    found = _verified(clip, tmp_path / "out.mp4", file)
    assert worst(found.checks) is Grade.fail, report_text(found)
    assert {place.frame for place in check_of(found, "residual").places} == {20}
