"""CPU and wall-clock time of a loop over frames in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Timing:
    """Milliseconds a frame.

    cpu_ms:   of all threads
    wall_ms:  by the clock
    floor_ms: CPU time of the least that the same work takes; None where that is nothing
    """

    cpu_ms: float
    wall_ms: float
    floor_ms: float | None = None

    def above(self, floor: Timing) -> Timing:
        """Return this with the CPU time of a floor."""
        return replace(self, floor_ms=floor.cpu_ms)


def timed(work: Callable[[], object], frames: int) -> Timing:
    """Do some work for `frames` frames, once."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return Timing(1000 * cpu_s / frames, 1000 * wall_s / frames)
