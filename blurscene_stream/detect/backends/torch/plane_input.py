"""Network input drawn on a device: the planes of frames go up as they are, and become letterboxed RGB there.

The same steps as on the way through `Frame.scale_rgb`: planes are scaled by means over what each pixel covers, chroma
to half the size of luma, and then converted to RGB. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from blurscene_stream.boxes import Orientation
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.detect.preprocessor import Look, Preprocessor, Sample, halvings, look_of
from blurscene_stream.frames import ColorModel, Frame, PictureInfo, Plane

_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Kr and Kb of matrices in ITU-T H.273, table 4; swscale takes those of BT.601 for all others."""
_BT601 = (0.299, 0.114)


class PlanePreprocessor:
    """Draws views of frames on a device, on one thread; see `Preprocessor`, whose input its own is close to.

    A still image has no planes of YCbCr: it is drawn in main memory.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._in_main_memory = Preprocessor()
        self.forget()

    def forget(self) -> None:
        """Let go of all frames."""
        self._in_main_memory.forget()
        self._planes: dict[Frame, list[Tensor]] = {}
        self._drawn: dict[Look, Tensor] = {}

    @torch.inference_mode()
    def batch(self, samples: Sequence[Sample], pad_rgb: tuple[int, int, int] = (0, 0, 0)) -> Tensor:
        """Draw samples of one input size: RGB uint8 (len(samples), 3, H, W); in memory channels come last.

        Raises ValueError when the frames have different shapes, RuntimeError when the device fails.
        """
        first = samples[0].view
        for frame, view, _ in samples:
            if not frame.picture == view.picture == first.picture:
                raise ValueError(f"frame {frame.number} is {frame.picture}, the others are {first.picture}")
        if first.picture.pixel_format.color_model is not ColorModel.yuv:
            return torch.from_numpy(self._in_main_memory.batch(samples, pad_rgb)).to(self._device)
        images = torch.empty((len(samples), first.height, first.width, 3), dtype=torch.uint8, device=self._device)
        for channel, level in enumerate(pad_rgb):
            images[..., channel].fill_(level)
        images = images.permute(0, 3, 1, 2)
        drawn: dict[Look, Tensor] = {}
        for view in dict.fromkeys(sample.view for sample in samples):
            places = [place for place, sample in enumerate(samples) if sample.view == view]
            content = self._content([samples[place].frame for place in places], view)
            for place, picture in zip(places, content, strict=True):
                right, bottom = view.left + view.content_width, view.top + view.content_height
                images[place, :, view.top : bottom, view.left : right] = picture
                drawn[look_of(samples[place].frame, view)] = picture
        self._drawn = drawn
        return images

    def _content(self, frames: Sequence[Frame], view: Letterbox) -> Tensor:
        """The pictures as they are shown: uint8 (F, 3, content_height, content_width)."""
        larger = [self._drawn.get(look_of(frame, view)) for frame in frames]
        whole = [picture for picture in larger if picture is not None]
        if len(whole) == len(frames) and (times := halvings(whole[0].shape[1:], view)):
            return _levels(functional.avg_pool2d(torch.stack(whole).float(), 2**times))
        stored = self._stored(self._uploaded(frames), view)
        upright = _upright(stored, view.orientation)
        return upright.flip(3) if view.mirrored else upright

    def _stored(self, planes: tuple[Tensor, Tensor], view: Letterbox) -> Tensor:
        """The view's region as it is stored, at its size in the network's input: uint8 (F, 3, height, width)."""
        width, height = view.stored_size
        if view.is_whole:
            return scaled_rgb(*planes, view.picture, width, height)
        x0, y0, x1, y1 = view.region
        full = scaled_rgb(*planes, view.picture, view.picture.width, view.picture.height)
        return _levels(_resized(full[:, :, y0:y1, x0:x1].float(), height, width))

    def _uploaded(self, frames: Sequence[Frame]) -> tuple[Tensor, Tensor]:
        """Luma (F, 1, H, W) and chroma (F, 2, h, w) on the device, as 8-bit levels in float32."""
        missing = [frame for frame in dict.fromkeys(frames) if frame not in self._planes]
        for number in range(len(missing[0].planes) if missing else 0):
            uploaded = self._upload([frame.planes[number] for frame in missing])
            for frame, plane in zip(missing, uploaded, strict=True):
                self._planes.setdefault(frame, []).append(plane)
        picture = frames[0].picture
        by_plane = zip(*(self._planes[frame] for frame in frames), strict=True)
        luma, *chroma = [torch.stack(planes) / 2.0 ** (picture.pixel_format.bits - 8) for planes in by_plane]
        both = chroma[0].permute(0, 3, 1, 2) if picture.pixel_format.interleaved else torch.stack(chroma, 1)
        return luma[:, None], both

    def _upload(self, planes: Sequence[Plane]) -> Tensor:
        """The planes stacked, as uint8 or int16; pinned, so that the copy to a GPU runs on its own.

        torch keeps the pinned memory until the copy is done, also when it is let go of.
        """
        dtype = torch.uint8 if planes[0].dtype == np.uint8 else torch.int16  # at most 10 bits: as signed as well
        pinned = torch.empty((len(planes), *planes[0].shape), dtype=dtype, pin_memory=self._device.type == "cuda")
        for out, plane in zip(pinned.numpy(), planes, strict=True):
            out[...] = plane
        return pinned.to(self._device, non_blocking=True)


def scaled_rgb(luma: Tensor, chroma: Tensor, picture: PictureInfo, width: int, height: int) -> Tensor:
    """Scale and convert luma (F, 1, H, W) and chroma (F, 2, h, w), 8-bit levels, to uint8 RGB (F, 3, height, width)."""
    pixel_format = picture.pixel_format
    shift_x, shift_y = pixel_format.shift_x, pixel_format.shift_y
    is_fast = pixel_format.bits == 8 and not pixel_format.interleaved
    if (width, height) != (picture.width, picture.height):
        luma, shift_x, shift_y, is_fast = _resized(luma, height, width), 1, 1, True
        chroma = _resized(chroma, -(-height // 2), -(-width // 2))
    # swscale repeats chroma, but interpolates it where its fast way does not do: between rows, and where width is odd.
    is_slow = not is_fast or height % 2 == 1
    rows, columns = (height if shift_y else chroma.shape[2]), (width if shift_x else chroma.shape[3])
    chroma = functional.interpolate(chroma, (rows, chroma.shape[3]), mode="bilinear" if is_slow else "nearest")
    is_smooth = is_slow and width % 2 == 1
    chroma = functional.interpolate(chroma, (rows, columns), mode="bilinear" if is_smooth else "nearest")
    return _to_rgb(luma, chroma, picture)


def _to_rgb(luma: Tensor, chroma: Tensor, picture: PictureInfo) -> Tensor:
    """ITU-T H.273, equations 38 to 40 solved for R, G and B."""
    red, blue = _WEIGHTS.get(picture.color_matrix, _BT601)
    green = 1 - red - blue
    y = luma[:, 0] if picture.full_range else (luma[:, 0] - 16) * (255 / 219)
    cb, cr = ((chroma - 128) * (1 if picture.full_range else 255 / 224)).unbind(1)
    from_cb, from_cr = 2 * (1 - blue) * cb, 2 * (1 - red) * cr
    return _levels(torch.stack([y + from_cr, y - (blue * from_cb + red * from_cr) / green, y + from_cb], 1))


def _resized(planes: Tensor, height: int, width: int) -> Tensor:
    """Each pixel the mean of what it covers where (F, C, H, W) shrinks, else bilinear."""
    if planes.shape[2:] == (height, width):
        return planes
    return functional.interpolate(planes, (height, width), mode="bilinear", antialias=True)


def _upright(stored: Tensor, orientation: Orientation) -> Tensor:
    """(F, 3, H, W) turned as `Orientation.upright` turns a picture."""
    turned = stored.transpose(2, 3) if orientation.transposed else stored
    flipped = [axis for axis, flips in ((2, orientation.flip_y), (3, orientation.flip_x)) if flips]
    return turned.flip(flipped) if flipped else turned


def _levels(values: Tensor) -> Tensor:
    """Values as levels, 0 to 255."""
    return values.round().clamp(0, 255).to(torch.uint8)
