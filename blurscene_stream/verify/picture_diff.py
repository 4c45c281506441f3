"""Differences between OUTPUT and the redacted INPUT, beyond codec noise: outside the covered regions, and in them."""

from __future__ import annotations

import numpy as np

from blurscene_stream.verify.codec_noise import CodecNoise, nearby_max
from blurscene_stream.verify.frame_pair import (
    BLOCK_PX,
    COARSE_PX,
    MIN_CONTRAST,
    WINDOW_PX,
    FramePair,
    Levels,
    Mask,
    window_means,
    window_rms,
    window_std,
)
from blurscene_stream.verify.report import Check, Grade

LIMIT = 7.0
"""How many times the usual error the one of a window may be; in 8,000 honest frames the most was 5.3. The mean over
3 x 3 and 5 x 5 windows may be LIMIT / sqrt(side): errors of neighbours go together, or it would be LIMIT / side."""
SIDES = (1, 3, 5)
CERTAIN = 4.5  # times the limit: no encoder errs so much, however low its quality; 2.7 at x264's worst, crf 51


class PictureDiff:
    """Compares OUTPUT with the redacted INPUT, window by window.

    picture: check of what lies outside the covered regions
    cover:   check of what lies in them
    noise:   of the codec, in single samples of luma
    """

    def __init__(self, wrong: Grade, codec: str) -> None:
        """`wrong`: grade of a difference; `codec`: of OUTPUT's pictures, by FFmpeg's name."""
        self.picture, self.cover = Check("picture"), Check("cover")
        self.noise, self._coarse_noise, self._chroma_noise = (CodecNoise(codec) for _ in range(3))
        self._wrong = wrong
        self._max_scores = {"picture": 0.0, "cover": 0.0}
        self._frames = self._regions = 0

    def add(self, pair: FramePair) -> None:
        """Compare one more frame."""
        self._frames += 1
        self._regions += len(pair.regions)
        covered = window_means(pair.covered.astype(np.float32)) > 0
        scores = self._scores(pair, covered)
        if _is_another_picture(pair):
            self.picture.add(Grade.fail, "is another picture", pair.number, pair.time_s)
        for check, part in ((self.picture, ~covered), (self.cover, covered)):
            max_score = float(scores[part].max(initial=0))
            self._max_scores[check.name] = max(self._max_scores[check.name], max_score)
            if max_score > 1:
                self._report(check, pair, np.where(part, scores, 0))

    def _scores(self, pair: FramePair, covered: Mask) -> Levels:
        """Return the error of each window in parts of what is allowed, the worst of three kinds.

        Single samples show a change of texture; means of blocks a faint change of a whole area, which single samples
        hide in their noise; chroma another colour.
        """
        expected, shown = pair.expected, pair.shown
        activity = nearby_max(window_std(expected.luma))
        blue, red = (nearby_max(window_std(part, COARSE_PX)) for part in expected.chroma)
        blue_error, red_error = (window_rms(part, COARSE_PX) for part in shown.chroma - expected.chroma)
        kinds: tuple[tuple[CodecNoise, Levels, Levels], ...] = (
            (self.noise, window_rms(shown.luma - expected.luma), activity),
            (self._coarse_noise, window_rms(shown.coarse - expected.coarse, COARSE_PX), activity),
            (self._chroma_noise, np.maximum(blue_error, red_error), _colour(activity, blue, red)),
        )
        scores: Levels = np.zeros_like(activity)
        for noise, errors, busy in kinds:
            noise.learn(errors, busy, ~covered)
            ratio: Levels = np.asarray(errors / noise.usual(busy))
            for side in SIDES:
                scores = np.asarray(np.maximum(scores, _area_means(ratio, side) * np.float32(side**0.5 / LIMIT)))
        return scores

    def _report(self, check: Check, pair: FramePair, scores: Levels) -> None:
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        x, y = (BLOCK_PX * int(index) + WINDOW_PX // 2 for index in (column, row))
        what = "is not what the redaction makes of it" if check is self.cover else "is not that of INPUT"
        count = np.count_nonzero(scores > 1)
        more = f", and in {count - 1:,} places more" if count > 1 else ""
        text = f"the picture near x {x}, y {y} {what}{more}"
        grade = self._wrong if scores.max() > CERTAIN else self.noise.grade(self._wrong)
        check.add(grade, text, pair.number, pair.time_s)

    def finish(self) -> None:
        """Sum up."""
        if not self.noise.is_reliable:
            self.picture.add(Grade.review, "the encoder has lost so much that changes can hardly be told from it")
        outside, inside = (f"error at most {score:.2f} of what is allowed" for score in self._max_scores.values())
        self.picture.summary = f"{self._frames:,} frames outside the covered areas, {outside}"
        self.cover.summary = f"{self._regions:,} covered areas, {inside}"


def _is_another_picture(pair: FramePair) -> bool:
    """Return True when a plain grey picture would be nearer to the expected one; encoders come to a third of that."""
    expected = pair.expected.coarse
    deviation = float(expected.std())
    return deviation > MIN_CONTRAST and float(((pair.shown.coarse - expected) ** 2).mean()) > deviation**2


def _colour(activity: Levels, blue: Levels, red: Levels) -> Levels:
    """Return the activity that matters for chroma: encoders take bits from it where luma is busy."""
    return np.asarray(activity / 2 + np.maximum(blue, red))


def _area_means(windows: Levels, side: int) -> Levels:
    """Return the mean of the `side` x `side` windows around each one; 0 where some would lie outside."""
    if side == 1:
        return windows
    means = np.zeros_like(windows)
    if min(windows.shape) >= side:
        sums = np.cumsum(np.cumsum(np.pad(windows.astype(np.float64), ((1, 0), (1, 0))), axis=0), axis=1)
        areas = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        rim = side // 2
        means[rim : rim + areas.shape[0], rim : rim + areas.shape[1]] = areas / side**2
    return means
