"""When a tracked object was exposed, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class TrackExposure:
    """One object over a clip.

    label:   index into the detector's classes
    frames:  numbers of the frames in which it counts, rising
    exposed: those of them in which too little of it is covered
    """

    label: int
    frames: list[int] = field(default_factory=list)
    exposed: list[int] = field(default_factory=list)


def frame_ends_s(times_s: Sequence[float], only_s: float) -> list[float]:
    """When each frame leaves the screen: when the next one comes; the last one stays as long as the one before it.

    only_s: how long a frame stays that is the only one
    """
    last_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else only_s
    return [*times_s[1:], times_s[-1] + last_s]


def longest_ms(exposed: Sequence[int], times_s: Sequence[float], ends_s: Sequence[float]) -> float:
    """The longest time on screen of consecutive frames in `exposed` (rising), in milliseconds.

    A frame in which the object does not count ends an exposure: nobody sees it then.
    """
    longest = start = 0.0
    for place, frame in enumerate(exposed):
        if place == 0 or exposed[place - 1] != frame - 1:
            start = times_s[frame]
        longest = max(longest, ends_s[frame] - start)
    return 1000 * longest
