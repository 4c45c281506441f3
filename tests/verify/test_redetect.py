"""The second look: what the detector finds in the output that is not covered is shown on the contact sheet, covered."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame
from blurscene_stream.verify import Findings, Grade, is_sheet, sheet_png
from blurscene_stream.verify.contact_sheet import TILE_PX
from blurscene_stream.verify.redetect import MAX_TILES, more_sensitive
from tests.detectors import CLASSES
from tests.settings import changed
from tests.verify.conftest import Honest
from tests.verify.runs import check_of, checked, failed, report_text, settings_of
from tests.verify.scenes import ObjectDetector, object_at

BOX = (230, 150, 262, 182)  # of something in the street


class SuspiciousDetector(ObjectDetector):
    """Sees the object, covered as it is, and something beside it now and then."""

    def __init__(self, *boxes: tuple[int, int, int, int], every: int = 1, score: float = 0.4) -> None:
        super().__init__()
        self.boxes, self.every, self.score = boxes, every, score

    def _find(self, frame: Frame) -> Detections:
        seen = self.boxes if frame.number % self.every == 0 else ()
        boxes = np.array([object_at(frame.number), *seen], np.float32)
        count = len(boxes)
        return Detections(boxes, np.full(count, self.score, np.float32), np.zeros(count, np.int64), CLASSES)


def _looked(honest: Honest, detector: SuspiciousDetector, every: int = 1) -> Findings:
    return checked(honest.source, honest.target, honest.file, detector=detector, every=every)


def test_what_is_covered_is_no_suspect(honest: Honest) -> None:
    found = _looked(honest, SuspiciousDetector())
    assert failed(found) == set(), report_text(found)
    assert check_of(found, "redetect").summary == "12 frames of OUTPUT, no suspects"


def test_one_thing_over_time_is_one_suspect(honest: Honest) -> None:
    found = _looked(honest, SuspiciousDetector(BOX, every=2))
    assert failed(found) == {"redetect"} and check_of(found, "redetect").grade is Grade.review
    (suspect,) = found.suspects
    assert (suspect.label, suspect.frames, suspect.box.tolist()) == ("face", 6, list(BOX))
    assert "frame 0 (0.000 s): may show a face near x 246, y 166 (score 0.40, in 6 of the frames)" in report_text(found)


def test_what_is_weak_counts_when_it_stays(honest: Honest) -> None:
    """The threshold of faces is 0.2; three quarters of it are enough to be looked at."""
    none, one = "no suspects; 2 weak and too short to count", "1 suspect"
    for every, counting, said in ((6, 0, none), (4, 1, one), (1, 1, one)):  # every 6th frame: a new one each time
        found = _looked(honest, SuspiciousDetector(BOX, every=every, score=0.16))
        assert check_of(found, "redetect").summary == f"12 frames of OUTPUT, {said}"
        assert [one.tile is not None for one in found.suspects] == [True] * counting
        assert check_of(found, "redetect").grade is (Grade.review if counting else Grade.ok)
    assert len(_looked(honest, SuspiciousDetector(BOX, every=12, score=0.2)).suspects) == 1, "it is not weak"
    assert len(_looked(honest, SuspiciousDetector(BOX, score=0.16), every=5).suspects) == 1, "it is looked for seldom"


def test_each_nth_frame_is_looked_at(honest: Honest) -> None:
    found = _looked(honest, SuspiciousDetector(BOX), every=5)
    assert found.suspects[0].frames == 3
    assert check_of(found, "redetect").summary == "3 frames of OUTPUT, 1 suspect"


def test_a_covered_thing_that_can_be_seen_is_a_suspect(honest: Honest) -> None:
    found = checked(
        honest.source, honest.source, honest.file, detector=SuspiciousDetector(), every=1
    )  # nothing is covered in it
    assert {"residual", "redetect"} <= failed(found)
    assert len(found.suspects) == 1 and found.suspects[0].frames == 12


def test_the_sheet_shows_suspects_covered(honest: Honest) -> None:
    found = _looked(honest, SuspiciousDetector(BOX))
    sheet = np.asarray(Image.open(BytesIO(sheet_png(found.suspects, settings_of()))))
    assert found.suspects[0].tile is not None
    tile = found.suspects[0].tile
    assert tile.shape == (TILE_PX, TILE_PX, 3) and np.array_equal(sheet[6 : 6 + TILE_PX, 6 : 6 + TILE_PX], tile)
    middle = tile[66:110, 66:110]  # the suspect is a quarter as wide as its surroundings
    around = np.vstack((tile[:30], tile[-30:]))
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) <= 150 < len(np.unique(around.reshape(-1, 3), axis=0))
    assert sheet[6 + TILE_PX + 2 :, :].max() > 200, "there is no caption"


def test_the_areas_of_the_videos_are_none_of_the_sheet(honest: Honest) -> None:
    found = _looked(honest, SuspiciousDetector(BOX))
    plain, areas = settings_of(), settings_of()
    areas = changed(areas, {"areas.always": ["500,300 600,350"], "areas.roi": ["0,0 19,9"]})
    assert sheet_png(found.suspects, areas) == sheet_png(found.suspects, plain)


def test_a_sheet_is_told_from_other_pictures(honest: Honest, tmp_path: Path) -> None:
    found = _looked(honest, SuspiciousDetector(BOX))
    own, sheet = tmp_path / "own.png", tmp_path / "sheet.png"
    sheet.write_bytes(sheet_png(found.suspects, settings_of()))
    Image.open(sheet).save(own)
    assert Image.open(sheet).text == {"Software": "blurscene-stream verify"}  # type: ignore[attr-defined]
    assert is_sheet(sheet) and not is_sheet(own) and not is_sheet(tmp_path / "none.png")


def test_neighbours_in_a_tile_are_covered_too(honest: Honest) -> None:
    beside = (BOX[0] - 40, BOX[1], BOX[2] - 40, BOX[3])
    alone = _looked(honest, SuspiciousDetector(BOX)).suspects[0].tile
    both = _looked(honest, SuspiciousDetector(BOX, beside)).suspects[0].tile
    assert alone is not None and both is not None
    left = np.s_[60:116, 20:50]
    assert len(np.unique(both[left].reshape(-1, 3), axis=0)) < len(np.unique(alone[left].reshape(-1, 3), axis=0)) / 3


def test_many_suspects_do_not_grow_the_sheet(honest: Honest) -> None:
    boxes = [(x, y, x + 8, y + 8) for x in range(220, 316, 12) for y in range(0, 96, 12)]
    found = _looked(honest, SuspiciousDetector(*boxes), every=12)
    assert len(found.suspects) == len(boxes) > MAX_TILES
    assert sum(one.tile is not None for one in found.suspects) == MAX_TILES
    assert Image.open(BytesIO(sheet_png(found.suspects, settings_of()))).width < 1500


def test_the_second_look_is_another_one_than_that_of_a_run() -> None:
    plain = settings_of()
    made = more_sensitive(plain)
    assert made.detect.variants.mirror_image and made.detect.variants.scales != plain.detect.variants.scales
    assert made.classes["face"].threshold < plain.classes["face"].threshold == 0.2
    assert not made.track.enabled and plain.track.enabled


def test_no_look(honest: Honest) -> None:
    found = _looked(honest, SuspiciousDetector(BOX), every=0)
    assert "redetect" not in {check.name for check in found.checks}
