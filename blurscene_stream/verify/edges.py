"""How many cells an object is covered by, counted in OUTPUT: the edges where cells meet are lines right through it."""

from __future__ import annotations

import numpy as np

from blurscene_stream.verify.levels import Levels

CELLS = 6  # along the longer side of an object; more could be recognized
MOST_LINES, LINES_PER_LOSS = CELLS + 3, 4.0  # five where six cells meet; a codec adds some of its own
LEAST_STEP, PER_LOSS = 2.0, 3.0  # levels from one side of a line to the other, and more where a codec loses more
SHARE = 0.25  # of the strongest lines' step: weaker ones are no edges of cells
STRONGEST = 3


def too_many_cells(shown: Levels, loss: float) -> bool:
    """True when a part of the picture that one object's cover fills, without its border, has more than CELLS cells.

    loss: the codec's, see `Loss`
    """
    least = LEAST_STEP + PER_LOSS * loss
    return any(lines(shown, axis, least) > MOST_LINES + LINES_PER_LOSS * loss for axis in (0, 1))


def lines(shown: Levels, axis: int, least: float) -> int:
    """The number of lines across `axis` at which there is a step of `least` levels on average, and more than beside."""
    steps = np.asarray(np.abs(np.diff(shown, axis=axis)).mean(axis=1 - axis), np.float32)
    if len(steps) <= CELLS:
        return 0
    over = steps - np.median(steps)
    enough = max(least, SHARE * float(np.sort(over)[-STRONGEST:].mean()))
    beside = np.pad(over, 1, constant_values=-np.inf)
    return int(np.count_nonzero((over > enough) & (over >= beside[:-2]) & (over > beside[2:])))
