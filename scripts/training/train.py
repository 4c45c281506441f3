"""The training loop: AdamW, a cosine schedule, averaged weights; crops are drawn and augmented on the device."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from blurscene_stream.detect.backends.processor import has_fast_bf16
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from scripts.training.augment import augment, without_hidden
from scripts.training.clock import Clock
from scripts.training.crops import CropPlans
from scripts.training.draw import Draw, choose_draw
from scripts.training.face_masks import cover_faces
from scripts.training.losses import Loss, detection_loss
from scripts.training.store import Store

_WIDE_EVERY = 6  # batches
_FINAL_SHARE = 0.01  # of the learning rate, at the end of the cosine
_MAX_GRADIENT_NORM = 20.0
_PREFETCHED = 6  # batches of a worker
_CACHED = 2  # crops that a CPU ages at once: one is a bar in front of the other


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    steps, minutes: when to stop, whichever comes first; the learning rate falls to the end
    deadline:       a file that says another end in place of `minutes`, once it is there; see `Clock`
    batch, size:    crops of a batch, and the side of each in pixels, a multiple of 64
    wide:           side of the crops of every sixth batch, which has fewer of them; 0: as the others
    warm_up:        steps over which the learning rate rises
    average:        share of the old average that stays at each step
    face_loss:      weight of faces in the loss of scores; that of plates is 1
    workers:        processes that plan crops; 0: none, and the same run gives the same weights
    report_every:   steps from one report to the next
    """

    minutes: float = 10
    steps: int = 1_000_000
    batch: int = 128
    size: int = 640
    wide: int = 0
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.02
    warm_up: int = 400
    average: float = 0.9996
    face_loss: float = 1.0
    workers: int = 0
    seed: int = 0
    report_every: int = 200
    deadline: Path | None = None

    def __post_init__(self) -> None:
        for name in ("size", "wide"):
            if getattr(self, name) % FacePlateV2Network.multiple:
                raise ValueError(
                    f"{name} must be a multiple of {FacePlateV2Network.multiple}, got {getattr(self, name)}"
                )


@dataclass(frozen=True)
class Progress:
    """After a step: its number, the seconds so far, the mean losses since the last report."""

    step: int
    seconds: float
    face: float
    license_plate: float
    boxes: float


Report = Callable[[Progress, FacePlateV2Network], None]
"""Is given the progress, and the network with averaged weights."""


class Averaged:
    """The exponential average of a network's weights, which is what is kept: it is better than the last ones."""

    def __init__(self, network: FacePlateV2Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self._decay = decay
        self._averages, self._sources = (_floating(each) for each in (self.network, network))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step`; the first ones count more, for they are soon far away."""
        decay = min(self._decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(self._averages, self._sources, 1 - decay)


def _floating(network: nn.Module) -> list[Tensor]:
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def train(
    network: FacePlateV2Network,
    store: Store,
    config: TrainConfig,
    report: Report = lambda _progress, _averaged: None,
    filling: AbstractContextManager[object] | None = None,
) -> FacePlateV2Network:
    """Train `network` in place, on the device of the store; return the network with averaged weights.

    filling: fills the store meanwhile; its threads begin once the workers are forked, which would copy locks they hold
    """
    torch.manual_seed(config.seed)
    _prepare(network, store.pixels.device)
    averaged = Averaged(network, config.average)
    optimizer = _optimizer(network, config)
    batches, drawing = batches_of(store, config), _Drawing(store)
    losses, done = list[Loss](), 0
    with filling or nullcontext():
        clock = Clock(config.minutes, config.deadline)
        while (progress := max(done / config.steps, clock.progress())) < 1:
            plan = next(batches)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, done, progress)
            losses.append(_step(network, optimizer, plan, drawing, config.face_loss))
            done += 1
            averaged.update(done)
            if done % config.report_every == 0:
                report(_progress(done, clock.seconds(), losses), averaged.network)
                losses.clear()
        if losses:
            report(_progress(done, clock.seconds(), losses), averaged.network)
    return averaged.network


def _prepare(network: FacePlateV2Network, device: torch.device) -> None:
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train().requires_grad_(True)
    network.calibration.copy_(FacePlateV2Network().calibration)  # other weights need another one


def learning_rate(config: TrainConfig, step: int, progress: float) -> float:
    """Return the learning rate: a linear rise, then a cosine down to a hundredth at `progress` 1."""
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    rise = min(1.0, (step + 1) / config.warm_up)
    return config.learning_rate * rise * (_FINAL_SHARE + (1 - _FINAL_SHARE) * cosine)


def _optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW; biases and norms are not decayed."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=kernels[0].is_cuda)


def batches_of(store: Store, config: TrainConfig) -> Iterator[dict[str, Tensor]]:
    """Start the workers; return planned batches for ever, every sixth one wide, if any are."""

    def load(size: int, batch: int, workers: int) -> Iterator[dict[str, Tensor]]:
        return iter(
            DataLoader(
                CropPlans(store.images, store.filled, size, batch, config.seed),
                batch_size=None,
                num_workers=workers,
                pin_memory=store.pixels.is_cuda,
                prefetch_factor=_PREFETCHED if workers else None,
            )
        )

    usual = load(config.size, config.batch, config.workers)
    if not config.wide:
        return usual
    fewer = max(1, round(config.batch * (config.size / config.wide) ** 2))
    return _in_turn(usual, load(config.wide, fewer, config.workers // 4))


def _in_turn(usual: Iterator[dict[str, Tensor]], wide: Iterator[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    while True:
        for _ in range(_WIDE_EVERY - 1):
            yield next(usual)
        yield next(wide)


class _Drawing:
    """Draws plans of any size out of the store; the first one decides how.

    bf16: the device multiplies it fast, so the network is to be given it
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._draw: Draw | None = None
        self.device = store.pixels.device
        self._dtype = torch.float16 if store.pixels.is_cuda else torch.float32
        self.bf16 = store.pixels.is_cuda or has_fast_bf16()

    def __call__(self, plan: dict[str, Tensor]) -> Tensor:
        size = plan["heat"].shape[-1] * 4
        if self._draw is None:
            self._draw = choose_draw(self._store.pixels, {name: value[:4] for name, value in plan.items()}, size)
        return self._draw(self._store.pixels, plan, size).to(self._dtype)


def _step(
    network: FacePlateV2Network,
    optimizer: torch.optim.Optimizer,
    plan: dict[str, Tensor],
    drawing: _Drawing,
    face_loss: float,
) -> Loss:
    """Learn from a planned batch, without waiting for the device: it has its next step before it ends this one."""
    on_device = {name: value.to(drawing.device, non_blocking=True) for name, value in plan.items()}
    with torch.no_grad():
        crops = cover_faces(drawing(on_device), plan["boxes"], plan["kind"])
        crops, hidden = _augmented(crops, on_device["boxes"])
        targets = without_hidden(on_device, hidden)
    with torch.autocast(crops.device.type, dtype=torch.bfloat16, enabled=drawing.bf16):
        maps = network(crops.bfloat16() if drawing.bf16 else crops)
    loss = detection_loss(maps, targets, on_device["boxes"], face_loss)
    optimizer.zero_grad(set_to_none=True)
    loss.total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT_NORM)
    optimizer.step()
    return loss


def _augmented(crops: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Augment crops: all at once on a GPU; on a CPU two at a time, which stay in its caches, in a third of the time."""
    if crops.is_cuda:
        return augment(crops, boxes)
    parts = [augment(*part) for part in zip(*(torch.split(each, _CACHED) for each in (crops, boxes)), strict=True)]
    aged, hidden = zip(*parts, strict=True)
    return torch.cat(aged).contiguous(memory_format=torch.channels_last), torch.cat(hidden)


def _progress(step: int, seconds: float, losses: Sequence[Loss]) -> Progress:
    """The numbers of a report; reading them waits for the GPU, so it is not done at every step."""
    face, plate = torch.stack([loss.heat for loss in losses]).mean(0).tolist()
    boxes = float(torch.stack([loss.boxes for loss in losses]).mean())
    return Progress(step, seconds, face, plate, boxes)
