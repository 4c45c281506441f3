"""Training on pictures that are drawn on the fly: the loss falls, and the network then finds what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from blurscene_stream.boxes import iou
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.detect.face_plate import decode_heat_maps
from scripts.training.augment import augment, without_hidden
from scripts.training.face_masks import cover_faces
from scripts.training.losses import Loss, detection_loss
from scripts.training.store import filled_store
from scripts.training.train import Progress, TrainConfig, batches_of, learning_rate, train
from scripts.training.training_images import read_training_images
from tests.training.drawn import draw_picture, write_jsonl

CPU = torch.device("cpu")
STEPS, SIDE = 160, 64


def small_network() -> FacePlateV2Network:
    torch.manual_seed(0)
    return FacePlateV2Network((8, 16), (16, 24, 32, 32), (16, 16, 16, 16), (1, 1, 1, 1), 16)


def test_a_network_learns_to_find_discs_and_plates(tmp_path: Path) -> None:
    images = read_training_images(write_jsonl(tmp_path / "drawn", 12, SIDE), {})
    reports: list[Progress] = []
    config = TrainConfig(
        steps=STEPS, batch=8, size=64, learning_rate=5e-3, warm_up=10, average=0.9, report_every=STEPS // 4
    )
    network = train(small_network(), filled_store(images, CPU), config, lambda one, _: reports.append(one))
    first, *_, last = reports
    assert last.face < 0.6 * first.face
    assert last.license_plate < 0.6 * first.license_plate
    assert last.boxes < first.boxes
    assert found_by(network) >= 10, "of 32"
    assert found_by(small_network()) == 0


def found_by(network: FacePlateV2Network) -> int:
    """Of 32 objects in pictures that were not trained on, how many the best box of their class matches."""
    rng = np.random.default_rng(99)
    found = 0
    for _ in range(16):
        picture, truth = draw_picture(rng, SIDE)
        with torch.inference_mode():
            maps = network.eval()(torch.from_numpy(picture).permute(2, 0, 1)[None].float())
        candidates = decode_heat_maps(maps.numpy(), [0.02, 0.02])
        for class_id, box in truth:
            mine = candidates[candidates.class_ids == class_id]
            best = mine.boxes[mine.scores.argsort()[::-1][:1]]
            found += int(len(best) > 0 and iou(best, np.array([box], np.float32))[0, 0] > 0.3)
    return found


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    images = read_training_images(write_jsonl(tmp_path / "drawn", 4, SIDE), {})
    config = TrainConfig(steps=2, batch=2, size=64)
    first, second = (train(small_network(), filled_store(images, CPU), config).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    untrained = small_network().state_dict()
    assert not torch.equal(first["out.weight"], untrained["out.weight"])


def test_no_step_waits_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device, which has shapes and no numbers, everything that needs a number in main memory fails."""
    store = filled_store(read_training_images(write_jsonl(tmp_path / "drawn", 3, SIDE), {}), CPU)
    plan, meta, network = next(batches_of(store, TrainConfig(batch=32, size=64))), torch.device("meta"), small_network()
    on_device = {name: value.to(meta) for name, value in plan.items()}
    network.to(meta)

    def step() -> Loss:
        crops = cover_faces(torch.empty(32, 3, 64, 64, device=meta), plan["boxes"], plan["kind"])
        crops, hidden = augment(crops, on_device["boxes"])
        loss = detection_loss(network(crops), without_hidden(on_device, hidden), on_device["boxes"])
        loss.total.backward()  # type: ignore[no-untyped-call]
        return loss

    with pytest.raises(RuntimeError, match="meta"):
        step().total.item()
    assert all(parameter.grad is not None for parameter in network.parameters())
    make = torch.tensor

    def refuse(*numbers: Any, device: torch.device = CPU, **options: Any) -> torch.Tensor:
        assert device == CPU, "a copy to the device, which waits for it"
        return make(*numbers, **options)

    monkeypatch.setattr(torch, "tensor", refuse)
    step()


def test_the_learning_rate_rises_and_falls() -> None:
    config = TrainConfig(warm_up=10, learning_rate=1.0)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(config, 10, 0.0) == pytest.approx(1.0)
    assert learning_rate(config, 500, 1.0) == pytest.approx(0.01)


def test_sizes_that_the_network_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match="size must be a multiple of 64, got 100"):
        TrainConfig(size=100)


def test_every_sixth_batch_is_wide(tmp_path: Path) -> None:
    store = filled_store(read_training_images(write_jsonl(tmp_path / "drawn", 3, SIDE), {}), CPU)
    batches = batches_of(store, TrainConfig(batch=8, size=64, wide=128))
    shapes = [tuple(next(batches)["heat"].shape) for _ in range(12)]
    assert shapes == ([(8, 2, 16, 16)] * 5 + [(2, 2, 32, 32)]) * 2
