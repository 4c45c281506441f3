"""Views of frames drawn from their planes, in plain torch; on a GPU a kernel draws whole pictures (`fused_draw`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from blurscene_stream.boxes import Orientation
from blurscene_stream.detect.backends.torch.planes import Planes
from blurscene_stream.detect.backends.torch.resampling import chroma_modes, half
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.frames import PictureInfo

Draw = Callable[[Planes, Tensor, Letterbox, Tensor, Tensor], None]
"""planes, frames, view, images, places: draw a view of frames into images.

frames: int64 (N,) on the device, which of those of the planes
images: uint8 RGB (B, 3, view.height, view.width), channels last in memory; padding is left as it is
places: int64 (N,) on the device, which images they become

Nothing of it waits for the device. Raises RuntimeError when that fails.
"""

_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Kr and Kb of matrices in ITU-T H.273, table 4; swscale takes those of BT.601 for all others."""
_BT601 = (0.299, 0.114)


@dataclass(frozen=True, slots=True)
class Conversion:
    """RGB as 8-bit levels of samples: ITU-T H.273, equations 38 to 40 solved for R, G and B.

    black, gain:      (luma - black) * gain is what red, green and blue have in common
    gray:             the sample of Cb and Cr where there is no colour
    red_cr and so on: levels of red for each sample of Cr above `gray`
    """

    black: float
    gain: float
    gray: float
    red_cr: float
    green_cb: float
    green_cr: float
    blue_cb: float

    @classmethod
    def of(cls, picture: PictureInfo) -> Conversion:
        """Return the conversion of a picture's matrix, range and bits."""
        red, blue = _WEIGHTS.get(picture.color_matrix, _BT601)
        step = 2.0 ** (picture.pixel_format.bits - 8)  # samples a level
        gain, chroma_gain = (1 / step, 1 / step) if picture.full_range else (255 / 219 / step, 255 / 224 / step)
        red_cr, blue_cb = 2 * (1 - red) * chroma_gain, 2 * (1 - blue) * chroma_gain
        green = 1 - red - blue
        black = 0.0 if picture.full_range else 16 * step
        return cls(black, gain, 128 * step, red_cr, -blue * blue_cb / green, -red * red_cr / green, blue_cb)

    def levels(self, luma: Tensor, chroma: Tensor) -> Tensor:
        """Convert luma (F, 1, H, W) and chroma (F, 2, H, W), samples in float32, to uint8 (F, 3, H, W)."""
        y = (luma[:, 0] - self.black) * self.gain
        cb, cr = (chroma - self.gray).unbind(1)
        rgb = [y + self.red_cr * cr, y + self.green_cb * cb + self.green_cr * cr, y + self.blue_cb * cb]
        return as_levels(torch.stack(rgb, 1))


def draw(planes: Planes, frames: Tensor, view: Letterbox, images: Tensor, places: Tensor) -> None:
    """See `Draw`."""
    luma = planes.luma[frames][:, None].float()
    chroma = torch.stack([planes.cb[frames], planes.cr[frames]], 1).float()
    upright = _upright(_stored(luma, chroma, view), view.orientation)
    content_of(images, view)[places] = upright.flip(3) if view.mirrored else upright


def content_of(images: Tensor, view: Letterbox) -> Tensor:
    """The part of images (B, 3, H, W) that shows the picture."""
    right, bottom = view.left + view.content_width, view.top + view.content_height
    return images[:, :, view.top : bottom, view.left : right]


def as_levels(values: Tensor) -> Tensor:
    """Values as levels, 0 to 255, in uint8."""
    return values.round().clamp(0, 255).to(torch.uint8)


def _stored(luma: Tensor, chroma: Tensor, view: Letterbox) -> Tensor:
    """The view's region as it is stored, at its size in the network's input: uint8 (F, 3, height, width)."""
    width, height = view.stored_size
    if view.is_whole:
        return _scaled_rgb(luma, chroma, view.picture, width, height)
    x0, y0, x1, y1 = view.region
    full = _scaled_rgb(luma, chroma, view.picture, view.picture.width, view.picture.height)
    return as_levels(_resized(full[:, :, y0:y1, x0:x1].float(), height, width))


def _scaled_rgb(luma: Tensor, chroma: Tensor, picture: PictureInfo, width: int, height: int) -> Tensor:
    """Scale and convert luma (F, 1, H, W) and chroma (F, 2, h, w), float32, to uint8 RGB (F, 3, height, width)."""
    if (width, height) != (picture.width, picture.height):
        luma, chroma = _resized(luma, height, width), _resized(chroma, half(height), half(width))
    down, across = chroma_modes(picture, width, height)
    chroma = functional.interpolate(chroma, (height, chroma.shape[3]), mode=down)
    chroma = functional.interpolate(chroma, (height, width), mode=across)
    return Conversion.of(picture).levels(luma, chroma)


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
