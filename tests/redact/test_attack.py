"""Multi-frame attacks on the mosaic: averaging and super-resolution with known motion, boxes, cells and spectrum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from blurscene_stream.boxes import NO_TRACK
from blurscene_stream.config.schema import ClassConfig, RedactMethod
from blurscene_stream.frames import PICTURE_FORMATS, Frame, PictureInfo
from blurscene_stream.redact import Redactor, cover_regions
from blurscene_stream.redact.mosaic_grid import MEAN_STEP, mosaic_grid
from blurscene_stream.redact.plane_views import plane_views

from .noise_frames import CLASSES, Box, detections_at, settings_of

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Seen = NDArray[np.uint8]
Recover = Callable[[list[Seen], "Scene"], Floats]
FRAMES = 60
TRACK = 7
PICTURE = PictureInfo(100, 100, PICTURE_FORMATS["gray"])
GREY = 128
OBJECT = np.arange(25, 65.5, 0.5)  # rows, and columns, of the object in the first frame
JITTER_PX = 1.6  # of a detector's edges: 4 % of the object's side
MARGIN = 0.25  # so cells are 10 px
WAVES = 28  # along each side; the shortest are 9 px long, which is less than a cell
SCENE_PX = 125.0
LEVELS = 30.0  # standard deviation of the texture


class Scene:
    """A random texture with a falling spectrum, as faces and plates have, that moves by parts of pixels."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.weights = spectrum() * rng.normal(size=(WAVES, WAVES))
        drift = np.arange(FRAMES)[:, None] * rng.uniform(0.1, 0.3, 2)
        self.shifts = drift + rng.normal(0, 0.3, (FRAMES, 2))  # y, x
        self.shifts[0] = 0
        corners = np.array([OBJECT[0], OBJECT[0], OBJECT[-1], OBJECT[-1]])
        jitter = rng.normal(0, JITTER_PX, (FRAMES, 4))
        self.boxes: list[Box] = [tuple(box) for box in (corners + self.shifts[:, [1, 0, 1, 0]] + jitter).tolist()]

    def frame(self, number: int) -> Frame:
        dy, dx = self.shifts[number]
        places = np.arange(100) + 0.5
        return frame_of(number, GREY + waves(places - dy) @ self.weights @ waves(places - dx).T)


def spectrum() -> Floats:
    """The standard deviation of each weight, (WAVES, WAVES)."""
    frequency = np.hypot(*np.meshgrid(np.arange(WAVES), np.arange(WAVES)))
    falling = np.where(frequency > 0, 1 / (1 + (frequency / 10) ** 2), 0)
    return np.asarray(falling * LEVELS * 2 / np.linalg.norm(falling))


def waves(places: Floats) -> Floats:
    """(N, WAVES), cosines at places along one side, in pixels of the first frame."""
    return np.asarray(np.cos(np.pi * np.outer(places + 20, np.arange(WAVES)) / SCENE_PX))


def frame_of(number: int, levels: Floats) -> Frame:
    samples = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return Frame(number, number, PICTURE, (samples,), lambda *_: np.zeros((1, 1, 3), np.uint8), None)


def filmed(scene: Scene) -> Iterator[Frame]:
    return (scene.frame(number) for number in range(FRAMES))


def made_up(scene: Scene) -> Iterator[Frame]:
    """The first frame, and nothing in those after it: so much an attacker can do who has one frame."""
    yield scene.frame(0)
    yield from (frame_of(number, np.zeros((100, 100))) for number in range(1, FRAMES))


def shown(frames: Iterable[Frame], scene: Scene, track: int, method: RedactMethod = RedactMethod.mosaic) -> list[Seen]:
    """The frames with the object covered."""
    redactor = Redactor(settings_of(method, margin=MARGIN), CLASSES)
    seen = []
    for frame in frames:
        redactor(frame, detections_at(scene.boxes[frame.number], track_ids=[track]))
        seen.append(np.asarray(frame.planes[0], np.uint8))
    return seen


def averaged(seen: list[Seen], scene: Scene) -> Floats:
    """The object from the frames laid over each other as it moved, in levels, half a pixel apart."""
    moved = [(OBJECT + dy, OBJECT + dx) for dy, dx in scene.shifts[: len(seen)].tolist()]
    parts = [one[np.ix_(down.astype(int), across.astype(int))] for one, (down, across) in zip(seen, moved, strict=True)]
    return np.asarray(np.mean(parts, axis=0) - GREY)


def super_resolved(seen: list[Seen], scene: Scene) -> Floats:
    """The object that explains all cells best: least squares, weighed as Wiener did, with the true spectrum.

    A mean is a linear function of the weights, off by what rounding takes.
    """
    rows, means = [], []
    for number, picture in enumerate(seen):
        dy, dx = scene.shifts[number]
        for down, across in cells_of(scene.boxes[number]):
            of_rows, of_columns = waves(down + 0.5 - dy).mean(axis=0), waves(across + 0.5 - dx).mean(axis=0)
            rows.append(np.outer(of_rows, of_columns).ravel())
            means.append(picture[np.ix_(down, across)].mean() - GREY)
    usual = spectrum().ravel()
    system = np.array(rows) * usual
    off = MEAN_STEP**2 / 12
    weights = usual * np.linalg.solve(system.T @ system + off * np.eye(len(usual)), system.T @ np.array(means))
    return np.asarray(waves(OBJECT) @ weights.reshape(WAVES, WAVES) @ waves(OBJECT).T)


def cells_of(box: Box) -> Iterator[tuple[Places, Places]]:
    """The rows and columns of each cell of an object on its own."""
    [region] = cover_regions(PICTURE, detections_at(box), [ClassConfig(margin=MARGIN)] * 2, 2)
    [view] = plane_views(frame_of(0, np.zeros((100, 100))), region.rect)
    cells = mosaic_grid(view, 6, region.longest_px)
    for top, height in zip(region.y0 + cells.top, cells.height, strict=True):
        for left, width in zip(region.x0 + cells.left, cells.width, strict=True):
            yield np.arange(top, top + height), np.arange(left, left + width)


def off_by(recovered: Floats, scene: Scene) -> float:
    """Root mean square error on the object, in levels."""
    return float(np.sqrt(((recovered - waves(OBJECT) @ scene.weights @ waves(OBJECT).T) ** 2).mean()))


SCENES = [Scene(seed) for seed in range(2)]


@pytest.mark.parametrize("method", [RedactMethod.mosaic, RedactMethod.blur])
@pytest.mark.parametrize("recover", [averaged, super_resolved])
def test_sixty_frames_recover_what_one_does(recover: Recover, method: RedactMethod) -> None:
    """Whoever has the first frame can make up the other 59, and recovers as much from them as from those filmed."""
    for scene in SCENES:
        sixty = off_by(recover(shown(filmed(scene), scene, TRACK, method), scene), scene)
        one = off_by(recover(shown(made_up(scene), scene, TRACK, method), scene), scene)
        assert sixty == pytest.approx(one, rel=1e-9)


def test_super_resolution_gains_nothing() -> None:
    for scene in SCENES:
        seen = shown(filmed(scene), scene, TRACK)
        assert off_by(super_resolved(seen, scene), scene) >= off_by(super_resolved(seen[:1], scene), scene)


def test_the_same_attacks_succeed_where_there_is_no_track() -> None:
    """The tests above are worth nothing if nothing is to be had from 60 frames."""
    for scene in SCENES:
        seen, from_one = shown(filmed(scene), scene, NO_TRACK), shown(made_up(scene), scene, TRACK)
        assert off_by(averaged(seen, scene), scene) < 0.95 * off_by(averaged(from_one, scene), scene)
        assert off_by(super_resolved(seen, scene), scene) < 0.5 * off_by(super_resolved(seen[:1], scene), scene)
