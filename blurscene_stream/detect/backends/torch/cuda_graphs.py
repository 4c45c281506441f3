"""CUDA graphs: all kernels of a call are started at once, for the input shapes that come again and again.

There is no way back: what cannot be captured, or calculates something else once it is, ends the run.
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from blurscene_stream.errors import DetectionError, first_line

CAPTURE_AFTER = 8  # calls of a shape: still images of ever new sizes are not worth a graph
MAX_SHAPES = 8  # that get graphs: each keeps the memory of its call
MAX_DIFFERENCE, MAX_MEAN_DIFFERENCE = 1.0, 0.1  # of the maps of noise, a graph's to the call's: bf16 makes a fifth

Outputs = tuple[Tensor, Tensor]
Function = Callable[[Tensor, Tensor], Outputs]


@dataclass(frozen=True, slots=True)
class Recording:
    """A captured call: `replay` calculates `outputs` of what `inputs` hold by then, into the same memory."""

    inputs: tuple[Tensor, Tensor]
    outputs: Outputs
    replay: Callable[[], None]

    def run(self, *inputs: Tensor) -> Outputs:
        """Return the outputs of other inputs of the same shapes; the next run overwrites them."""
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        self.replay()
        return self.outputs


class GraphedCalls:
    """Calls of a function whose first output is packed peaks and whose second is maps, as graphs where it pays.

    A recording serves one thread at a time: another thread gets one of its own.
    """

    def __init__(self, function: Function, capture: Callable[[Function, Tensor, Tensor], Recording] | None) -> None:
        """`capture`: None: there are no graphs on this device."""
        self._function, self._capture = function, capture
        self._idle: dict[torch.Size, list[Recording]] = {}
        self._seen = Counter[torch.Size]()

    @contextmanager
    def outputs(self, images: Tensor, limits: Tensor) -> Iterator[Outputs]:
        """The function's outputs, as long as they are needed: another call may overwrite them afterwards.

        Raises DetectionError when a graph cannot be captured or is wrong.
        """
        shape = images.shape
        self._seen[shape] += 1
        known = shape in self._idle
        if self._capture is None or not (known or self._is_worth_it(shape)):
            yield self._function(images, limits)
            return
        idle = self._idle.setdefault(shape, [])
        try:
            recording = idle.pop()
        except IndexError:  # the first time, or others are at work on other threads
            recording = self._recorded(images, limits)
        yield recording.run(images, limits)
        idle.append(recording)  # one that has failed is dropped

    def _is_worth_it(self, shape: torch.Size) -> bool:
        return self._seen[shape] > CAPTURE_AFTER and len(self._idle) < MAX_SHAPES

    def _recorded(self, images: Tensor, limits: Tensor) -> Recording:
        """Capture a call of black pictures, and compare what it gives for noise: `images` may be black as well."""
        assert self._capture is not None
        size = f"{len(images)} x {images.shape[3]}x{images.shape[2]} px"
        try:
            recording = self._capture(self._function, torch.zeros_like(images), limits)
        except RuntimeError as error:
            raise DetectionError(
                f"the network on {size} cannot be captured as a CUDA graph: {first_line(error)}; "
                "try --set detect.on_device=false"
            ) from error
        noise = torch.empty_like(images).random_(0, 256)
        (_, wanted), (_, made) = self._function(noise, limits), recording.run(noise, limits)
        difference = (made.float() - wanted.float()).abs()
        if not (difference.max() <= MAX_DIFFERENCE and difference.mean() <= MAX_MEAN_DIFFERENCE):
            raise DetectionError(
                f"the CUDA graph of the network on {size} gives other numbers than the network; "
                "try --set detect.on_device=false"
            )
        return recording


def capture(function: Function, images: Tensor, limits: Tensor) -> Recording:
    """Capture a call as a CUDA graph, on the device of its inputs.

    images, limits: have the shapes of its inputs, and become its own memory
    Raises RuntimeError.
    """
    inputs, device = (images, limits.clone()), images.device
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            function(*inputs)  # libraries plan a call for each thread, which must not happen while it is captured
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on with their own calls: a server's, for instance.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = function(*inputs)

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()

    return Recording(inputs, outputs, replay)
