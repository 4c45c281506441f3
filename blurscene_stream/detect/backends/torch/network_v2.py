"""The network of face_plate_v2: dense convolutions, an FPN, and one output at stride 4 calculated at stride 8.

Attribute names are those of the weights file. Unlike v1's it is trained as well, by `scripts/training`: until `fuse` it
is an ordinary network with batch norms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from blurscene_stream.config.schema import BUILT_IN_V2
from blurscene_stream.detect.backends.network import CLASS_COUNT, MULTIPLES, VALUES
from blurscene_stream.detect.backends.torch.layers import FusableConv

_SUBCELLS = 4  # of stride 4 in a cell of stride 8
_PRIOR_LOGIT, _PRIOR_LOG_SIZE = -4.6, 1.0  # of an untrained network: hardly any object, of 11 pixels


class ConvNorm(FusableConv):
    """Conv, BatchNorm and, with `relu`, ReLU."""

    def __init__(self, channels: int, made: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> None:
        conv = nn.Conv2d(channels, made, kernel, stride, kernel // 2, bias=False)
        norm = nn.BatchNorm2d(made, eps=1e-3, momentum=0.03)
        super().__init__(conv, norm, *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    """relu(x + conv(relu(conv(x)))), each conv with its norm; `hidden` channels between them."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, hidden)
        self.b = ConvNorm(hidden, channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        return functional.relu(x + self.b(self.a(x)))


class Context(nn.Module):
    """SPPF (Ultralytics' YOLOv5): max pools of 5, 9 and 13 cells side by side, between two 1 x 1 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels // 2, 1)
        self.b = ConvNorm(channels * 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        pooled = [self.a(x)]
        for _ in range(3):
            pooled.append(functional.max_pool2d(pooled[-1], 5, 1, 2))
        made: Tensor = self.b(torch.cat(pooled, 1))
        return made


def _stage(channels: int, made: int, hidden: int, depth: int) -> list[nn.Module]:
    """Halve the size, then `depth` residual blocks."""
    return [ConvNorm(channels, made, 3, 2), *(Residual(made, hidden) for _ in range(depth))]


class FacePlateV2Network(nn.Module):
    """RGB 0..255 (B, 3, H, W), H and W multiples of 64 -> (B, 2, VALUES, H / 4, W / 4): faces, licence plates.

    stem:    channels at 1/2 and 1/4 of the size
    widths:  channels at 1/8, 1/16, 1/32 and 1/64
    hidden:  channels inside the residual blocks there
    depths:  residual blocks there
    neck:    channels of the FPN and of the head

    The defaults are those of the weights. It calculates in the dtype of its weights.

    Its buffer `calibration` (2, 2) holds for each class a scale and a bias of the logit that make a score the share of
    boxes that are right. `fuse` folds them into the last convolution; training learns the logits before them.
    """

    calibration: Tensor

    multiple: ClassVar[int] = MULTIPLES[BUILT_IN_V2]
    """Both sides of the input are multiples of this."""

    def __init__(
        self,
        stem: Sequence[int] = (16, 32),
        widths: Sequence[int] = (64, 128, 192, 192),
        hidden: Sequence[int] = (64, 64, 96, 96),
        depths: Sequence[int] = (3, 3, 3, 2),
        neck: int = 64,
    ) -> None:
        super().__init__()
        half, quarter = stem
        eighth, sixteenth, coarse, coarsest = widths
        self.stem = nn.Sequential(ConvNorm(3, half, 3, 2), ConvNorm(half, quarter, 3, 2))
        stages = zip((quarter, eighth, sixteenth, coarse), widths, hidden, depths, strict=True)
        s8, s16, s32, s64 = (_stage(*numbers) for numbers in stages)
        self.s8, self.s16, self.s32 = nn.Sequential(*s8), nn.Sequential(*s16), nn.Sequential(*s32)
        self.s64 = nn.Sequential(*s64, Context(coarsest))
        self.l8, self.l16, self.l32 = (ConvNorm(width, neck, 1, relu=False) for width in widths[:3])
        self.t64 = ConvNorm(coarsest, neck, 1)
        self.f8, self.f16, self.f32 = (ConvNorm(neck, neck) for _ in range(3))
        self.head = ConvNorm(neck, neck)
        self.out = nn.Conv2d(neck, CLASS_COUNT * VALUES * _SUBCELLS, 1)
        self.register_buffer("calibration", torch.tensor([[1.0, 0.0]] * CLASS_COUNT))
        self._init_output()

    def _init_output(self) -> None:
        """Begin with a low score everywhere, so that the focal loss of an untrained network stays small."""
        if self.out.weight.is_meta:  # the weights are read; random numbers would cost the import of torch's compiler
            return
        nn.init.normal_(self.out.weight, std=0.01)
        prior = torch.tensor([_PRIOR_LOGIT, _PRIOR_LOG_SIZE, _PRIOR_LOG_SIZE, 0.0, 0.0] * CLASS_COUNT)
        self.out.bias = nn.Parameter(prior.repeat_interleave(_SUBCELLS))

    def fuse(self, fused_relu: bool) -> FacePlateV2Network:
        """Prepare for inference, once: fold norms and calibration; `fused_relu` as in `FusableConv.fuse`."""
        self.eval().requires_grad_(False)
        for layer in list(self.modules()):
            if isinstance(layer, ConvNorm):
                layer.fuse(fused_relu)
        assert self.out.bias is not None
        for class_id, (scale, bias) in enumerate(self.calibration.tolist()):
            logits = slice(class_id * VALUES * _SUBCELLS, (class_id * VALUES + 1) * _SUBCELLS)
            self.out.weight[logits] *= scale
            self.out.bias[logits] = self.out.bias[logits] * scale + bias
        return self

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        eighth = self.s8(self.stem(x / 255))
        sixteenth = self.s16(eighth)
        coarse = self.s32(sixteenth)
        y = self.t64(self.s64(coarse))
        y = self.f32(_up(y, self.l32(coarse)))
        y = self.f16(_up(y, self.l16(sixteenth)))
        y = self.f8(_up(y, self.l8(eighth)))
        maps = functional.pixel_shuffle(self.out(self.head(y)), 2)
        return maps.reshape(-1, CLASS_COUNT, VALUES, *maps.shape[2:])


def _up(coarse: Tensor, lateral: Tensor) -> Tensor:
    """A coarse map upsampled to twice its size, plus the lateral map of that size, then ReLU (FPN)."""
    return functional.relu(functional.interpolate(coarse, scale_factor=2.0, mode="nearest") + lateral)
