"""Crops: boxes stay with the pixels that they are of, whatever view, flip or patch is drawn; targets follow them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.training.crops import IGNORED, CropPlans, Plan
from scripts.training.draw import Draw, draw
from scripts.training.draw_opencv import draw_by_opencv
from scripts.training.store import Store, TrainingImage, filled_store
from scripts.training.targets import Targets, empty_targets
from scripts.training.training_images import doubt

SIZE = 128


def store_of(folder: Path, boxes: list[list[float]], labelled: tuple[bool, bool] = (True, True)) -> Store:
    """A store of one black picture with white rectangles where its boxes (class, x0, y0, x1, y1, doubt) are."""
    picture = np.zeros((200, 320, 3), np.uint8)
    for _, x0, y0, x1, y1, _ in boxes:
        picture[int(y0) : int(y1), int(x0) : int(x1)] = 255
    Image.fromarray(picture).save(folder / "one.png")
    rows = np.array(boxes, np.float32).reshape(-1, 6)
    return filled_store([TrainingImage(folder / "one.png", 320, 200, rows, labelled, 1.0)], torch.device("cpu"))


def planned(store: Store, seed: int, batch: int = 8, drawn_by: Draw = draw) -> tuple[Plan, torch.Tensor]:
    plan = CropPlans(store.images, store.filled, SIZE, batch).plan(random.Random(seed))
    return plan, drawn_by(store.pixels, {name: torch.from_numpy(each) for name, each in plan.items()}, SIZE)


@pytest.mark.parametrize("drawn_by", [draw, draw_by_opencv])
@pytest.mark.parametrize("seed", range(4))
def test_boxes_lie_on_what_they_are_of(tmp_path: Path, seed: int, drawn_by: Draw) -> None:
    plan, crops = planned(store_of(tmp_path, [[1, 100, 60, 220, 100, 0]]), seed, drawn_by=drawn_by)
    checked = 0
    for crop, boxes, kinds in zip(crops.float().mean(1).numpy(), plan["boxes"], plan["kind"], strict=True):
        for x0, y0, x1, y1 in boxes[kinds == 1]:
            if min(x1 - x0, y1 - y0) < 6:
                continue
            middle = crop[int((y0 + y1) / 2), int((x0 + x1) / 2)]
            inside = crop[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
            checked += 1
            assert middle > 100
            assert inside.mean() > 100, "a turned plate fills two thirds of its box"
    assert checked


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_of_drawing_on_a_cpu_draw_the_same(tmp_path: Path, seed: int) -> None:
    """Views, turned and mirrored ones, pasted plates, and what is outside of a picture."""
    row, column = np.mgrid[:200, :320]
    picture = np.stack([row / 2 + column / 4, 200 - row / 2, 60 + 40 * np.sin(column / 7)], 2).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "one.png")
    plates = np.array([[1, 100, 60, 220, 100, 0], [1, 10, 120, 60, 140, 0]], np.float32)
    image = TrainingImage(tmp_path / "one.png", 320, 200, plates, (True, True), 1.0)
    store = filled_store([image], torch.device("cpu"))
    plan, one = planned(store, seed, 16)
    _, other = planned(store, seed, 16, draw_by_opencv)
    assert plan["flip"].any() and (plan["patch_rect"][..., 2] > plan["patch_rect"][..., 0]).any()
    difference = (one.float() - other.float()).abs()
    assert one.shape == other.shape and difference.mean() < 1
    assert (difference > 8).float().mean() < 0.02, "only at the pictures' edges"


def test_what_is_not_labelled_is_not_learnt(tmp_path: Path) -> None:
    plan, _ = planned(store_of(tmp_path, [[1, 100, 60, 220, 100, 0]], (False, True)), 0)
    assert not plan["weight"][:, 0].any()
    assert plan["weight"][:, 1].any()


def test_ignored_boxes_are_not_learnt_and_doubtful_ones_are_targets(tmp_path: Path) -> None:
    boxes: list[list[float]] = [[0, 20, 20, 90, 110, 1], [0, 180, 30, 250, 120, doubt(0, 0.3)]]
    plan, _ = planned(store_of(tmp_path, boxes), 1)
    assert set(np.unique(plan["kind"])) <= {IGNORED, 3}
    assert not plan["heat"].any()
    assert not plan["weight"][:, 0].all()
    assert 0.2 < plan["soft"][:, 0].max() <= np.float16(0.3)


def test_a_sure_teacher_that_was_not_believed_is_ignored() -> None:
    assert doubt(0, 0.39) == 0.39
    assert doubt(0, 0.41) == 1.0


def test_the_heat_of_an_object_is_1_at_its_centre_and_its_cells_learn_it() -> None:
    arrays = {name: each[0] for name, each in empty_targets(1, 32).items()}
    targets = Targets(**arrays)
    targets.draw(np.array([[0, 20, 28, 60, 100, 0], [1, 80, 80, 120, 96, 0]], float))
    assert targets.heat[0, 16, 10] == 1 and targets.heat[1, 22, 25] == 1
    assert (targets.heat == 1).sum() == 2
    assert targets.index[0, 16, 10] == 0 and targets.index[1, 22, 25] == 1
    assert (targets.cell > 0).sum() == (targets.index >= 0).sum()
    assert (targets.heat[:, :5] == 0).all()


def test_cells_that_learn_a_box_point_to_it(tmp_path: Path) -> None:
    plan, _ = planned(store_of(tmp_path, [[1, 100, 60, 220, 100, 0], [0, 20, 20, 60, 60, 0]]), 2)
    crop, class_id, row, column = np.unravel_index(plan["cells"], plan["heat"].shape)
    boxes = plan["boxes"].reshape(-1, 4)[plan["owner"]]
    assert (plan["owner"] // len(plan["boxes"][0]) == crop).all()
    assert (plan["kind"].ravel()[plan["owner"]] == class_id).all()
    middles = np.stack([column, row], 1) * 4 + 2
    assert (middles > boxes[:, :2] - 4).all() and (middles < boxes[:, 2:] + 4).all()
    assert (plan["share"] > 0).all() and len(plan["cells"]) > 20


def test_a_picture_larger_than_the_crop_is_drawn_from_a_smaller_level(tmp_path: Path) -> None:
    store = store_of(tmp_path, [[1, 0, 0, 320, 200, 0]])
    assert [(level.height, level.width) for level in store.images[0].levels] == [(200, 320), (100, 160), (50, 80)]
    for level in store.images[0].levels:
        pixels = store.pixels[level.offset : level.offset + level.height * level.width * 3]
        assert (pixels == 255).all()
