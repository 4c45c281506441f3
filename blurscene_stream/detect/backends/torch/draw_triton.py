"""The Triton kernel that draws whole pictures from their planes; `draw` says the same in plain torch.

A pixel is a weighted sum of a few samples of each plane, converted to RGB, and written where the view shows it. Nothing
lies in memory between planes and images, and one launch draws a batch.
"""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl

_ROWS, _COLUMNS = 8, 128  # pixels of one program
_ARGUMENTS = 33  # of the kernel, but for its constants

# The kernel knows its arguments' types alone: Triton would compile one for each pattern of numbers that 16 divides.
_compiled_once = triton.jit(do_not_specialize=list(range(_ARGUMENTS)))


@triton.jit
def _resampled(  # noqa: PLR0913, PLR0917
    plane, row_step, column_step, rows, columns, down, across, down_taps, across_taps, height, width,
    block_rows: tl.constexpr, block_columns: tl.constexpr,
):  # fmt: skip
    """The pixels at `rows` and `columns` of a plane, in float32.

    down, across: `Taps.table` of rows and columns
    """
    at_rows = plane + tl.load(down + rows).to(tl.int32) * row_step
    at_columns = tl.load(across + columns).to(tl.int32) * column_step
    total = tl.zeros((block_rows, block_columns), tl.float32)
    for y in range(down_taps):
        row_sums = tl.zeros((block_rows, block_columns), tl.float32)
        for x in range(across_taps):
            samples = tl.load((at_rows + y * row_step)[:, None] + (at_columns + x * column_step)[None, :])
            row_sums += tl.load(across + (x + 1) * width + columns)[None, :] * samples.to(tl.float32)
        total += tl.load(down + (y + 1) * height + rows)[:, None] * row_sums
    return total


@triton.jit
def _as_levels(values):
    return (tl.minimum(tl.maximum(values, 0.0), 255.0) + 0.5).to(tl.uint8)


@_compiled_once
def _kernel(  # noqa: PLR0913, PLR0917
    luma, cb, cr, frames, images, places, luma_down, luma_across, chroma_down, chroma_across,
    luma_down_taps, luma_across_taps, chroma_down_taps, chroma_across_taps, height, width,
    luma_frame_step, luma_row_step, chroma_frame_step, chroma_row_step, chroma_column_step,
    image_step, origin, row_step, column_step, black, gain, gray, red_cr, green_cb, green_cr, blue_cb, blocks_across,
    block_rows: tl.constexpr, block_columns: tl.constexpr,
):  # fmt: skip
    block = tl.program_id(0)
    rows = block // blocks_across * block_rows + tl.arange(0, block_rows)
    columns = block % blocks_across * block_columns + tl.arange(0, block_columns)
    inside = (rows < height)[:, None] & (columns < width)[None, :]
    out_rows = images + tl.load(places + tl.program_id(1)) * image_step + origin + rows * row_step
    out = out_rows[:, None] + (columns * column_step)[None, :]
    rows = tl.minimum(rows, height - 1)
    columns = tl.minimum(columns, width - 1)
    frame = tl.load(frames + tl.program_id(1))  # 64 bits, as the samples of a batch can be more than 32 bits count
    y = _resampled(
        luma + frame * luma_frame_step, luma_row_step, 1, rows, columns, luma_down, luma_across,
        luma_down_taps, luma_across_taps, height, width, block_rows, block_columns,
    )  # fmt: skip
    blue = _resampled(
        cb + frame * chroma_frame_step, chroma_row_step, chroma_column_step, rows, columns, chroma_down, chroma_across,
        chroma_down_taps, chroma_across_taps, height, width, block_rows, block_columns,
    )  # fmt: skip
    red = _resampled(
        cr + frame * chroma_frame_step, chroma_row_step, chroma_column_step, rows, columns, chroma_down, chroma_across,
        chroma_down_taps, chroma_across_taps, height, width, block_rows, block_columns,
    )  # fmt: skip
    y = (y - black) * gain
    blue -= gray
    red -= gray
    tl.store(out, _as_levels(y + red_cr * red), mask=inside)
    tl.store(out + 1, _as_levels(y + green_cb * blue + green_cr * red), mask=inside)
    tl.store(out + 2, _as_levels(y + blue_cb * blue), mask=inside)


def launch(planes, frames, images, places, plan):
    """Draw frames of planes into images, see `draw.Draw`; `plan`: the view's, see `fused_draw.Plan`."""
    blocks_across = triton.cdiv(plan.width, _COLUMNS)
    _kernel[blocks_across * triton.cdiv(plan.height, _ROWS), len(frames)](
        planes.luma, planes.cb, planes.cr, frames, images, places, *plan.tables, *plan.taps, plan.height, plan.width,
        *planes.luma.stride()[:2], *planes.cb.stride(), *plan.steps, *plan.conversion, blocks_across,
        block_rows=_ROWS, block_columns=_COLUMNS, num_stages=1,
    )  # fmt: skip
