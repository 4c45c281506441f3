"""Codec noise: how much an encoder loses, measured on the same frames outside the covered regions.

An encoder loses more where a picture is busy, and more the lower its quality. The RMS error of a window is about
`level * (1 + activity) ** 0.7`: one number, the level, stands for the quality.
"""

from __future__ import annotations

import numpy as np

from blurscene_stream.verify.frame_pair import Levels, Mask
from blurscene_stream.verify.report import Grade

EXPONENT = 0.7  # fits 4,000 frames of eleven clips at crf 20 and 35
PERCENTILE = 90  # of the busier half of the windows: flat ones are often skipped, and tell nothing of the quality
FADING = 0.97  # a frame: after a moving picture a still one has less error, but not where something still moves
ROUNDING = 0.5  # levels
NEIGHBOURHOOD = 2  # windows in each direction: motion compensation takes errors along
SPREAD = {"hevc": 1.5, "av1": 2.5}
"""How much farther than with H.264, MPEG-4 and VP9 the worst errors are from the usual ones: SVT-AV1 now and then
leaves a whole block as it was in another frame."""
MAX_LEVEL = 1.7  # x264's at crf 40: beyond it, errors of honest encoders look like changes


class CodecNoise:
    """Learns the noise level of a codec.

    level: as it is now, at most MAX_LEVEL; times the spread of the codec
    """

    def __init__(self, codec: str) -> None:
        """`codec`: FFmpeg's name, such as "h264"."""
        self.level = 0.0
        self._spread = SPREAD.get(codec, 1.0)

    @property
    def is_reliable(self) -> bool:
        """True while so little is lost that changes stand out."""
        return self.level < MAX_LEVEL

    def grade(self, wrong: Grade) -> Grade:
        """Return `wrong`, or review where an encoder that loses so much may be the cause."""
        return wrong if self.is_reliable else Grade.review

    def learn(self, errors: Levels, activity: Levels, uncovered: Mask) -> None:
        """Learn from the errors of the windows of one picture.

        uncovered: windows without covers, which a wrong cover cannot disturb; where there are none, all count
        """
        telling = uncovered if uncovered.any() else np.ones_like(uncovered)
        busier = telling & (activity >= np.median(activity[telling]))
        now = float(np.percentile(errors[busier] / _room(activity[busier]), PERCENTILE)) * self._spread
        self.level = min(max(now, self.level * FADING), MAX_LEVEL)

    def usual(self, activity: Levels) -> Levels:
        """Return the error that is usual where a picture is so busy."""
        return np.asarray(np.float32(self.level) * _room(activity) + np.float32(ROUNDING * self._spread))


def _room(activity: Levels) -> Levels:
    return np.asarray((1 + activity) ** np.float32(EXPONENT))


def nearby_max(activity: Levels) -> Levels:
    """Return the highest activity in the neighbourhood of each window."""
    side = 2 * NEIGHBOURHOOD + 1
    for axis in (0, 1):
        width = [(NEIGHBOURHOOD, NEIGHBOURHOOD) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(activity, width, mode="edge")
        activity = np.lib.stride_tricks.sliding_window_view(padded, side, axis=axis).max(axis=-1)
    return activity
