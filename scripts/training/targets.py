"""Targets of a crop: heat maps as in CenterNet, teachers' scores where these were unsure, and which box a cell learns.

Objects as Points (Zhou et al., 2019) without its fixed radius: the Gaussian of an object has its shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.detect.backends.network import CLASS_COUNT, STRIDE

HALF_WIDTH = 0.27
"""Reach of an object's Gaussian, as a share of its sides."""

DOUBT_HALF_WIDTH = 0.2
"""Likewise for what teachers were unsure of."""

MIN_CELL = 0.15
"""Value of the Gaussian from which on a cell learns the box."""

Floats = NDArray[np.float64]
Boxes = Floats
"""(N, 6): class id, x0, y0, x1, y1 in pixels of the crop, and doubt.

Doubt is 0 for an object, 1 for a region that is ignored, and between them a teacher's score, which is the target there.
"""

CLASS, DOUBT = 0, 5
"""Columns of `Boxes`."""


@dataclass(frozen=True)
class Targets:
    """Targets of one crop of G x G cells, C classes; views of the arrays of a batch, filled in place.

    heat:   float16 (C, G, G), 1 at the centre of an object
    soft:   float16 (C, G, G), a teacher's score where it was unsure
    index:  int16 (C, G, G), the box that a cell learns, -1 for none
    cell:   float16 (C, G, G), how much it counts
    weight: uint8 (C, G, G), 0 where the score is not learnt
    """

    heat: NDArray[np.float16]
    soft: NDArray[np.float16]
    index: NDArray[np.int16]
    cell: NDArray[np.float16]
    weight: NDArray[np.uint8]

    def draw(self, boxes: Boxes) -> None:
        """Draw all boxes: doubts, then ignored regions, then objects, the large ones first."""
        doubt = boxes[:, DOUBT]
        for box in boxes[(doubt > 0) & (doubt < 1)]:
            self._draw_doubt(box)
        for class_id, x0, y0, x1, y1, _ in boxes[doubt >= 1]:
            rows = slice(max(0, int(y0 / STRIDE)), math.ceil(y1 / STRIDE) + 1)
            columns = slice(max(0, int(x0 / STRIDE)), math.ceil(x1 / STRIDE) + 1)
            self.weight[int(class_id), rows, columns] = 0
        areas = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])
        for number in np.argsort(-areas, kind="stable"):
            if boxes[number, DOUBT] == 0:
                self._draw_object(int(number), boxes[number])

    def _draw_doubt(self, box: Floats) -> None:
        """A small hill as high as the teacher's score."""
        cells = self.soft.shape[-1]
        down, across = (
            _span(low, high, cells, max(1, int((high - low) / STRIDE * DOUBT_HALF_WIDTH)))
            for low, high in ((box[2], box[4]), (box[1], box[3]))
        )
        hills = [each.hill(2 * each.reach / 3 + 0.4) for each in (down, across)]
        place = self.soft[int(box[CLASS]), down.inside, across.inside]
        np.maximum(place, box[DOUBT] * hills[0][:, None] * hills[1], out=place, casting="unsafe")

    def _draw_object(self, number: int, box: Floats) -> None:
        class_id, cells = int(box[CLASS]), self.heat.shape[-1]
        height, width = (box[4] - box[2]) / STRIDE, (box[3] - box[1]) / STRIDE
        down = _span(box[2], box[4], cells, int(height * HALF_WIDTH))
        across = _span(box[1], box[3], cells, int(width * HALF_WIDTH))
        hills = [each.hill((2 * each.reach + 1) / 6) for each in (down, across)]
        hill = (hills[0][:, None] * hills[1][None, :]).astype(np.float32)
        where = class_id, down.inside, across.inside
        place = self.heat[where]
        np.maximum(place, hill, out=place, casting="unsafe")
        self.weight[class_id, down.centre, across.centre] = 1
        learns = hill > MIN_CELL
        self.index[where][learns] = number
        # Larger objects have more cells and count more, but only by the logarithm of their area.
        share = math.log(max(width * height, 1.0) + 1.7) * hill / hill.sum() + 0.02
        self.cell[where][learns] = share[learns]


@dataclass(frozen=True)
class _Span:
    """Cells along one side: the centre, how far the hill reaches, and the cells inside the crop."""

    centre: int
    reach: int
    inside: slice

    def hill(self, sigma: float) -> Floats:
        """A Gaussian at the cells inside."""
        away = np.arange(self.inside.start, self.inside.stop) - self.centre
        return np.asarray(np.exp(-((away / sigma) ** 2) / 2), np.float64)


def _span(low: float, high: float, cells: int, reach: int) -> _Span:
    centre = min(int((low + high) / 2 / STRIDE), cells - 1)
    return _Span(centre, reach, slice(max(centre - reach, 0), min(centre + reach, cells - 1) + 1))


def empty_targets(batch: int, cells: int) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of `Targets` for a batch (batch, C, cells, cells), without any object."""
    shape = (batch, CLASS_COUNT, cells, cells)
    return {
        "heat": np.zeros(shape, np.float16),
        "soft": np.zeros(shape, np.float16),
        "index": np.full(shape, -1, np.int16),
        "cell": np.zeros(shape, np.float16),
        "weight": np.ones(shape, np.uint8),
    }
