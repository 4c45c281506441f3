"""The network of face_plate_v1: a MobileNetV2 backbone and, for each class, an FPN branch down to stride 4.

The backbone (`trunk`) and the face branch are CenterFace's (https://github.com/Star-Clouds/CenterFace, MIT licence).
Attribute names are those of the weights file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from blurscene_stream.config.schema import BUILT_IN
from blurscene_stream.detect.backends.network import MULTIPLES, STRIDE, VALUES
from blurscene_stream.detect.backends.torch.layers import ConvReLU, InvertedResidual, Up, run_tiled, tile_rows

_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""MobileNetV2's table: expansion, output channels, repeats, stride of the first."""

_TAPS = (3, 6, 13, 17)
_TAP_CHANNELS = (24, 32, 96, 320)  # at 1/4, 1/8, 1/16 and 1/32 of the size

_TILE_BYTES = 16 << 20  # of the largest map; measured: half or twice of it is slower
_TILED_BLOCKS = 5  # the first ones
_TILE_HALO = 16  # their results depend on at most 13 rows beyond
_TILE_VALUES = 24  # per picture pixel in their largest map: 96 channels at half the size


class Trunk(nn.Module):
    """Backbone: from a picture to maps at 1/4, 1/8, 1/16 and 1/32 of its size, of _TAP_CHANNELS channels."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [ConvReLU(3, 32, 3, 2)]
        channels = 32
        for expansion, made, count, stride in _BLOCKS:
            for index in range(count):
                blocks.append(InvertedResidual(channels, made, stride if index == 0 else 1, expansion))
                channels = made
        self.features = nn.ModuleList(blocks)

    def forward(self, x: Tensor, rows: int) -> list[Tensor]:
        """The picture (B, 3, H, W) -> the four taps; the first blocks run in tiles of `rows` picture rows."""
        finest, x = run_tiled(self._first_blocks, [x], rows, _TILE_HALO)
        taps = [finest]
        for index in range(_TILED_BLOCKS, len(self.features)):
            x = self.features[index](x)
            if index in _TAPS:
                taps.append(x)
        return taps

    def _first_blocks(self, maps: list[Tensor]) -> Sequence[Tensor]:
        """A tile of the picture -> the first tap and the output of the last of these blocks."""
        (x,) = maps
        made = []
        for block in self.features[:_TILED_BLOCKS]:
            x = block(x)
            made.append(x)
        return made[_TAPS[0]], x


class Branch(nn.Module):
    """FPN and head of one class: from the coarsest map to a quarter of the size, then VALUES numbers per cell."""

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
        """The taps of a picture (B, 3, H, W) -> (B, VALUES, H / 4, W / 4); the end in tiles of `rows`."""
        quarter, eighth, sixteenth, coarsest = taps
        coarse = self.up8(self.up16(self.top(coarsest), sixteenth), eighth)
        (made,) = run_tiled(self._head, [quarter, coarse], rows // STRIDE, self.halo // STRIDE)
        return made

    def _head(self, maps: list[Tensor]) -> Sequence[Tensor]:
        quarter, coarse = maps
        return [self.heads(self.out(self.up4(coarse, quarter)))]


class FacePlateNetwork(nn.Module):
    """RGB 0..255 (B, 3, H, W), H and W multiples of 32 -> (B, 2, VALUES, H / 4, W / 4): faces, licence plates.

    For inference only; `fuse` it once after its weights are in. It calculates in the dtype of its weights.
    """

    multiple: ClassVar[int] = MULTIPLES[BUILT_IN]

    def __init__(self, plate_width: int = 48, plate_depth: int = 2) -> None:
        super().__init__()
        self.is_tiled = True  # false: run every layer on whole pictures, as an exported network does
        self.trunk = Trunk()
        self.face = Branch(24, 1, norm=False)
        self.plate = Branch(plate_width, plate_depth, norm=True)

    def fuse(self, fused_relu: bool) -> FacePlateNetwork:
        """Fold what can be folded; `fused_relu` as in `ConvReLU.fuse`."""
        self.eval().requires_grad_(False)
        for layer in list(self.modules()):
            if isinstance(layer, ConvReLU):
                layer.fuse(fused_relu)
            elif isinstance(layer, Up | Branch):
                layer.fuse()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        rows = self._rows(x)
        taps = self.trunk(x, rows)
        return torch.stack([branch(taps, rows * 8) for branch in (self.face, self.plate)], 1)

    def _rows(self, x: Tensor) -> int:
        """Rows of the picture in a tile; all of them on a GPU, whose memory is fast and whose launches are slow."""
        width, height = x.shape[3], x.shape[2]
        if x.device.type != "cpu" or not self.is_tiled:
            return height
        return tile_rows(width * len(x), height, _TILE_VALUES * x.itemsize, _TILE_BYTES, self.multiple)
