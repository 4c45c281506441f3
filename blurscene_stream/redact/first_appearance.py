"""First appearances: a tracked object is always covered by the mosaic cells of the first frame in which it was covered.

So all frames together tell no more about it than that one. `AppearanceCache` remembers them while an object may return.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.errors import RedactionError
from blurscene_stream.frames import Frame, PictureInfo, Plane
from blurscene_stream.redact.mosaic_grid import cell_means, mosaic_grid
from blurscene_stream.redact.plane_views import PlaneView
from blurscene_stream.redact.regions import Region

MAX_UNSEEN_FRAMES = 5000
"""A track that is absent from so many frames is over: gaps last 20 s at most, which are 4800 frames at 240 Hz."""
MAX_APPEARANCES = 20_000
"""So many need about 20 MB. Beyond it, those unseen for longest are forgotten, and would appear anew."""


class GridAxis(NamedTuple):
    """Borders of the cells along one side of an object in its first frame.

    edges:  in blocks from the object's end; what the picture cut off lay before the first edge and after the last
            one: the outer cells stand for it
    length: of the object, in blocks
    """

    edges: tuple[int, ...]
    length: int


class Side(NamedTuple):
    """One side of an object in the current frame, in one plane.

    start, stop: its visible part, in blocks from its end
    length:      all of it, in blocks
    samples:     samples of the plane from start to stop
    shift:       2**shift samples make a block
    """

    start: int
    stop: int
    length: int
    samples: int
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class FirstAppearance:
    """The mosaic cells of an object in its first frame: all that is ever shown of it.

    rows, columns: where they met
    means:         for each plane (rows, columns) or, for interleaved chroma, (rows, columns, 2)
    """

    rows: GridAxis
    columns: GridAxis
    means: tuple[Plane, ...]


def first_appearance(views: Sequence[PlaneView], region: Region, cells: int) -> FirstAppearance:
    """Return the cells of `region` in this frame, those of an untracked object; `views` are its planes."""
    grids = [mosaic_grid(view, cells, region.longest_px) for view in views]
    vertical, horizontal = sides(views[0], region)
    return FirstAppearance(
        rows=_grid_axis(grids[0].top, vertical),
        columns=_grid_axis(grids[0].left, horizontal),
        means=tuple(cell_means(view, grid) for view, grid in zip(views, grids, strict=True)),
    )


def _grid_axis(luma_edges: NDArray[np.intp], side: Side) -> GridAxis:
    blocks = (luma_edges >> side.shift).tolist()
    return GridAxis((*(side.start + block for block in blocks), side.stop), side.length)


def sides(view: PlaneView, region: Region) -> tuple[Side, Side]:
    """Return the vertical and the horizontal side of the object under `region`, in the plane of `view`."""
    pixel_format = view.format
    x0, y0, x1, y1 = region.uncropped
    rows, columns = view.samples.shape[:2]
    vertical = _extent(region.y0 - y0, region.y1 - y0, y1 - y0, pixel_format.shift_y)
    horizontal = _extent(region.x0 - x0, region.x1 - x0, x1 - x0, pixel_format.shift_x)
    if view.plane:
        return Side(*vertical, rows, 0), Side(*horizontal, columns, 0)
    return Side(*vertical, rows, pixel_format.shift_y), Side(*horizontal, columns, pixel_format.shift_x)


def _extent(start: int, stop: int, length: int, shift: int) -> tuple[int, int, int]:
    """Convert pixels to blocks; a block that the border of the picture cuts counts."""
    return start >> shift, -(-stop >> shift), length >> shift


@lru_cache(maxsize=4096)  # the planes of a picture share them
def stretched_cells(first: GridAxis, side: Side) -> NDArray[np.intp]:
    """Return how many samples of `side` each row, or column, of cells gets.

    Cells meet between blocks, so that luma and chroma have the same outlines. A cell that lies outside the picture, or
    has become too small to reach the next block, gets none.
    """
    stretched = (edge * side.length // first.length for edge in first.edges[1:-1])
    inner = (min(max(edge, side.start), side.stop) - side.start for edge in stretched)
    blocks = np.array([0, *inner, side.stop - side.start])
    edges: NDArray[np.intp] = np.minimum(blocks << side.shift, side.samples)
    return np.diff(edges)


def cell_positions(first: GridAxis, side: Side) -> NDArray[np.float32]:
    """Return the centres of the samples of `side` in cells: from 0 at the first edge to the number of cells."""
    start, cells = float(first.edges[0]), len(first.edges) - 1  # float: an unbounded box has more than 64 bits
    blocks = (float(side.start) + (np.arange(side.samples) + 0.5) / (1 << side.shift)) * (first.length / side.length)
    centres: NDArray[np.float64] = (blocks - start) * (cells / (first.edges[-1] - first.edges[0]))
    return np.minimum(np.maximum(centres, 0), cells).astype(np.float32)


class AppearanceCache:
    """The first appearances of the tracked objects of one stream: about a kilobyte each, for a bounded time."""

    def __init__(self) -> None:
        self._picture: PictureInfo | None = None
        self._frames = 0
        self._appearances: OrderedDict[int, tuple[FirstAppearance, int]] = OrderedDict()  # least recently seen first

    def __len__(self) -> int:
        return len(self._appearances)

    def start_frame(self, frame: Frame, track_ids: Iterable[int]) -> None:
        """Note which tracks are in a new frame, and forget those that were not seen for long.

        Raises RedactionError when the frame has another shape than those of the remembered objects.
        """
        if self._appearances and frame.picture != self._picture:
            raise RedactionError(
                f"frame {frame.number}: has another shape than the frames before it: tracks belong to one stream"
            )
        self._picture = frame.picture
        self._frames += 1
        for track_id in track_ids:
            if track_id in self._appearances:
                self._appearances[track_id] = self._appearances[track_id][0], self._frames
                self._appearances.move_to_end(track_id)
        self._evict()

    def _evict(self) -> None:
        while self._appearances:
            _, last_seen = next(iter(self._appearances.values()))
            unseen = self._frames - last_seen
            if unseen == 0 or (unseen <= MAX_UNSEEN_FRAMES and len(self._appearances) <= MAX_APPEARANCES):
                break  # tracks of this frame are never forgotten, nor any that was seen after this one
            self._appearances.popitem(last=False)

    def get(self, track_id: int) -> FirstAppearance | None:
        """Return the first appearance of a track; None when it was never covered."""
        return self._appearances[track_id][0] if track_id in self._appearances else None

    def add(self, track_id: int, appearance: FirstAppearance) -> None:
        """Remember a track that was never covered before."""
        self._appearances[track_id] = appearance, self._frames
