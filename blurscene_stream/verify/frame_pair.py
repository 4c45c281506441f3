"""A frame of INPUT beside the same frame of OUTPUT, and the window statistics by which they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.frames import Frame, PictureInfo
from blurscene_stream.redact import Redactor, Region, cover_mask

Levels = NDArray[np.float32]
Mask = NDArray[np.bool_]

COARSE_PX = 4  # block of a coarse picture: the smallest transform of H.264, finer is where codecs lose most
BLOCK_PX = 8
WINDOW_PX = 2 * BLOCK_PX  # a macroblock of H.264; windows overlap by half

NEARER = 0.6
"""A picture shows one content rather than another when its RMS distance to the one is less than this share of that to
the other. Of 3,360 covered regions in 42 honest runs (six real clips; H.264, H.265, AV1 and VP9 at crf 20 to 40) none
did so for what it covers, where the cover changes more than the codec does; regions without cover do at crf 35."""
MIN_CONTRAST = 3.0  # levels RMS between two contents; below, they look the same

NEIGHBOURHOOD = 2  # windows in each direction: motion compensation takes errors along


@dataclass(frozen=True, slots=True, eq=False)
class PictureLevels:
    """Samples of a picture in levels of 8 bits, whatever its pixel format.

    luma:   float32 (height, width)
    coarse: float32, mean luma of each block of COARSE_PX; blocks at the border repeat its samples
    chroma: float32 (2, ...), Cb and Cr of the same blocks
    """

    luma: Levels
    coarse: Levels
    chroma: Levels


@dataclass(frozen=True, slots=True, eq=False)
class FramePair:
    """One frame of both videos.

    number, time_s: in INPUT
    before:         luma of INPUT
    expected:       INPUT after redaction
    shown:          OUTPUT
    detections:     what must be covered
    regions:        what is covered: areas, and the region of each of `detections` that lies in the picture
    covered:        bool (height, width), the pixels in them
    covered_shares: of each window
    activity:       of `expected`, the highest in the neighbourhood of each window
    frame:          of OUTPUT
    """

    number: int
    time_s: float
    before: Levels
    expected: PictureLevels
    shown: PictureLevels
    detections: Detections
    regions: Sequence[Region]
    covered: Mask
    covered_shares: Levels
    activity: Levels
    frame: Frame

    @property
    def picture(self) -> PictureInfo:
        """The shape of both pictures."""
        return self.frame.picture


class FramePairer:
    """Redacts INPUT again, by the code and settings of a run, to know what OUTPUT must show."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, frame: Frame, detections: Detections, time_s: float, shown: Frame) -> FramePair:
        """Pair `frame` of INPUT, whose planes are redacted in place, with `shown` of OUTPUT.

        Raises RedactionError, ConfigError for an area that lies outside the picture.
        """
        frame = frame.owned()  # else redaction writes to a copy that is not seen here
        before = _levels(frame.planes[0], frame)
        kept = self._redactor(frame, detections).detections
        if frame.corrupt:  # it is covered as a whole, whatever was found in it
            kept = Detections.empty(kept.class_names)
        regions = self._redactor.regions(frame.picture, detections, frame.corrupt)
        expected, covered = picture_levels(frame), cover_mask(frame.picture, regions)
        return FramePair(
            number=frame.number,
            time_s=time_s,
            before=before,
            expected=expected,
            shown=picture_levels(shown),
            detections=kept,
            regions=regions,
            covered=covered,
            covered_shares=window_means(covered.astype(np.float32)),
            activity=nearby_max(window_std(expected.luma)),
            frame=shown,
        )


def picture_levels(frame: Frame) -> PictureLevels:
    """Copy the samples of `frame`, scaled to 8 bits."""
    form = frame.picture.pixel_format
    luma = _levels(frame.planes[0], frame)
    parts = [frame.planes[1][..., 0], frame.planes[1][..., 1]] if form.interleaved else list(frame.planes[1:3])
    block = (COARSE_PX >> form.shift_y, COARSE_PX >> form.shift_x)
    chroma = [block_means(_levels(part, frame), *block, COARSE_PX) for part in parts]
    return PictureLevels(luma, block_means(luma, COARSE_PX, COARSE_PX, COARSE_PX), np.stack(chroma))


def _levels(samples: NDArray[np.uint8] | NDArray[np.uint16], frame: Frame) -> Levels:
    """Return a copy of samples, scaled to 8 bits."""
    levels = samples.astype(np.float32)
    if (unit := 1 << (frame.picture.pixel_format.bits - 8)) > 1:
        levels /= np.float32(unit)
    return levels


def shows(shown: Levels, content: Levels, other: Levels, min_contrast: float = MIN_CONTRAST) -> bool:
    """Return True when `shown` shows `content` rather than `other`; False where these two hardly differ."""
    if not shown.size or float(((content - other) ** 2).mean()) < min_contrast**2:
        return False
    return float(((shown - content) ** 2).mean()) < NEARER**2 * float(((shown - other) ** 2).mean())


def block_means(samples: Levels, rows: int, columns: int, block_px: int) -> Levels:
    """Return the mean of each block of `rows` x `columns` samples, for whole windows; the border is repeated.

    block_px: size of such a block in pixels of the picture
    """
    per_window = WINDOW_PX // block_px
    height, width = (
        -(-length // (size * per_window)) * size * per_window
        for length, size in zip(samples.shape, (rows, columns), strict=True)
    )
    padding = ((0, height - samples.shape[0]), (0, width - samples.shape[1]))
    padded = np.pad(samples, padding, mode="edge") if (height, width) != samples.shape else samples
    strips = padded.reshape(height // rows, rows, width).sum(axis=1, dtype=np.float32)
    blocks = strips[:, ::columns].copy()
    for column in range(1, columns):  # NumPy adds long rows, and is slow with many sums of a few numbers
        blocks += strips[:, column::columns]
    return np.asarray(blocks / np.float32(rows * columns), np.float32)


def window_means(samples: Levels, px: int = 1) -> Levels:
    """Return the mean in each window of WINDOW_PX, which overlap by half, of samples of `px` x `px` pixels each."""
    side = BLOCK_PX // px
    blocks = block_means(samples, side, side, BLOCK_PX)
    rows = blocks[:-1] + blocks[1:]
    return np.asarray((rows[:, :-1] + rows[:, 1:]) / np.float32(4), np.float32)


def window_rms(samples: Levels, px: int = 1) -> Levels:
    """Return the root mean square in each window, likewise."""
    return np.asarray(np.sqrt(window_means(samples * samples, px)))


def window_std(samples: Levels, px: int = 1) -> Levels:
    """Return the standard deviation in each window, likewise."""
    mean = window_means(samples, px)
    return np.asarray(np.sqrt(np.maximum(window_means(samples * samples, px) - mean * mean, 0)), np.float32)


def nearby_max(activity: Levels) -> Levels:
    """Return the highest activity in the neighbourhood of each window."""
    for axis, length in enumerate(activity.shape):
        width = [(NEIGHBOURHOOD, NEIGHBOURHOOD) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(activity, width, mode="edge")
        activity = padded.take(range(length), axis)
        for shift in range(1, 2 * NEIGHBOURHOOD + 1):
            np.maximum(activity, padded.take(range(shift, shift + length), axis), out=activity)
    return activity


def smoothed(samples: Levels, side: int) -> Levels:
    """Return the mean of the `side` x `side` samples around each one, `side` odd; the border is repeated."""
    for axis in (0, 1):
        half = side // 2
        padded = np.pad(samples, [(half + 1, half) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        sums = np.cumsum(padded, axis=axis, dtype=np.float64)
        count = samples.shape[axis]
        low, high = sums.take(range(count), axis), sums.take(range(side, side + count), axis)
        samples = np.asarray((high - low) / side, np.float32)
    return samples
