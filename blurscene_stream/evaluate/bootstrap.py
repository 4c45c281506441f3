"""Estimates with confidence intervals by the percentile bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
MAX_CHUNK_VALUES = 4_000_000  # numbers in memory at once; the result does not depend on it


@dataclass(frozen=True, slots=True)
class Estimate:
    """Measured value with its confidence interval.

    value:     None when nothing can be stated
    low, high: its 95 % interval; None likewise
    count:     sample size: objects, boxes or tracks
    """

    value: float | None
    low: float | None
    high: float | None
    count: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the fields for JSON, rounded to six decimals."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if number is None else round(number, 6) for name, number in numbers.items()} | {
            "count": self.count
        }


NOT_STATED = Estimate(None, None, None, 0)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Resampling of units (images, tracks) with replacement; the same draws for every metric.

    Percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). Where every
    unit gives the same, the interval has no width: of n objects all found, up to 3 / n may be missed ("rule of
    three", Hanley and Lippman-Hand, JAMA 1983).
    """

    draws: int = 1000
    seed: int = 0

    def weights(self, units: int, width: int = 0) -> Iterator[Floats]:
        """Yield how often each unit was drawn, (draws in this chunk, units).

        width: numbers that the statistic makes of one draw; bounds the chunk with `units`
        """
        rng = np.random.default_rng(self.seed)
        chunk = max(1, MAX_CHUNK_VALUES // max(units, width, 1))
        for start in range(0, self.draws, chunk):
            count = min(chunk, self.draws - start)
            yield rng.multinomial(units, np.full(units, 1 / units), size=count).astype(np.float64)

    def estimate(self, statistic: Callable[[Floats], Floats], units: int, count: int, width: int = 0) -> Estimate:
        """Estimate a statistic: weights (draws, units) -> (draws,), NaN where it is undefined.

        count, width: see Estimate and `weights`
        """
        if not count:
            return NOT_STATED
        value = float(statistic(np.ones((1, units)))[0])
        drawn = np.concatenate([statistic(chunk) for chunk in self.weights(units, width)])
        drawn = drawn[np.isfinite(drawn)]
        if not np.isfinite(value) or not len(drawn):
            return NOT_STATED
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Estimate(value, float(low), float(high), count)

    def ratio(self, numerator: Floats, denominator: Floats, count: int | None = None) -> Estimate:
        """Estimate sum(numerator) / sum(denominator), both (units,)."""

        def statistic(weights: Floats) -> Floats:
            total = weights @ denominator
            return np.asarray(np.where(total > 0, weights @ numerator / np.where(total > 0, total, 1), np.nan))

        sample_size = round(float(denominator.sum())) if count is None else count
        return self.estimate(statistic, len(denominator), sample_size)
