"""Numbers with the interval that chance leaves them: the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
CONFIDENCE = 0.95
CHUNK_VALUES = 4_000_000  # numbers held at once; the result does not depend on it


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number.

    value:     None when nothing can be stated
    low, high: its 95 % interval; None likewise
    count:     what it was measured on: objects, boxes or tracks
    """

    value: float | None
    low: float | None
    high: float | None
    count: int

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON; six decimals."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if number is None else round(number, 6) for name, number in numbers.items()} | {
            "count": self.count
        }


NOT_STATED = Estimate(None, None, None, 0)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Draws units (pictures, tracks) with replacement, as many as there are; the same draws for every measure.

    Percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). Where every
    unit gives the same, the interval has no width: of n objects all found, up to 3 / n may be missed ("rule of
    three", Hanley and Lippman-Hand, JAMA 1983).
    """

    draws: int = 1000
    seed: int = 0

    def weights(self, units: int, width: int = 0) -> Iterator[Values]:
        """How often each unit was drawn: (draws in this part, units), in parts; `width`: numbers made of a draw."""
        chance = np.random.default_rng(self.seed)
        part = max(1, CHUNK_VALUES // max(units, width, 1))
        for start in range(0, self.draws, part):
            count = min(part, self.draws - start)
            yield chance.multinomial(units, np.full(units, 1 / units), size=count).astype(np.float64)

    def estimate(self, statistic: Callable[[Values], Values], units: int, count: int, width: int = 0) -> Estimate:
        """`statistic`: weights (draws, units) -> (draws,), not a number where there is nothing to measure.

        count, width: see Estimate and `weights`
        """
        if not count:
            return NOT_STATED
        value = float(statistic(np.ones((1, units)))[0])
        drawn = np.concatenate([statistic(part) for part in self.weights(units, width)])
        drawn = drawn[np.isfinite(drawn)]
        if not np.isfinite(value) or not len(drawn):
            return NOT_STATED
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Estimate(value, float(low), float(high), count)

    def ratio(self, part: Values, whole: Values, count: int | None = None) -> Estimate:
        """The sum of `part` over the sum of `whole`, both (units,)."""

        def statistic(weights: Values) -> Values:
            below = weights @ whole
            return np.asarray(np.where(below > 0, weights @ part / np.where(below > 0, below, 1), np.nan))

        return self.estimate(statistic, len(whole), round(float(whole.sum())) if count is None else count)
