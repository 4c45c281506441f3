"""Drawing by the Triton kernel: what it is told of each view, and how it is checked."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from blurscene_stream.detect.backends.torch.draw import Conversion, draw
from blurscene_stream.detect.backends.torch.draw_triton import launch
from blurscene_stream.detect.backends.torch.planes import Planes
from blurscene_stream.detect.backends.torch.resampling import chroma_taps, luma_taps
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.errors import DetectionError, first_line

MAX_LEVELS = 1  # from `draw`: sums are rounded in another order
MAX_VIEWS = 64  # whose plans are kept
_WAY_OUT = "try --set detect.on_device=false"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the kernel needs to know of a view.

    width, height: of the content as it is stored, in network pixels
    tables:        `Taps.table` on the device: of luma's rows and columns, of chroma's rows and columns
    taps:          their numbers of taps
    steps:         in bytes of the images: from one to the next; from the beginning of one to the first stored pixel;
                   to the stored pixel below; to the one beside
    conversion:    the fields of `Conversion`
    """

    width: int
    height: int
    tables: tuple[Tensor, ...]
    taps: tuple[int, ...]
    steps: tuple[int, int, int, int]
    conversion: tuple[float, ...]

    @classmethod
    def of(cls, view: Letterbox, device: torch.device) -> Plan:
        """Plan a view of whole pictures, on `device`."""
        width, height = view.stored_size
        axes = (*luma_taps(view.picture, width, height), *chroma_taps(view.picture, width, height))
        tables = tuple(each.table.to(device) for each in axes)
        taps = tuple(each.count for each in axes)
        return cls(width, height, tables, taps, _steps(view), astuple(Conversion.of(view.picture)))


class FusedDraw:
    """`Draw` of whole pictures by the kernel, for one thread.

    Each view is compared with `draw` before its first use, which waits for the device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._plans: dict[Letterbox, Plan] = {}

    def __call__(self, planes: Planes, frames: Tensor, view: Letterbox, images: Tensor, places: Tensor) -> None:
        """See `Draw`. Raises DetectionError when the kernel cannot be compiled or draws something else than `draw`."""
        if view not in self._plans:
            if len(self._plans) == MAX_VIEWS:
                self._plans.clear()
            plan = Plan.of(view, self._device)
            self._check(plan, planes, view)
            self._plans[view] = plan
        self._launch(planes, frames, images, places, self._plans[view])

    def _launch(self, planes: Planes, frames: Tensor, images: Tensor, places: Tensor, plan: Plan) -> None:
        try:
            with torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext():
                launch(planes, frames, images, places, plan)  # type: ignore[no-untyped-call]
        except RuntimeError:  # told by who runs the network
            raise
        except Exception as error:  # of Triton, its compilers or what they made: no base in common
            raise DetectionError(
                f"the Triton kernel of the network's input cannot be run on {self._device}: "
                f"{type(error).__name__}: {first_line(error)}; {_WAY_OUT}"
            ) from error

    def _check(self, plan: Plan, planes: Planes, view: Letterbox) -> None:
        """Draw a second frame of noise in both ways and compare: the frames themselves may be black."""
        levels = 1 << view.picture.pixel_format.bits
        noise = Planes(view.picture, *(_noise_like(plane, levels) for plane in (planes.luma, planes.cb, planes.cr)))
        shape = (2, view.height, view.width, 3)
        images = torch.zeros(shape, dtype=torch.uint8, device=self._device).permute(0, 3, 1, 2)
        first, second = torch.arange(2, device=self._device)[:, None]
        draw(noise, second, view, images, first)
        self._launch(noise, second, images, second, plan)
        wanted, made = images.short()
        difference = int((made - wanted).abs().max())
        if difference > MAX_LEVELS:
            raise DetectionError(
                f"the Triton kernel of the network's input draws {view.picture.pixel_format.name} of "
                f"{view.picture.width}x{view.picture.height} px on {self._device} {difference} levels off; {_WAY_OUT}"
            )


def _steps(view: Letterbox) -> tuple[int, int, int, int]:
    """See `Plan.steps`."""
    row, column = 3 * view.width, 3
    origin = view.top * row + view.left * column
    if view.orientation.flip_y:
        origin, row = origin + (view.content_height - 1) * row, -row
    if view.orientation.flip_x != view.mirrored:
        origin, column = origin + (view.content_width - 1) * column, -column
    below, beside = (column, row) if view.orientation.transposed else (row, column)
    return view.height * view.width * 3, origin, below, beside


def _noise_like(plane: Tensor, levels: int) -> Tensor:
    """Planes (2, H, W) of noise with the strides of planes (F, H, W)."""
    made = torch.empty_strided((2, *plane.shape[1:]), plane.stride(), dtype=plane.dtype, device=plane.device)
    return made.random_(0, levels)
