"""Redetection: what the detector finds in the output that is not covered is shown on the contact sheet, covered."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from PIL import Image

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame, ScanMode
from blurscene_stream.own_files import SHEET
from blurscene_stream.verify import Findings, Grade, sheet_png
from blurscene_stream.verify.contact_sheet import FRAME_PX, MARKER, TILE_PX
from blurscene_stream.verify.redetect import MAX_TILES, more_sensitive
from tests.detectors import CLASSES, RgbSquareDetector, SquareDetector
from tests.settings import changed
from tests.verify.conftest import Honest
from tests.verify.runs import anonymized, check_of, checked, failed, report_text, settings_of
from tests.verify.scenes import ObjectDetector, object_at
from tests.videos import VideoSpec, make_video, picture

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


def _redetected(honest: Honest, detector: SuspiciousDetector, every: int = 1) -> Findings:
    return checked(honest.source, honest.target, honest.file, detector=detector, every=every)


def test_what_is_covered_is_no_suspect(honest: Honest) -> None:
    found = _redetected(honest, SuspiciousDetector())
    assert failed(found) == set(), report_text(found)
    assert check_of(found, "redetect").summary == "12 frames of OUTPUT, no suspects"


def test_what_shows_only_when_the_picture_is_turned_is_a_suspect(honest: Honest) -> None:
    class TurnedDetector(SuspiciousDetector):
        def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
            turned = frames[0].scan_mode in (ScanMode.only_turned, ScanMode.full_turned)
            self.boxes, self.score = ((BOX,), 0.99) if turned else ((), 0.4)
            return [self._find(frame) for frame in frames]

    found = _redetected(honest, TurnedDetector())
    (suspect,) = found.suspects
    assert (suspect.label, suspect.frames, suspect.box.tolist()) == ("face", 12, list(BOX))


def test_a_faint_object_that_was_missed_is_a_suspect(tmp_path: Path) -> None:
    """Its frames span less than a tenth of the levels, and are scanned with their contrast raised, as in a run."""
    spec, settings = VideoSpec(4, 96, 64, codec="ffv1", audio=()), changed(Settings(), {"encode.codec": "ffv1"})
    source = make_video(tmp_path / "in.mkv", spec, draw=lambda n, spec: (picture(n, spec) // 24 + 150).astype(np.uint8))
    blind = SquareDetector(lambda frames: [Detections.empty(CLASSES)] * len(frames))
    target = anonymized(source, tmp_path / "out.mkv", tmp_path / "found.jsonl", settings, blind)
    found = checked(source, target, tmp_path / "found.jsonl", settings, detector=RgbSquareDetector(), every=1)
    assert failed(found) == {"redetect"}, report_text(found)
    (suspect,) = found.suspects
    assert (suspect.label, suspect.frames) == ("license_plate", 4)


def test_one_thing_over_time_is_one_suspect(honest: Honest) -> None:
    found = _redetected(honest, SuspiciousDetector(BOX, every=2))
    assert failed(found) == {"redetect"} and check_of(found, "redetect").grade is Grade.review
    (suspect,) = found.suspects
    assert (suspect.label, suspect.frames, suspect.box.tolist()) == ("face", 6, list(BOX))
    assert "frame 0 (0.000 s): may show a face near x 246, y 166 (score 0.40, in 6 frames)" in report_text(found)


def test_what_is_weak_counts_when_it_lasts(honest: Honest) -> None:
    """The threshold of faces is 0.2; three quarters of it are enough to be followed, twice as much to be sure."""
    none, one = "no suspects; 2 weak findings, too short to count", "1 suspect"
    for every, counting, suspects in ((6, 0, none), (1, 1, one)):  # every 6th frame: a new one each time
        found = _redetected(honest, SuspiciousDetector(BOX, every=every, score=0.16))
        assert check_of(found, "redetect").summary == f"12 frames of OUTPUT, {suspects}"
        assert [one.tile is not None for one in found.suspects] == [True] * counting
        assert check_of(found, "redetect").grade is (Grade.review if counting else Grade.ok)
    assert not _redetected(honest, SuspiciousDetector(BOX, every=2, score=0.3)).suspects, "it is in 6 of 12 frames"
    assert len(_redetected(honest, SuspiciousDetector(BOX, every=12, score=0.4)).suspects) == 1, "it is sure"
    assert len(_redetected(honest, SuspiciousDetector(BOX, score=0.16), every=5).suspects) == 1, "it runs on few frames"


def test_what_is_unlikely_is_not_sure_where_the_thresholds_are_low(honest: Honest) -> None:
    """As those of the fast model are, a fortieth."""
    settings = changed(settings_of(), {"classes.face.threshold": 0.025})
    for score, grade in ((0.1, Grade.ok), (0.45, Grade.review)):
        detector = SuspiciousDetector(BOX, every=12, score=score)
        found = checked(honest.source, honest.target, honest.file, settings, detector=detector, every=1)
        assert check_of(found, "redetect").grade is grade, report_text(found)


def test_a_suspect_is_counted_once_in_a_frame(honest: Honest) -> None:
    beside = (BOX[0] + 8, BOX[1], BOX[2] + 8, BOX[3])
    found = _redetected(honest, SuspiciousDetector(BOX, beside))
    assert [one.frames for one in found.suspects] == [12, 12]


def test_each_nth_frame_is_detected_on(honest: Honest) -> None:
    found = _redetected(honest, SuspiciousDetector(BOX), every=5)
    assert found.suspects[0].frames == 3
    assert check_of(found, "redetect").summary == "3 frames of OUTPUT, 1 suspect"


def test_a_covered_thing_that_can_be_seen_is_a_suspect(honest: Honest) -> None:
    found = checked(
        honest.source, honest.source, honest.file, detector=SuspiciousDetector(), every=1
    )  # nothing is covered in it
    assert {"residual", "redetect"} <= failed(found)
    assert len(found.suspects) == 1 and found.suspects[0].frames == 12


def test_the_sheet_shows_suspects_large_and_covered_beside_the_frame(honest: Honest) -> None:
    found = _redetected(honest, SuspiciousDetector(BOX))
    sheet = np.asarray(Image.open(BytesIO(sheet_png(found.suspects, settings_of()))))
    (suspect,) = found.suspects
    assert suspect.tile is not None
    tile, frame = suspect.tile[:, :TILE_PX], suspect.tile[:, -FRAME_PX:]
    assert np.array_equal(sheet[6 : 6 + TILE_PX, 6 : 6 + suspect.tile.shape[1]], suspect.tile)
    side = TILE_PX // 4  # the suspect is a quarter as wide as its surroundings
    middle = tile[TILE_PX // 2 - side // 2 :, TILE_PX // 2 - side // 2 :][2 : side - 2, 2 : side - 2]
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) <= 600 < len(np.unique(tile.reshape(-1, 3), axis=0)) / 4
    with av.open(str(honest.target)) as container:
        shown = next(iter(container.decode(video=0))).to_ndarray(format="rgb24")
    around = np.asarray(Image.fromarray(shown[102:140, 182:310]).resize((TILE_PX, 95)))
    assert np.abs(tile[:95].astype(int) - around).mean() < 4, "the surroundings are those of OUTPUT"
    whole = np.asarray(Image.fromarray(shown).resize((427, TILE_PX)))
    assert np.abs(frame[:, :427].astype(int) - whole).mean() < 4 and (frame == MARKER).all(axis=2).any()
    assert sheet[6 + TILE_PX + 2 :, :].max() > 200, "there is no caption"


def test_the_areas_of_the_videos_are_none_of_the_sheet(honest: Honest) -> None:
    found = _redetected(honest, SuspiciousDetector(BOX))
    plain, areas = settings_of(), settings_of()
    areas = changed(areas, {"areas.always": ["500,300 600,350"], "areas.roi": ["0,0 19,9"]})
    assert sheet_png(found.suspects, areas) == sheet_png(found.suspects, plain)


def test_a_sheet_is_distinguished_from_other_pictures(honest: Honest, tmp_path: Path) -> None:
    found = _redetected(honest, SuspiciousDetector(BOX))
    own, sheet = tmp_path / "own.png", tmp_path / "sheet.png"
    sheet.write_bytes(sheet_png(found.suspects, settings_of()))
    Image.open(sheet).save(own)
    assert Image.open(sheet).text == {"Software": "blurscene-stream verify"}  # type: ignore[attr-defined]
    assert SHEET.matches(sheet) and not SHEET.matches(own) and not SHEET.matches(tmp_path / "none.png")


def test_other_suspects_in_a_tile_are_covered_too(honest: Honest) -> None:
    beside = (BOX[0] - 40, BOX[1], BOX[2] - 40, BOX[3])
    alone = _redetected(honest, SuspiciousDetector(BOX)).suspects[0].tile
    both = _redetected(honest, SuspiciousDetector(BOX, beside)).suspects[0].tile
    assert alone is not None and both is not None
    left = np.s_[125:195, 25:95]
    inside = np.abs(both[left].astype(int) - alone[left]).mean()
    above = np.abs(both[:90, :TILE_PX].astype(int) - alone[:90, :TILE_PX]).mean()
    assert inside > 3
    assert above < 1


def test_many_suspects_do_not_grow_the_sheet(honest: Honest) -> None:
    boxes = [(x, y, x + 8, y + 8) for x in range(220, 316, 12) for y in range(0, 96, 12)]
    found = _redetected(honest, SuspiciousDetector(*boxes), every=12)
    assert len(found.suspects) == len(boxes) > MAX_TILES
    assert sum(one.tile is not None for one in found.suspects) == MAX_TILES
    assert Image.open(BytesIO(sheet_png(found.suspects, settings_of()))).width < 2800


def test_redetection_scans_otherwise_than_a_run_and_is_no_more_work() -> None:
    plain = settings_of()
    made = more_sensitive(plain)
    views, before = made.detect.variants, plain.detect.variants
    assert views.scales != before.scales and views.mirror_image is before.mirror_image
    assert sum(scale**2 for scale in views.scales) <= sum(scale**2 for scale in before.scales)
    assert made.classes["face"].threshold < plain.classes["face"].threshold == 0.2
    assert not made.track.enabled and plain.track.enabled


def test_every_0_redetects_nothing(honest: Honest) -> None:
    found = _redetected(honest, SuspiciousDetector(BOX), every=0)
    assert "redetect" not in {check.name for check in found.checks}
