"""Presentation times: as the source tells them, made usable where it tells nonsense."""

import logging
from collections.abc import Callable
from fractions import Fraction

from av.video.frame import VideoFrame

from blurscene_stream.errors import CorruptInputError

log = logging.getLogger(__name__)

Clock = Callable[[VideoFrame], int | None]
"""The time of a picture in ticks of its stream; None when the picture must be dropped whole."""

LARGEST_STEP_BACK_S = 1.0


class FileClock:
    """Every picture of a file has its place in time: none is dropped.

    A picture without a time follows the one before at the average rate; one that does not come after the
    one before is moved by the least amount. A jump back that is longer ends the run.
    """

    def __init__(self, name: str, time_base: Fraction, frame_rate: Fraction | None) -> None:
        self._name = name
        self._time_base = time_base
        self._ticks = max(1, round(1 / (frame_rate * time_base))) if frame_rate else 1
        self._last: int | None = None
        self._warned = False

    def __call__(self, decoded: VideoFrame) -> int:
        """The time of the next picture. Raises CorruptInputError at a jump back."""
        pts = decoded.pts
        if pts is None:
            self._warn("pictures without a time are placed at the average rate")
            pts = 0 if self._last is None else self._last + self._ticks
        elif self._last is not None and pts <= self._last:
            back_s = float((self._last - pts) * self._time_base)
            if back_s > LARGEST_STEP_BACK_S:
                raise CorruptInputError(f"{self._name}: the time jumps back by {back_s:.1f} s; cut the file there")
            self._warn("times that do not increase are moved by one tick")
            pts = self._last + 1
        self._last = pts
        return pts

    def _warn(self, what: str) -> None:
        if not self._warned:
            log.warning("%s: %s", self._name, what)
        self._warned = True


class LiveClock:
    """A camera's clock is not known before its first report, and may step back with it: such pictures go."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, decoded: VideoFrame) -> int | None:
        """The time of the next picture, None when it has none that can be used."""
        pts = decoded.pts
        if pts is None or (self._last is not None and pts <= self._last):
            return None
        self._last = pts
        return pts
