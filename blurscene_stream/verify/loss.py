"""What a codec loses: learned from the pictures themselves, so that what is no codec's loss stands out.

Where a picture is busy an encoder loses more than where it is flat, and it loses more the lower the quality is. In
windows of 16 x 16 pixels its error is about `loss * (1 + activity) ** 0.7`: one number, `loss`, is the quality, and in
4,000 frames of eleven clips, encoded at crf 20 and 35, no window had more than 3.6 times what nine of ten have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.verify.levels import Levels, Mask
from blurscene_stream.verify.report import Grade

POWER = 0.7
SHARE = 90  # percent of the windows, whose errors are usual
BUSY = 2.0  # windows of less activity are often not encoded at all, and tell nothing of the quality
LEAST_BUSY = 32  # windows
FADING = 0.97  # a frame: a still picture after a moving one has less error, but where something moves as much as before
ROUNDING = 0.5  # levels
NEAR = 2  # windows in each direction: what moves takes its error along
MOST_LOSS = 3.0  # it does not count for more
MOST_TOLD, TOLD = 1.7, {"hevc": 0.95}
"""What x264 loses at crf 40 or so, and x265 at 35; with more, honest videos have errors that look like changes."""
ANOTHER_PICTURE = 6.0  # x264 loses 5 at crf 51, its worst; pictures of different scenes are farther apart
SLACK = {"hevc": 1.5, "av1": 2.5}
"""How much more than those of H.264, MPEG-4 and VP9 the worst errors of a codec differ from its usual ones: SVT-AV1 now
and then leaves a whole block as it was in another frame."""


class Loss:
    """Learns how much is lost, and tells how unusual errors are.

    value: the loss as it is at present
    now:   that of the last picture alone, however large
    worst: what the worst errors go by
    """

    def __init__(self, codec: str) -> None:
        """`codec`: ffmpeg's name, such as "h264"."""
        self.value = self.now = 0.0
        self._slack = SLACK.get(codec, 1.0)
        self._told = TOLD.get(codec, MOST_TOLD)

    @property
    def worst(self) -> float:
        """The loss, as much larger as the codec's worst errors are."""
        return self.value * self._slack

    @property
    def tells(self) -> bool:
        """True when so little is lost that what was changed stands out."""
        return self.value <= self._told

    def grade(self, wrong: Grade) -> Grade:
        """`wrong`, or review where an encoder that loses so much may have done it."""
        return wrong if self.tells else Grade.review

    def unusual(self, errors: Levels, activity: Levels, plain: Mask) -> NDArray[np.float32]:
        """How many times what is usual each error is.

        errors, activity: of the windows of one picture
        plain:            those of them that nothing covers: a wrong cover is not to be taken for loss
        """
        room = (1 + activity) ** np.float32(POWER)
        share, busy = errors / room, activity > BUSY
        telling = next(
            (each for each in (busy & plain, busy) if np.count_nonzero(each) >= LEAST_BUSY), np.ones_like(busy)
        )
        self.now = float(np.percentile(share[telling], SHARE))
        self.value = min(max(self.now, self.value * FADING), MOST_LOSS)
        usual = np.float32(self.value) * room + np.float32(ROUNDING)
        return np.asarray(errors / (usual * np.float32(self._slack)))


def nearby(activity: Levels) -> Levels:
    """The most activity near each window."""
    side = 2 * NEAR + 1
    for axis in (0, 1):
        width = [(NEAR, NEAR) if each == axis else (0, 0) for each in (0, 1)]
        spread = np.pad(activity, width, mode="edge")
        activity = np.lib.stride_tricks.sliding_window_view(spread, side, axis=axis).max(axis=-1)
    return activity
