"""All clips of ../shared go through: HEVC, MPEG-4, fisheye, portrait, with and without audio; one is verified.

For time the long ones are cut, and the detector looks at small pictures: `pytest tests/test_real_clips.py --clip-size
1280` does it in full.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video, render_video
from blurscene_stream.verify import Findings, Grade, VerifyJob, sheet_png, verify_video, worst
from tests.clip_checks import check_clip
from tests.settings import changed
from tests.verify.runs import check_of, report_text
from tests.videos import cut_video

CLIPS = {  # name -> frames, and the smallest size at which something is found
    "dashcam_960x544": (441, 320),  # HEVC
    "entrance_768x432": (1394, 320),
    "motorway_1280x720": (38, 960),
    "motorway_960x540": (221, 640),
    "parked_cars_2560x1920": (24, 320),
    "portrait_608x1080": (600, 320),
    "speaker_640x360": (275, 320),  # the video starts late
    "table_fisheye": (14, 320),
    "toll_gate_1280x720": (339, 320),  # full range, odd frame rate
    "walkers_synthetic_752x416": (145, 320),  # has a cover picture
    "yard_car_856x480": (500, 320),  # MPEG-4 part 2, pixels that are not square
}
CUT_FRAMES = 72
VERIFIED = "motorway_1280x720"


def test_no_clip_is_forgotten(shared: Path) -> None:
    assert {path.stem for path in (shared / "data" / "clips").iterdir()} == set(CLIPS)


@dataclass(frozen=True)
class Run:
    """A clip, its anonymized copy and the file of its detections, and what the run said of each frame."""

    source: Path
    target: Path
    file: Path
    settings: Settings
    detections: list[Detections]


@pytest.fixture(scope="module")
def run_of(shared: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Callable[[str], Run]:
    """Run a clip through with the real weights, once."""

    @cache
    def run(name: str) -> Run:
        source, folder = shared / "data" / "clips" / f"{name}.mp4", tmp_path_factory.mktemp(name)
        frames, size_px = CLIPS[name]
        full_size_px = pytestconfig.getoption("--clip-size")
        if not full_size_px and frames > 2 * CUT_FRAMES + 1:
            source, frames = cut_video(source, folder / "cut.mp4", CUT_FRAMES), CUT_FRAMES
        settings = changed(Settings(), {"detect.size_px": full_size_px or size_px})
        target, file = folder / "out.mp4", folder / "found.jsonl"
        found: list[Detections] = []
        callbacks = Callbacks(on_frame=lambda frame: found.append(frame.detections))
        job = Job(Address(str(source)), Address(str(target)), detections=Address(str(file)))
        summary = anonymize_video(job, settings, callbacks, StopToken())
        assert summary.frames == frames
        assert {path.name for path in folder.iterdir()} <= {"out.mp4", "cut.mp4", "found.jsonl"}
        return Run(source, target, file, settings, found)

    return run


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_goes_through(name: str, run_of: Callable[[str], Run]) -> None:
    run = run_of(name)
    boxes = check_clip(run.source, run.target, run.detections, run.settings)
    assert boxes > 0, "nothing was found in a clip that has something in it"


def _verified(run: Run, target: Path, every: int = 0) -> Findings:
    return verify_video(VerifyJob(Address(str(run.source)), Address(str(target)), run.settings, run.file, every=every))


def test_an_honest_run_over_a_clip_is_no_failure_of_verify(run_of: Callable[[str], Run]) -> None:
    run = run_of(VERIFIED)
    found = _verified(run, run.target, every=12)
    assert worst(found.checks) is not Grade.fail, report_text(found)
    assert check_of(found, "redetect").summary.startswith("4 frames of OUTPUT, ")
    if found.suspects:
        sheet = Image.open(BytesIO(sheet_png(found.suspects, run.settings)))
        assert sheet.width > 100 < sheet.height


def test_plates_that_are_left_out_in_one_frame_are_a_failure(run_of: Callable[[str], Run], tmp_path: Path) -> None:
    run = run_of(VERIFIED)
    lines = [json.loads(line) for line in run.file.read_text().splitlines()]
    assert lines[21]["boxes"], "nothing was found in the frame that is to be changed"
    lines[21]["boxes"] = []
    (tmp_path / "edited.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    job = Job(Address(str(run.source)), Address(str(tmp_path / "out.mp4")))
    render_video(job, tmp_path / "edited.jsonl", run.settings, Callbacks(), StopToken())
    found = _verified(run, tmp_path / "out.mp4")
    assert worst(found.checks) is Grade.fail, report_text(found)
    assert {place.frame for place in check_of(found, "residual").places} == {20}
