"""How much of an object is hidden by the regions that redaction would cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes

COVERED = 0.95  # an object of which less is covered is exposed


def covered_shares(mask: NDArray[np.bool_], boxes: Boxes) -> NDArray[np.float64]:
    """The share (N,) of each box (N, 4) that lies in the mask; pixels at its edges count as far as they are inside.

    Boxes lie in the picture and have an area.
    """
    return np.array([_share(mask, *box) for box in boxes.astype(np.float64).tolist()], np.float64)


def _share(mask: NDArray[np.bool_], x0: float, y0: float, x1: float, y1: float) -> float:
    (left, across), (top, down) = _pixels(x0, x1), _pixels(y0, y1)
    window = mask[top : top + len(down), left : left + len(across)].astype(np.float64)
    return float(down @ window @ across / (across.sum() * down.sum()))


def _pixels(start: float, stop: float) -> tuple[int, NDArray[np.float64]]:
    """The first pixel that start..stop touches, and how much of it and of each that follows is inside."""
    edges = np.arange(np.floor(start), np.ceil(stop) + 1)
    return int(edges[0]), np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
