"""Uncertain objects, large and with scores little above the threshold: their pre-roll and post-roll are short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurscene_stream.frames import PictureInfo
from blurscene_stream.track.motion import States, sizes

SURE_ODDS = 4.0  # of a sure object's best score, in odds of its class's threshold: 0.5 at a threshold of 0.2
LARGE_SHARE = 0.0375  # of the picture's longer side: 48 of 1280 pixels


@dataclass(frozen=True, slots=True)
class UncertaintyLimits:
    """Limits within which an object is uncertain: a best score below `sure_scores`, a size of `large_px` and more.

    Small ones never are: where they are real they score low as well, and covering them takes little room.

    sure_scores: by class id
    large_px:    root of a box's area
    """

    sure_scores: tuple[float, ...]
    large_px: float

    def include(self, class_id: int, best_score: float, state: States) -> bool:
        """Whether an object with this best score, whose box is `state` (4,), is uncertain."""
        return best_score < self.sure_scores[class_id] and float(sizes(state)) >= self.large_px


def uncertainty_limits(thresholds: Sequence[float], picture: PictureInfo) -> UncertaintyLimits:
    """Return the limits for classes with these thresholds (in [0, 1), by class id), in pictures like this one.

    A share of the odds, not of the score: what is sure lies between the threshold and 1 whatever the threshold is.
    """
    odds = [SURE_ODDS * threshold / (1 - threshold) for threshold in thresholds]
    return UncertaintyLimits(
        tuple(each / (1 + each) for each in odds), LARGE_SHARE * max(picture.width, picture.height)
    )
