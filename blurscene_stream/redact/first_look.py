"""The cells of an object as they were when it was first covered, stretched over where it lies now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import Plane
from blurscene_stream.redact.cells import cut, means
from blurscene_stream.redact.regions import Region
from blurscene_stream.redact.windows import Window


class Axis(NamedTuple):
    """How the cells lay along one side of an object when it was first covered.

    edges:  where they met, in blocks from the object's end; what the picture cut off lay before the first edge and
            after the last one: the outer cells stand for it
    length: of the object, in blocks
    """

    edges: tuple[int, ...]
    length: int


class Side(NamedTuple):
    """One side of an object as it lies now, in one plane.

    start, stop: what of it lies in the picture, in blocks from its end
    length:      all of it, in blocks
    samples:     of the plane from start to stop
    shift:       2**shift samples make a block
    """

    start: int
    stop: int
    length: int
    samples: int
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class FirstLook:
    """The cells of an object as they were when it was first covered: all that is ever shown of it.

    rows, columns: how they lay
    means:         for each plane (rows, columns) or, for interleaved chroma, (rows, columns, 2)
    """

    rows: Axis
    columns: Axis
    means: tuple[Plane, ...]


def look(windows: Sequence[Window], region: Region, cells: int) -> FirstLook:
    """The cells that `region` has now, cut as those of an object without a track are; `windows` are its planes."""
    cuts = [cut(window, cells, region.longest_px) for window in windows]
    down, across = sides(windows[0], region)
    return FirstLook(
        rows=_axis(cuts[0].top, down),
        columns=_axis(cuts[0].left, across),
        means=tuple(means(window, each) for window, each in zip(windows, cuts, strict=True)),
    )


def _axis(luma_edges: NDArray[np.intp], side: Side) -> Axis:
    blocks = (luma_edges >> side.shift).tolist()
    return Axis((*(side.start + block for block in blocks), side.stop), side.length)


def sides(window: Window, region: Region) -> tuple[Side, Side]:
    """The sides of the object that `region` covers, down and across, in the plane of `window`."""
    form = window.format
    x0, y0, x1, y1 = region.whole
    rows, columns = window.samples.shape[:2]
    down = _extent(region.y0 - y0, region.y1 - y0, y1 - y0, form.shift_y)
    across = _extent(region.x0 - x0, region.x1 - x0, x1 - x0, form.shift_x)
    if window.plane:
        return Side(*down, rows, 0), Side(*across, columns, 0)
    return Side(*down, rows, form.shift_y), Side(*across, columns, form.shift_x)


def _extent(start: int, stop: int, length: int, shift: int) -> tuple[int, int, int]:
    """From pixels to blocks; a block that the border of the picture cuts counts."""
    return start >> shift, -(-stop >> shift), length >> shift


@lru_cache(maxsize=4096)  # the planes of a picture share them
def counts(then: Axis, now: Side) -> NDArray[np.intp]:
    """How many samples along `now` each row, or column, of cells has.

    Cells meet between blocks, so that luma and chroma have the same outlines. A cell that lies outside the picture, or
    has become too small to reach the next block, has none.
    """
    stretched = (edge * now.length // then.length for edge in then.edges[1:-1])
    inner = (min(max(edge, now.start), now.stop) - now.start for edge in stretched)
    blocks = np.array([0, *inner, now.stop - now.start])
    edges: NDArray[np.intp] = np.minimum(blocks << now.shift, now.samples)
    return np.diff(edges)


def positions(then: Axis, now: Side) -> NDArray[np.float32]:
    """The middles of the samples along `now`, counted in cells: 0 at the first edge, and no farther than the last."""
    first, cells = float(then.edges[0]), len(then.edges) - 1  # numbers of a box without bounds have more than 64 bits
    blocks = (float(now.start) + (np.arange(now.samples) + 0.5) / (1 << now.shift)) * (then.length / now.length)
    middles: NDArray[np.float64] = (blocks - first) * (cells / (then.edges[-1] - then.edges[0]))
    return np.minimum(np.maximum(middles, 0), cells).astype(np.float32)
