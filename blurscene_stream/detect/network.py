"""The network of face_plate_v1: a MobileNetV2 trunk and, for each class, a branch that ends at a quarter of the size.

The trunk and the face branch are CenterFace's (https://github.com/Star-Clouds/CenterFace, MIT licence).
Attribute names are those of the weights file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from blurscene_stream.detect.strips import in_strips, strip_rows

STRIDE = 4
"""Network pixels a cell of the output."""

MULTIPLE = 32
"""Both sides of the input are multiples of this."""

CLASS_COUNT = 2
VALUES = 5
"""Of a cell and class: logit of the score, log height, log width, offset down, offset right."""

_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""MobileNetV2's table: times wider inside, channels, how often, stride of the first."""

_TAPS = (3, 6, 13, 17)
_TAP_CHANNELS = (24, 32, 96, 320)  # at 1/4, 1/8, 1/16 and 1/32 of the size

_STRIP_BYTES = 16 << 20  # of the largest map; measured: half or twice of it is slower
_ENTRY = 5  # blocks that run in strips
_ENTRY_HALO = 16  # their results depend on at most 13 rows beyond
_ENTRY_VALUES = 24  # a picture pixel in their largest map: 96 channels at half the size


class ConvReLU(nn.Sequential):
    """A convolution, perhaps a norm, and what is positive of it."""

    def __init__(  # noqa: PLR0913, PLR0917
        self, channels: int, made: int, kernel: int = 3, stride: int = 1, groups: int = 1, norm: bool = False
    ) -> None:
        conv = nn.Conv2d(channels, made, kernel, stride, kernel // 2, groups=groups, bias=not norm)
        super().__init__(conv, *([nn.BatchNorm2d(made)] if norm else []), nn.ReLU(inplace=True))
        self.one_step = False

    def fuse(self, one_step: bool) -> None:
        """Fold the norm into the convolution; `one_step`: let oneDNN take the positive part as it writes."""
        if len(self) == 3:
            self[0] = fuse_conv_bn_eval(cast(nn.Conv2d, self[0]), cast(nn.BatchNorm2d, self[1]))
            del self[1]
        self.one_step = one_step

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, made, H / stride, W / stride)."""
        if self.one_step:
            return conv_relu_in_one_step(self[0], x)
        for layer in self:
            x = layer(x)
        return x


def conv_relu_in_one_step(conv: nn.Module, x: Tensor) -> Tensor:
    """relu(conv(x)) as one call of oneDNN, which saves a pass over the result.

    It makes 0 of a NaN, where torch's own relu keeps it. None can arise: the input is bytes, and weights that are
    not finite are refused when they are read. What leaves the network is checked in any case.
    """
    made: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups, "relu", [], ""
    )
    return made


def can_do_one_step(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether `conv_relu_in_one_step` is there and right: it is not part of torch's public face."""
    if device.type != "cpu":
        return False
    x = torch.linspace(-4, 4, 4 * 8 * 8).reshape(1, 4, 8, 8).to(dtype).contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(4, 4, 3, padding=1, dtype=dtype).requires_grad_(False)
    nn.init.constant_(conv.weight, 0.1)
    try:
        made = conv_relu_in_one_step(conv, x)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return torch.allclose(made, functional.relu(conv(x)), rtol=0.02, atol=0.02)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: wider, a 3 x 3 convolution within each channel, narrow again; plus its input if alike."""

    def __init__(self, channels: int, made: int, stride: int, wider: int) -> None:
        super().__init__()
        inner = channels * wider
        widen = [ConvReLU(channels, inner, 1)] if wider > 1 else []
        self.conv = nn.Sequential(*widen, ConvReLU(inner, inner, 3, stride, inner), nn.Conv2d(inner, made, 1))
        self.adds = stride == 1 and channels == made

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, made, H / stride, W / stride)."""
        made: Tensor = self.conv(x)
        return made.add_(x) if self.adds else made


class Trunk(nn.Module):
    """From a picture to maps at 1/4, 1/8, 1/16 and 1/32 of its size, of _TAP_CHANNELS channels."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [ConvReLU(3, 32, 3, 2)]
        channels = 32
        for wider, made, count, stride in _BLOCKS:
            for index in range(count):
                blocks.append(InvertedResidual(channels, made, stride if index == 0 else 1, wider))
                channels = made
        self.features = nn.ModuleList(blocks)

    def forward(self, x: Tensor, rows: int) -> list[Tensor]:
        """The picture (B, 3, H, W) -> the four taps; `rows` of the picture at a time in the first blocks."""
        finest, x = in_strips(self._entry, [x], rows, _ENTRY_HALO)
        taps = [finest]
        for index in range(_ENTRY, len(self.features)):
            x = self.features[index](x)
            if index in _TAPS:
                taps.append(x)
        return taps

    def _entry(self, maps: list[Tensor]) -> Sequence[Tensor]:
        """A strip of the picture -> the first tap and what the blocks in strips make in the end."""
        (x,) = maps
        made = []
        for block in self.features[:_ENTRY]:
            x = block(x)
            made.append(x)
        return made[_TAPS[0]], x


class Up(nn.Module):
    """A coarse map at twice its size, plus the trunk's map of that size."""

    def __init__(self, lateral: int, width: int, norm: bool) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(width, width, 2, 2, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(width, eps=1e-3)
        self.lat = ConvReLU(lateral, width, 1, norm=norm)

    def fuse(self) -> None:
        """Fold the norm into the transposed convolution."""
        self.deconv = fuse_conv_bn_eval(self.deconv, cast(nn.BatchNorm2d, self.bn), transpose=True)
        self.bn = nn.Identity()

    def forward(self, coarse: Tensor, lateral: Tensor) -> Tensor:
        """(B, width, h, w) and (B, channels, 2h, 2w) -> (B, width, 2h, 2w)."""
        return functional.relu_(self.bn(self.deconv(coarse))).add_(self.lat(lateral))


class Branch(nn.Module):
    """What finds one class: down from the coarsest map to a quarter of the size, then VALUES numbers a cell."""

    def __init__(self, width: int, depth: int, norm: bool) -> None:
        super().__init__()
        quarter, eighth, sixteenth, coarsest = _TAP_CHANNELS
        self.top = ConvReLU(coarsest, width, 1, norm=norm)
        self.up16, self.up8, self.up4 = (Up(channels, width, norm) for channels in (sixteenth, eighth, quarter))
        self.out = nn.Sequential(*(ConvReLU(width, width, norm=norm) for _ in range(depth)))
        self.heat, self.size, self.off = (nn.Conv2d(width, made, 1) for made in (1, 2, 2))
        self.halo = -(-depth * STRIDE // 8) * 8  # one cell of STRIDE rows a 3 x 3 convolution; whole cells at 1/8

    def fuse(self) -> None:
        """Make one convolution of the three that read the same map; only then can the branch be called."""
        parts = (self.heat, self.size, self.off)
        self.heads = nn.Conv2d(self.heat.in_channels, VALUES, 1)
        self.heads.load_state_dict(
            {name: torch.cat([part.state_dict()[name] for part in parts]) for name in ("weight", "bias")}, assign=True
        )
        self.heads.requires_grad_(False)
        del self.heat, self.size, self.off

    def forward(self, taps: Sequence[Tensor], rows: int) -> Tensor:
        """The taps of a picture (B, 3, H, W) -> (B, VALUES, H / 4, W / 4); the end in strips of `rows`."""
        quarter, eighth, sixteenth, coarsest = taps
        coarse = self.up8(self.up16(self.top(coarsest), sixteenth), eighth)
        (made,) = in_strips(self._exit, [quarter, coarse], rows // STRIDE, self.halo // STRIDE)
        return made

    def _exit(self, maps: list[Tensor]) -> Sequence[Tensor]:
        quarter, coarse = maps
        return [self.heads(self.out(self.up4(coarse, quarter)))]


class FacePlateNetwork(nn.Module):
    """RGB 0..255 (B, 3, H, W), H and W multiples of 32 -> (B, 2, VALUES, H / 4, W / 4): faces, licence plates.

    For inference only; `fuse` it once after its weights are in. It calculates in the dtype of its weights.
    """

    def __init__(self, plate_width: int = 48, plate_depth: int = 2) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.face = Branch(24, 1, norm=False)
        self.plate = Branch(plate_width, plate_depth, norm=True)

    def fuse(self, one_step: bool) -> FacePlateNetwork:
        """Fold what can be folded; `one_step` as in `ConvReLU.fuse`."""
        self.eval().requires_grad_(False)
        for layer in list(self.modules()):
            if isinstance(layer, ConvReLU):
                layer.fuse(one_step)
            elif isinstance(layer, Up | Branch):
                layer.fuse()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        rows = self._rows(x)
        taps = self.trunk(x, rows)
        return torch.stack([branch(taps, rows * 8) for branch in (self.face, self.plate)], 1)

    def _rows(self, x: Tensor) -> int:
        """Rows of the picture in a strip; all of them on a GPU, whose memory is fast and whose launches are slow."""
        width, height = x.shape[3], x.shape[2]
        if x.device.type != "cpu":
            return height
        return strip_rows(width * len(x), height, _ENTRY_VALUES * x.itemsize, _STRIP_BYTES, MULTIPLE)
