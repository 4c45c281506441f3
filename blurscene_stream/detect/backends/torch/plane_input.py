"""Network input drawn on a device: the planes of frames go up as they are, and become letterboxed RGB there.

The same steps as on the way through `Frame.scale_rgb`: planes are scaled by means over what each pixel covers, chroma
to half the size of luma, and then converted to RGB. Nothing here waits for the device, but for the check of a new view.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from blurscene_stream.detect.backends.torch.devices import has_triton
from blurscene_stream.detect.backends.torch.draw import Draw, as_levels, content_of, draw
from blurscene_stream.detect.backends.torch.planes import Planes, upload
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.detect.preprocessor import Look, Preprocessor, Sample, halvings, look_of
from blurscene_stream.frames import ColorModel, Frame


class PlanePreprocessor:
    """Draws views of frames on a device, on one thread; see `Preprocessor`, whose input its own is close to.

    A still image has no planes of YCbCr: it is drawn in main memory.
    """

    def __init__(self, device: torch.device, with_triton: bool | None = None) -> None:
        """`with_triton`: whether a Triton kernel draws whole pictures, not torch; None: where there is Triton."""
        self._device = device
        self._in_main_memory = Preprocessor()
        self._draw_whole: Draw = draw
        if has_triton(device) if with_triton is None else with_triton:
            from blurscene_stream.detect.backends.torch.fused_draw import FusedDraw  # noqa: PLC0415  imports Triton

            self._draw_whole = FusedDraw(device)
        self.forget()

    def forget(self) -> None:
        """Let go of all frames."""
        self._in_main_memory.forget()
        self._planes: dict[Frame, tuple[Planes, int]] = {}
        self._drawn: dict[Look, Tensor] = {}

    @torch.inference_mode()
    def batch(self, samples: Sequence[Sample], pad_rgb: tuple[int, int, int] = (0, 0, 0)) -> Tensor:
        """Draw samples of one input size: RGB uint8 (len(samples), 3, H, W); in memory channels come last.

        Raises ValueError when the frames have different shapes, RuntimeError or DetectionError when the device fails.
        """
        first = samples[0].view
        for frame, view, _ in samples:
            if not frame.picture == view.picture == first.picture:
                raise ValueError(f"frame {frame.number} is {frame.picture}, the others are {first.picture}")
        if first.picture.pixel_format.color_model is not ColorModel.yuv:
            return torch.from_numpy(self._in_main_memory.batch(samples, pad_rgb)).to(self._device)
        images = self._padding(len(samples), first, pad_rgb)
        self._bring_up([sample.frame for sample in samples])
        drawn: dict[Look, Tensor] = {}
        for view in dict.fromkeys(sample.view for sample in samples):
            places = [place for place, sample in enumerate(samples) if sample.view == view]
            frames = [samples[place].frame for place in places]
            self._draw(frames, view, images, places)
            content = content_of(images, view)
            drawn |= {look_of(frame, view): content[place] for frame, place in zip(frames, places, strict=True)}
        self._drawn = drawn
        return images

    def _padding(self, count: int, view: Letterbox, pad_rgb: tuple[int, int, int]) -> Tensor:
        """Images of padding alone: uint8 (count, 3, H, W)."""
        images = torch.empty((count, view.height, view.width, 3), dtype=torch.uint8, device=self._device)
        if len(set(pad_rgb)) == 1:
            images.fill_(pad_rgb[0])
        else:
            for channel, level in enumerate(pad_rgb):
                images[..., channel].fill_(level)
        return images.permute(0, 3, 1, 2)

    def _bring_up(self, frames: Sequence[Frame]) -> None:
        """Copy the planes of frames to the device, of those that are not there yet."""
        missing = [frame for frame in dict.fromkeys(frames) if frame not in self._planes]
        if missing:
            planes = upload(missing, self._device)
            self._planes |= {frame: (planes, index) for index, frame in enumerate(missing)}

    def _draw(self, frames: Sequence[Frame], view: Letterbox, images: Tensor, places: Sequence[int]) -> None:
        """Draw a view of frames as images[places]: of the batch before, or of their planes."""
        larger = [self._drawn.get(look_of(frame, view)) for frame in frames]
        whole = [picture for picture in larger if picture is not None]
        if len(whole) == len(frames) and (times := halvings(whole[0].shape[1:], view)):
            halved = as_levels(functional.avg_pool2d(torch.stack(whole).float(), 2**times))
            content_of(images, view)[self._on_device(places)] = halved
            return
        chosen: dict[Planes, list[tuple[int, int]]] = {}  # frames that went up together are drawn together
        for frame, place in zip(frames, places, strict=True):
            planes, index = self._planes[frame]
            chosen.setdefault(planes, []).append((index, place))
        draw_view = self._draw_whole if view.is_whole else draw
        for planes, pairs in chosen.items():
            indices, at = self._on_device(tuple(zip(*pairs, strict=True)))
            draw_view(planes, indices, view, images, at)

    def _on_device(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """Whole numbers on the device, without waiting for it: int64."""
        pinned = torch.tensor(numbers, dtype=torch.int64, pin_memory=self._device.type == "cuda")
        return pinned.to(self._device, non_blocking=True)
