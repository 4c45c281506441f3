"""Is the picture what the encoder was given, but for what it loses: outside the covered areas, and in them?"""

from __future__ import annotations

import numpy as np

from blurscene_stream.verify.levels import (
    BLOCK_PX,
    COARSE_PX,
    WINDOW_PX,
    Levels,
    Mask,
    area_means,
    deviation,
    window_means,
)
from blurscene_stream.verify.loss import ANOTHER_PICTURE, Loss, nearby
from blurscene_stream.verify.moment import Moment
from blurscene_stream.verify.report import Check, Grade

LIMITS = {"fine": {1: 7.0, 3: 4.0, 5: 2.6}, "coarse": {1: 6.0, 3: 4.0, 5: 3.3}, "colour": {1: 6.0, 3: 4.0, 5: 2.8}}
"""How many times what is usual an error may be: of one window, and on average of 3 x 3 and of 5 x 5. A single window
may be far off, an area of them is not. The most seen in 8,000 honest frames is three quarters of each limit."""
NO_LOSS = 2.5  # times what is allowed: no encoder does that, however much it loses; 1.5 in honest videos at crf 51


class Sameness:
    """Compares what OUTPUT shows with the redacted INPUT, window by window.

    picture: the check of what lies outside the covered areas
    cover:   the check of what lies in them
    loss:    of the codec, in single samples of luma
    """

    def __init__(self, wrong: Grade, codec: str) -> None:
        """`wrong`: what a difference means; `codec`: of OUTPUT's pictures, by ffmpeg's name."""
        self.picture, self.cover = Check("picture"), Check("cover")
        self._wrong = wrong
        self._losses = {kind: Loss(codec) for kind in LIMITS}
        self.loss = self._losses["fine"]
        self._most = {"picture": 0.0, "cover": 0.0}
        self._frames = self._regions = 0

    def look(self, moment: Moment) -> None:
        """One moment more."""
        self._frames += 1
        self._regions += len(moment.regions)
        covered = window_means(moment.covered.astype(np.float32), 1) > 0
        score = self.score(moment, ~covered)
        if self.loss.now > ANOTHER_PICTURE:
            self.picture.add(Grade.fail, "is another picture", moment.number, moment.time_s)
        for check, here in ((self.picture, ~covered), (self.cover, covered)):
            if not here.any():
                continue
            worst = float(score[here].max())
            self._most[check.name] = max(self._most[check.name], worst)
            if worst > 1:
                self._tell(check, moment, np.where(here, score, 0))

    def score(self, moment: Moment, plain: Mask) -> Levels:
        """How far each window is off, in parts of what is allowed, all kinds together; `plain`: uncovered ones."""
        activity = nearby(deviation(moment.hidden.luma, 1))
        colourful = activity * np.float32(0.5) + np.maximum(
            *(nearby(deviation(part, COARSE_PX)) for part in moment.hidden.chroma)
        )
        shown, hidden = moment.shown, moment.hidden
        blue, red = (_rms(part, COARSE_PX) for part in shown.chroma - hidden.chroma)
        parts = (
            self._unusual("fine", _rms(shown.luma - hidden.luma, 1), activity, plain),
            self._unusual("coarse", _rms(shown.coarse - hidden.coarse, COARSE_PX), activity, plain),
            self._unusual("colour", np.maximum(blue, red), colourful, plain),
        )
        return np.maximum(np.maximum(parts[0], parts[1]), parts[2])

    def _unusual(self, kind: str, errors: Levels, activity: Levels, plain: Mask) -> Levels:
        unusual = self._losses[kind].unusual(errors, activity, plain)
        parts = [area_means(unusual, side) / np.float32(limit) for side, limit in LIMITS[kind].items()]
        return np.asarray(np.maximum(np.maximum(parts[0], parts[1]), parts[2]))

    def _tell(self, check: Check, moment: Moment, score: Levels) -> None:
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        x, y = (BLOCK_PX * int(place) + WINDOW_PX // 2 for place in (column, row))
        what = "is not what the redaction makes of it" if check is self.cover else "is not that of INPUT"
        places = np.count_nonzero(score > 1)
        more = f", and in {places - 1:,} places more" if places > 1 else ""
        text = f"the picture near x {x}, y {y} {what}{more}"
        grade = self._wrong if score.max() > NO_LOSS else self.loss.grade(self._wrong)
        check.add(grade, text, moment.number, moment.time_s)

    def finish(self) -> None:
        """Sum up."""
        if not self.loss.tells:
            self.picture.add(Grade.review, "the encoder has lost so much that changes can hardly be told from it")
        outside, inside = (f"error at most {most:.2f} of what is allowed" for most in self._most.values())
        self.picture.summary = f"{self._frames:,} frames outside the covered areas, {outside}"
        self.cover.summary = f"{self._regions:,} covered areas, {inside}"


def _rms(difference: Levels, px: int) -> Levels:
    return np.asarray(np.sqrt(window_means(difference * difference, px)))
