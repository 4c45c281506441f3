"""All clips of ../shared go through: HEVC, MPEG-4, fisheye, portrait, with and without sound.

For time the long ones are cut, and the detector looks at small pictures: `pytest tests/test_real_clips.py --clip-size
1280` does it in full.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from tests.clip_checks import check_clip
from tests.settings import changed
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


def test_no_clip_is_forgotten(shared: Path) -> None:
    assert {path.stem for path in (shared / "data" / "clips").iterdir()} == set(CLIPS)


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_goes_through(name: str, shared: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    source, target = shared / "data" / "clips" / f"{name}.mp4", tmp_path / "out.mp4"
    frames, size_px = CLIPS[name]
    full_size_px = pytestconfig.getoption("--clip-size")
    if not full_size_px and frames > 2 * CUT_FRAMES + 1:
        source, frames = cut_video(source, tmp_path / "cut.mp4", CUT_FRAMES), CUT_FRAMES
    settings = changed(Settings(), {"detect.size_px": full_size_px or size_px})
    found: list[Detections] = []
    callbacks = Callbacks(on_frame=lambda frame: found.append(frame.detections))
    job = Job(Address(str(source)), Address(str(target)))
    summary = anonymize_video(job, settings, callbacks, StopToken())
    assert summary.frames == frames
    boxes = check_clip(source, target, found, settings)
    assert boxes > 0, "nothing was found in a clip that has something in it"
    assert {path.name for path in tmp_path.iterdir()} <= {"out.mp4", "cut.mp4"}
