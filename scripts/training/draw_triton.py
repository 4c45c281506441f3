"""Drawing of planned crops as a Triton kernel, which only runs on a GPU; `draw` says the same in plain torch."""
# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl
from torch import Tensor

from scripts.training.crops import EDGE_ACROSS, EDGE_DOWN

_BLOCK = 1024  # pixels for one program


@triton.jit
def _sample(pixels, offset, h, w, sx, sy, mask, c: tl.constexpr):  # noqa: PLR0913, PLR0917
    """Bilinear samples of channel c of a level."""
    x0f = tl.floor(sx)
    y0f = tl.floor(sy)
    fx = sx - x0f
    fy = sy - y0f
    x0 = tl.minimum(tl.maximum(x0f.to(tl.int32), 0), w - 1)
    x1 = tl.minimum(tl.maximum(x0f.to(tl.int32) + 1, 0), w - 1)
    y0 = tl.minimum(tl.maximum(y0f.to(tl.int32), 0), h - 1)
    y1 = tl.minimum(tl.maximum(y0f.to(tl.int32) + 1, 0), h - 1)
    r0 = offset + y0.to(tl.int64) * w * 3 + c
    r1 = offset + y1.to(tl.int64) * w * 3 + c
    a = tl.load(pixels + r0 + x0 * 3, mask=mask, other=0).to(tl.float32)
    b = tl.load(pixels + r0 + x1 * 3, mask=mask, other=0).to(tl.float32)
    d = tl.load(pixels + r1 + x0 * 3, mask=mask, other=0).to(tl.float32)
    e = tl.load(pixels + r1 + x1 * 3, mask=mask, other=0).to(tl.float32)
    return (a * (1 - fx) + b * fx) * (1 - fy) + (d * (1 - fx) + e * fx) * fy


@triton.jit
def _toned(value, gain, offset):
    return tl.minimum(tl.maximum(value * gain + offset, 0.0), 255.0)


@triton.jit
def _kernel(  # noqa: PLR0913, PLR0917
    pixels, out, columns, rows, source, matrix, fill, psource, pmatrix, prect, ptone, flip, size,
    edge_x: tl.constexpr, edge_y: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1) * block + tl.arange(0, block)
    ok = p < size * size
    y = p // size
    x = p % size
    x = tl.where(tl.load(flip + b) != 0, size - 1 - x, x)
    col = tl.zeros_like(p)
    row = tl.zeros_like(p)
    for k in tl.static_range(1, 4):
        col += (x >= tl.load(columns + b * 5 + k)).to(tl.int32)
        row += (y >= tl.load(rows + b * 5 + k)).to(tl.int32)
    cell = b * 16 + row * 4 + col
    offset = tl.load(source + cell * 3, mask=ok, other=0)
    h = tl.load(source + cell * 3 + 1, mask=ok, other=1).to(tl.int32)
    w = tl.load(source + cell * 3 + 2, mask=ok, other=1).to(tl.int32)
    u = x.to(tl.float32) + 0.5
    v = y.to(tl.float32) + 0.5
    m = matrix + cell * 6
    sx = tl.load(m, mask=ok) * u + tl.load(m + 1, mask=ok) * v + tl.load(m + 2, mask=ok) - 0.5
    sy = tl.load(m + 3, mask=ok) * u + tl.load(m + 4, mask=ok) * v + tl.load(m + 5, mask=ok) - 0.5
    inside = ok & (sx > -1) & (sy > -1) & (sx < w) & (sy < h)
    red = tl.where(inside, _sample(pixels, offset, h, w, sx, sy, inside, 0), tl.load(fill + cell * 3, mask=ok))
    green = tl.where(inside, _sample(pixels, offset, h, w, sx, sy, inside, 1), tl.load(fill + cell * 3 + 1, mask=ok))
    blue = tl.where(inside, _sample(pixels, offset, h, w, sx, sy, inside, 2), tl.load(fill + cell * 3 + 2, mask=ok))
    for k in tl.static_range(4):
        q = b * 4 + k
        x0 = tl.load(prect + q * 4).to(tl.float32)
        y0 = tl.load(prect + q * 4 + 1).to(tl.float32)
        x1 = tl.load(prect + q * 4 + 2).to(tl.float32)
        y1 = tl.load(prect + q * 4 + 3).to(tl.float32)
        ex = tl.maximum((x1 - x0) * edge_x, 1.0)
        ey = tl.maximum((y1 - y0) * edge_y, 1.0)
        alpha = tl.minimum(tl.minimum(tl.minimum(u - x0, x1 - u) / ex, tl.minimum(v - y0, y1 - v) / ey), 1.0)
        on = ok & (alpha > 0)
        alpha = tl.maximum(alpha, 0.0)
        po = tl.load(psource + q * 3)
        ph = tl.load(psource + q * 3 + 1).to(tl.int32)
        pw = tl.load(psource + q * 3 + 2).to(tl.int32)
        pm = pmatrix + q * 6
        px = tl.load(pm) * u + tl.load(pm + 1) * v + tl.load(pm + 2) - 0.5
        py = tl.load(pm + 3) * u + tl.load(pm + 4) * v + tl.load(pm + 5) - 0.5
        gain = tl.load(ptone + q * 2)
        add = tl.load(ptone + q * 2 + 1)
        over = _toned(_sample(pixels, po, ph, pw, px, py, on, 0), gain, add)
        red = tl.where(on, red * (1 - alpha) + alpha * over, red)
        over = _toned(_sample(pixels, po, ph, pw, px, py, on, 1), gain, add)
        green = tl.where(on, green * (1 - alpha) + alpha * over, green)
        over = _toned(_sample(pixels, po, ph, pw, px, py, on, 2), gain, add)
        blue = tl.where(on, blue * (1 - alpha) + alpha * over, blue)
    o = out + (b * size * size + p) * 3
    tl.store(o, red.to(tl.float16), mask=ok)
    tl.store(o + 1, green.to(tl.float16), mask=ok)
    tl.store(o + 2, blue.to(tl.float16), mask=ok)


def draw_fast(pixels: Tensor, plan: Mapping[str, Tensor], size: int) -> Tensor:
    """See `draw.Draw`; everything on the GPU."""
    batch = len(plan["flip"])
    out = torch.empty(batch, size, size, 3, dtype=torch.float16, device=pixels.device)
    names = ("columns", "rows", "source", "matrix", "fill", "patch_source", "patch_matrix", "patch_rect", "patch_tone")
    numbers = [plan[name] for name in names]
    flip = plan["flip"].to(torch.int32)
    grid = (batch, triton.cdiv(size * size, _BLOCK))
    _kernel[grid](pixels, out, *numbers, flip, size, EDGE_ACROSS, EDGE_DOWN, block=_BLOCK)
    return out.permute(0, 3, 1, 2)
