"""When a shape gets a CUDA graph, and what its memory holds. A stand-in calculates anew when it is replayed, into the
same memory; whether CUDA captures the network can be seen on a GPU alone (scripts/check_gpu.py)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
import torch
from torch import Tensor

from blurscene_stream.detect.backends.torch import cuda_graphs
from blurscene_stream.detect.backends.torch.cuda_graphs import CAPTURE_AFTER, Function, GraphedCalls, Outputs, Recording
from blurscene_stream.errors import DetectionError


def function(images: Tensor, limits: Tensor) -> Outputs:
    return images.sum((1, 2, 3), dtype=torch.int64), images.float() + limits.sum()


class StandIn:
    """Captures calls as CUDA does, seen from outside; `made`: the shapes that it has captured."""

    def __init__(self, calculate: Function = function) -> None:
        self.made: list[tuple[int, ...]] = []
        self._calculate = calculate

    def __call__(self, _: Function, images: Tensor, limits: Tensor) -> Recording:
        self.made.append(tuple(images.shape))
        inputs = images, limits.clone()
        outputs = self._calculate(*inputs)

        def replay() -> None:
            for own, value in zip(outputs, self._calculate(*inputs), strict=True):
                own.copy_(value)

        return Recording(inputs, outputs, replay)


def pictures(seed: int, side: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8, generator=generator)


def call(calls: GraphedCalls, images: Tensor, limit: float = 0.5) -> Outputs:
    with calls.outputs(images, torch.tensor([limit, limit])) as (packed, maps):
        return packed.clone(), maps.clone()


def assert_right(made: Outputs, images: Tensor, limit: float = 0.5) -> None:
    wanted = function(images, torch.tensor([limit, limit]))
    assert all(torch.equal(*pair) for pair in zip(made, wanted, strict=True))


def test_a_shape_is_captured_once_when_it_has_come_often_enough() -> None:
    capture = StandIn()
    calls = GraphedCalls(function, capture)
    for number in range(3 * CAPTURE_AFTER):
        assert capture.made == ([(2, 3, 4, 4)] if number > CAPTURE_AFTER else [])
        limit = number / 4
        assert_right(call(calls, pictures(number), limit), pictures(number), limit)
    assert_right(call(calls, pictures(0, 6)), pictures(0, 6))
    assert len(capture.made) == 1


def test_only_so_many_shapes_get_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "MAX_SHAPES", 2)
    capture = StandIn()
    calls = GraphedCalls(function, capture)
    for number in range(2 * CAPTURE_AFTER):
        for side in (4, 5, 6):
            assert_right(call(calls, pictures(number, side)), pictures(number, side))
    assert [shape[2] for shape in capture.made] == [4, 5]


def test_calls_at_the_same_time_do_not_share_memory() -> None:
    calls = GraphedCalls(function, capture := StandIn())
    for number in range(CAPTURE_AFTER + 1):
        call(calls, pictures(number))
    with ExitStack() as stack:
        together = [stack.enter_context(calls.outputs(pictures(each), torch.tensor([0.5, 0.5]))) for each in (1, 2)]
        for seed, made in zip((1, 2), together, strict=True):
            assert_right(made, pictures(seed))
    assert len(capture.made) == 2
    for seed in range(3):
        assert_right(call(calls, pictures(seed)), pictures(seed))
    assert len(capture.made) == 2


def test_a_recording_that_has_failed_is_not_used_again() -> None:
    calls = GraphedCalls(function, capture := StandIn())
    for number in range(CAPTURE_AFTER + 1):
        call(calls, pictures(number))
    with pytest.raises(RuntimeError), calls.outputs(pictures(1), torch.zeros(2)):
        raise RuntimeError("an error of the device")
    assert_right(call(calls, pictures(2)), pictures(2))
    assert len(capture.made) == 2


def test_without_graphs_every_call_is_calculated() -> None:
    calls = GraphedCalls(function, None)
    for number in range(2 * CAPTURE_AFTER):
        assert_right(call(calls, pictures(number)), pictures(number))


def refused(*_: object) -> Recording:
    raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")


def stale(images: Tensor, limits: Tensor) -> Outputs:
    """What a graph gives that does not read its input any more."""
    return function(torch.zeros_like(images), limits)


@pytest.mark.parametrize(
    ("capture", "message"),
    [
        (refused, r"2 x 4x4 px cannot be captured as a CUDA graph: CUDA error: operation not permitted .* capturing; "),
        (StandIn(stale), r"the CUDA graph of the network on 2 x 4x4 px gives other numbers than the network; "),
        (StandIn(lambda *given: (function(*given)[0], function(*given)[1] * float("nan"))), "gives other numbers"),
    ],
    ids=["refused", "stale", "nan"],
)
def test_there_is_no_quiet_way_back(capture: Callable[..., Recording], message: str) -> None:
    calls = GraphedCalls(function, capture)
    for number in range(CAPTURE_AFTER):
        call(calls, pictures(number))
    for _ in range(2):
        with pytest.raises(DetectionError, match=message) as failed:
            call(calls, torch.zeros_like(pictures(1)))
        assert "\n" not in str(failed.value) and str(failed.value).endswith("try --set detect.on_device=false")
