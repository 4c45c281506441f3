"""Layers of the network, fused for inference, and their tiled execution with a halo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_cudnn_lock = Lock()  # of torch's switch for cuDNN, which is one for the whole process


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution, which on a GPU torch itself calculates.

    cuDNN takes 1.5 to 2.5 s to plan the network for each new shape because of these layers, and 0.05 s without them
    (H200, bf16, PyTorch 2.11, https://docs.pytorch.org/docs/stable/backends.html#torch.backends.cudnn.flags).
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, channels, H / stride, W / stride)."""
        return self.without_cudnn(input) if input.is_cuda else super().forward(input)

    def without_cudnn(self, images: Tensor) -> Tensor:
        """Calculate it with cuDNN switched off: for other threads too, which is only slower for them."""
        with _cudnn_lock, torch.backends.cudnn.flags(enabled=False):  # two at once would leave it off
            return super().forward(images)


class FusableConv(nn.Sequential):
    """Conv, optional BatchNorm, optional ReLU, in that order; `fuse` makes one step of them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.fused_relu = False

    def fuse(self, fused_relu: bool) -> None:
        """Fold the norm into the convolution; `fused_relu`: let oneDNN apply the ReLU as it writes."""
        self.fused_relu = fused_relu and isinstance(self[-1], nn.ReLU)
        if isinstance(self[1], nn.BatchNorm2d):
            self[0] = fuse_conv_bn_eval(cast(nn.Conv2d, self[0]), self[1])
            del self[1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, made, H / stride, W / stride)."""
        if self.fused_relu:
            return fused_conv_relu(self[0], x)
        for layer in self:
            x = layer(x)
        return x


class ConvReLU(FusableConv):
    """Conv, optional BatchNorm, ReLU."""

    def __init__(  # noqa: PLR0913, PLR0917
        self, channels: int, made: int, kernel: int = 3, stride: int = 1, groups: int = 1, norm: bool = False
    ) -> None:
        kind = nn.Conv2d if groups == 1 else DepthwiseConv2d
        conv = kind(channels, made, kernel, stride, kernel // 2, groups=groups, bias=not norm)
        super().__init__(conv, *([nn.BatchNorm2d(made)] if norm else []), nn.ReLU(inplace=True))


def fused_conv_relu(conv: nn.Module, x: Tensor) -> Tensor:
    """Return relu(conv(x)) by one call of oneDNN, which saves a pass over the result.

    It makes 0 of a NaN, where torch's own relu keeps it. None can arise: the input is bytes, and weights that are
    not finite are refused when they are read. What leaves the network is checked in any case.
    """
    made: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups, "relu", [], ""
    )
    return made


def has_fused_conv_relu(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether `fused_conv_relu` is there and right: it is not part of torch's public interface."""
    if device.type != "cpu":
        return False
    x = torch.linspace(-4, 4, 4 * 8 * 8).reshape(1, 4, 8, 8).to(dtype).contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(4, 4, 3, padding=1, dtype=dtype).requires_grad_(False)
    nn.init.constant_(conv.weight, 0.1)
    try:
        made = fused_conv_relu(conv, x)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return torch.allclose(made, functional.relu(conv(x)), rtol=0.02, atol=0.02)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: 1 x 1 expansion, 3 x 3 depthwise convolution, 1 x 1 projection, residual."""

    def __init__(self, channels: int, made: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        expand = [ConvReLU(channels, inner, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(*expand, ConvReLU(inner, inner, 3, stride, inner), nn.Conv2d(inner, made, 1))
        self.has_residual = stride == 1 and channels == made

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, made, H / stride, W / stride)."""
        made: Tensor = self.conv(x)
        return made.add_(x) if self.has_residual else made


class Up(nn.Module):
    """A coarse map upsampled to twice its size, plus the trunk's lateral map of that size (FPN)."""

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


def run_tiled(
    layers: Callable[[list[Tensor]], Sequence[Tensor]], maps: Sequence[Tensor], rows: int, halo: int
) -> list[Tensor]:
    """Run `layers(maps)` on tiles of at most `rows` picture rows, with the same result.

    A map that is larger than the caches costs more in memory traffic and fresh pages than in arithmetic: tiled, the
    first layers of the network take half of the time on a CPU, and its memory stays bounded.

    maps:  (B, C, H / stride, W / stride) each, the first one at the size of the finest; rows are counted in it
    rows:  a multiple of every stride in and behind the maps
    halo:  how far the results depend on rows beyond, rounded up to such a multiple
    """
    height = maps[0].shape[2]
    if rows >= height:
        return list(layers(list(maps)))
    parts = []
    for top in range(0, height, rows):
        low, high = max(top - halo, 0), min(top + rows + halo, height)
        made = layers([_cut(each, low, high, height) for each in maps])
        parts.append([_cut(each, top - low, min(top + rows, height) - low, high - low) for each in made])
    return [torch.cat(pieces, 2) for pieces in zip(*parts, strict=True)]


def _cut(part: Tensor, first: int, end: int, height: int) -> Tensor:
    """The rows of `part` that show rows `first` to `end` of the `height` rows that it covers."""
    stride = height // part.shape[2]
    return part[:, :, first // stride : end // stride]


def tile_rows(width: int, height: int, bytes_per_pixel: int, budget: int, multiple: int) -> int:
    """Return how many rows keep maps of `bytes_per_pixel` within `budget` bytes: a multiple of `multiple`."""
    fitting = budget // (width * bytes_per_pixel) // multiple * multiple
    return min(max(fitting, multiple), height)
