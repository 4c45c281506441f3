"""Differences between OUTPUT and the redacted INPUT, above codec noise: outside the covered regions, and in them.

Codec noise is how much an encoder loses, measured on the same frames outside the covered regions. It loses more where a
picture is busy, and more the lower its quality. The RMS error of a window is about `level * (1 + activity) ** 0.7`: one
number, the level, stands for the quality.
"""

from __future__ import annotations

import numpy as np

from blurscene_stream.verify.frame_pair import (
    BLOCK_PX,
    COARSE_PX,
    MIN_CONTRAST,
    WINDOW_PX,
    FramePair,
    Levels,
    Mask,
    nearby_max,
    window_rms,
    window_std,
)
from blurscene_stream.verify.report import Check, Grade

LIMIT = 7.0
"""How many times the usual error the one of a window may be; in 8,000 honest frames the most was 5.3. The mean over
3 x 3 and 5 x 5 windows may be LIMIT / sqrt(side): errors of neighbours go together, or it would be LIMIT / side."""
SIDES = (1, 3, 5)
CERTAIN = 4.5  # times the limit: no encoder errs so much, however low its quality; 2.7 at x264's worst, crf 51

EXPONENT = 0.7  # fits 4,000 frames of eleven clips at crf 20 and 35
PERCENTILE = 90  # of the busier half of the windows: flat ones are often skipped, and tell nothing of the quality
FADING = 0.97  # a frame: after a moving picture a still one has less error, but not where something still moves
ROUNDING = 0.5  # levels
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
        covered = pair.covered_shares > 0
        scores = self._scores(pair, covered)
        if _is_another_picture(pair):
            self.picture.add(Grade.fail, "is another picture", pair.number, pair.time_s)
        for check, part in ((self.picture, ~covered), (self.cover, covered)):
            max_score = float(scores[part].max(initial=0))
            self._max_scores[check.name] = max(self._max_scores[check.name], max_score)
            if max_score > 1:
                self._report(check, pair, np.where(part, scores, 0))

    def _scores(self, pair: FramePair, covered: Mask) -> Levels:
        """Return the error of each window in parts of what is allowed, the worst of three measures.

        Single samples show a change of texture; means of blocks a faint change of a whole area, which single samples
        hide in their noise; chroma another colour.
        """
        expected, shown = pair.expected, pair.shown
        activity = pair.activity
        blue, red = (nearby_max(window_std(part, COARSE_PX)) for part in expected.chroma)
        blue_error, red_error = (window_rms(part, COARSE_PX) for part in shown.chroma - expected.chroma)
        measured: tuple[tuple[CodecNoise, Levels, Levels], ...] = (
            (self.noise, window_rms(shown.luma - expected.luma), activity),
            (self._coarse_noise, window_rms(shown.coarse - expected.coarse, COARSE_PX), activity),
            (self._chroma_noise, np.maximum(blue_error, red_error), _colour(activity, blue, red)),
        )
        scores: Levels = np.zeros_like(activity)
        for noise, errors, busy in measured:
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
