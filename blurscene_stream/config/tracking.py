"""The settings of the tracker: how boxes are followed over time, and how far boxes are added between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from blurscene_stream.config.rules import between, check, within
from blurscene_stream.errors import ConfigError


@dataclass
class TrackConfig:
    """How objects are followed over time. It only ever adds boxes."""

    enabled: Annotated[bool, "cover objects also in the frames in which the detector missed them"] = True
    lookahead_s: Annotated[
        float, "seconds that a frame waits for later ones to tell what is in it", within("[0, 10]")
    ] = 0.5
    lookahead_frames: Annotated[int, "frames that wait at most, whatever lookahead_s says", between(1, 4096)] = 128
    max_gap_s: Annotated[
        float,
        "seconds, 1 frame at least, for which an object may be missed and is covered when it is back; 0: none",
        within("[0, 20]"),
    ] = 0.8
    post_roll_s: Annotated[
        float,
        "seconds, 1 frame at least, for which an object is covered after it was last seen; 0: none",
        within("[0, 10]"),
    ] = 0.3
    pre_roll_s: Annotated[
        float, "seconds, 1 frame at least, for which it is covered before it was first seen; 0: none", within("[0, 10]")
    ] = 0.3
    low_score_ratio: Annotated[
        float, "share of the class's threshold that a box needs to continue an object", within("(0, 1]")
    ] = 0.35

    @property
    def covered_gap_s(self) -> float:
        """Seconds between two looks in which nothing stays open, whatever came, went or stayed in between.

        What was seen in both is filled in, what only the first saw is held, what only the second saw is led in.
        """
        return min(self.max_gap_s, self.post_roll_s, self.pre_roll_s)

    def __post_init__(self) -> None:
        check(self, "track.")
        if self.pre_roll_s > self.lookahead_s:
            raise ConfigError(
                f"track.pre_roll_s must not be above track.lookahead_s, {self.lookahead_s:g}, got {self.pre_roll_s:g}"
            )
        if self.max_gap_s > self.post_roll_s + self.lookahead_s:
            raise ConfigError(
                f"track.max_gap_s must not be above track.post_roll_s + track.lookahead_s, "
                f"{self.post_roll_s + self.lookahead_s:g}, got {self.max_gap_s:g}"
            )
