"""Presentation clocks of files and cameras, with missing and decreasing timestamps."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import pytest
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.errors import CorruptInputError
from blurscene_stream.source.frames.timestamps import FileClock, LiveClock

TICK = Fraction(1, 1000)


@dataclass
class Timed:
    """As much of a picture as a clock looks at."""

    pts: int | None


def timed(pts: int | None) -> VideoFrame:
    return cast(VideoFrame, Timed(pts))


def file_clock(rate: int | None = 25) -> FileClock:
    return FileClock("film.mp4", TICK, Fraction(rate) if rate else None)


TIMES: dict[str, tuple[list[int | None], list[int]]] = {
    # what the source tells -> what goes on
    "as it should be": ([0, 40, 80, 500], [0, 40, 80, 500]),
    "from below 0": ([-80, -40, 0], [-80, -40, 0]),
    "none at all": ([None, None, None], [0, 40, 80]),
    "none in between": ([100, None, 180], [100, 140, 180]),
    "none, then one too early": ([100, None, 120, 180], [100, 140, 141, 180]),
    "the same twice": ([100, 100, 100, 140], [100, 101, 102, 140]),
    "a little back": ([500, 460, 540], [500, 501, 540]),
    "back by a second, no more": ([2000, 1000, 3000], [2000, 2001, 3000]),
}


@pytest.mark.parametrize("what", TIMES)
def test_times_of_a_file(what: str, caplog: pytest.LogCaptureFixture) -> None:
    reported, expected = TIMES[what]
    clock = file_clock()
    assert [clock(timed(pts)) for pts in reported] == expected
    assert len(caplog.records) == (reported != expected), "one notice, however many times are moved"
    assert all("film.mp4: " in record.getMessage() for record in caplog.records)


def test_a_file_that_goes_back_in_time_is_damaged() -> None:
    clock = file_clock()
    clock(timed(5000))
    with pytest.raises(CorruptInputError, match=r"^film.mp4: the time jumps back by 3.0 s; cut the file there$"):
        clock(timed(2000))


def test_a_rate_that_nobody_knows() -> None:
    clock = file_clock(rate=None)
    assert [clock(timed(None)) for _ in range(3)] == [0, 1, 2]


@given(st.lists(st.one_of(st.none(), st.integers(0, 200)), max_size=20))
def test_no_picture_of_a_file_is_lost_and_times_always_increase(reported: list[int | None]) -> None:
    clock = file_clock()
    times = [clock(timed(pts)) for pts in reported]
    assert all(late > early for early, late in itertools.pairwise(times))


@given(st.lists(st.one_of(st.none(), st.integers(-100, 100)), max_size=50))
def test_a_camera_s_pictures_keep_their_times_or_go(reported: list[int | None]) -> None:
    clock = LiveClock()
    kept = []
    for pts in reported:
        time = clock(timed(pts))
        assert time in (None, pts)
        if time is not None:
            kept.append(time)
    assert kept == sorted(set(kept))
    assert bool(kept) == any(pts is not None for pts in reported)
