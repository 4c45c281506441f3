"""The bootstrap: the same every time, around the value, and right where it can be calculated."""

from __future__ import annotations

import numpy as np
import pytest

from blurscene_stream.evaluate import bootstrap
from blurscene_stream.evaluate.bootstrap import NOT_STATED, Bootstrap

CHANCE = np.random.default_rng(3)
PART = CHANCE.integers(0, 2, 60).astype(float)


def test_the_same_seed_gives_the_same_interval() -> None:
    one, again = (Bootstrap(500, 7).ratio(PART, np.ones(60)) for _ in range(2))
    assert one == again
    assert Bootstrap(500, 8).ratio(PART, np.ones(60)) != one


def test_the_interval_holds_the_value_and_has_the_width_of_a_binomial() -> None:
    one = Bootstrap(4000).ratio(PART, np.ones(60))
    assert one.value is not None and one.low is not None and one.high is not None
    assert one.low <= one.value <= one.high
    width = 2 * 1.96 * np.sqrt(one.value * (1 - one.value) / 60)
    assert one.high - one.low == pytest.approx(width, rel=0.1)


def test_the_result_does_not_depend_on_how_many_draws_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bootstrap(200).ratio(PART, np.ones(60))
    monkeypatch.setattr(bootstrap, "MAX_CHUNK_VALUES", 60 * 7)
    assert Bootstrap(200).ratio(PART, np.ones(60)) == whole


def test_nothing_is_stated_about_nothing() -> None:
    assert Bootstrap(10).ratio(np.zeros(5), np.zeros(5)) == NOT_STATED
