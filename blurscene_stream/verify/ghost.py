"""Ghosts: faint traces of what a cover hides, found by correlating what was hidden with what OUTPUT shows in its place.

Hidden is INPUT minus its cover, a trace is OUTPUT minus that cover. A codec leaves traces of the cover itself: it
smooths the edges in it, and lets the cover of the frame before stand. Those are taken out by least squares; what is
left of both has a correlation near 0 over a few frames, unless something shows through.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import NO_TRACK, Detections
from blurscene_stream.redact import Region
from blurscene_stream.verify.frame_pair import MIN_CONTRAST, FramePair, Levels, smoothed

WINDOW_FRAMES = 8
"""How many frames of one object are judged together. In single ones honest outputs reach a correlation of 0.71."""
MIN_CORRELATION, PER_NOISE_LEVEL, PER_PIXEL = 0.45, 0.8, 20.0
"""A trace is a ghost from this correlation on; where the codec loses more, from so many times its noise level; and in
small objects, where chance comes to more, from PER_PIXEL / sqrt(pixels of the window). docs/verify.md has what was
measured, by scripts/measure_ghosts.py and on boxes of 8 to 96 px that move over real clips."""
MIN_TRACE = 0.75  # levels RMS that the share of what was hidden comes to: less is lost between two levels of 8 bits
PLAIN_SHARE, PLAIN_CORRELATION = 0.5, (0.8, 0.95)  # from these on, a single frame is enough; the second: at most
SMOOTHINGS_PX = (3, 7)  # of a cover by a codec: a transform block of 4 and one of 8 pixels
MIN_PIXELS = 64  # in a window: an object of 8 x 8 pixels in one frame
HIDDEN, TRACE = 1, 0

Products = NDArray[np.float64]


@dataclass(slots=True)
class Window:
    """Some frames of one object.

    number, time_s, detections, region: of the last frame
    products: sums of products of trace, hidden and what a codec leaves, each of mean 0, float64 (5, 5)
    """

    number: int
    time_s: float
    detections: Detections
    region: Region
    products: Products
    frames: int
    pixels: int

    def merge(self, other: Window) -> None:
        """Take over what another window has summed."""
        self.number, self.time_s = other.number, other.time_s
        self.detections, self.region = other.detections, other.region
        self.products += other.products
        self.frames += other.frames
        self.pixels += other.pixels


class Ghosts:
    """Collects the frames of each object in windows, and tells in which of them it shows through."""

    def __init__(self) -> None:
        self._windows: dict[Hashable, Window] = {}
        self._last: Levels | None = None  # the covers of the frame before
        self._made: dict[int, Window | None] = {}  # of this frame, by the places of its regions in memory

    def is_plain(self, pair: FramePair, region: Region, noise_level: float) -> bool:
        """Return True when most of what is hidden shows in this very frame, the next one to be added."""
        window = self._window(pair, region)
        trace = None if window is None else trace_of(window)
        if window is None or trace is None:
            return False
        least = min(max(PLAIN_CORRELATION[0], _least(window, noise_level)), PLAIN_CORRELATION[1])
        return trace.share > PLAIN_SHARE and trace.correlation > least

    def add(self, pair: FramePair, regions: Sequence[Region], noise_level: float) -> Iterator[Window]:
        """Take some regions of one more frame; yield what shows through in the windows that it completes."""
        for region in regions:
            window = self._window(pair, region)
            if window is not None:
                yield from self._collect(_key(pair, region), window, noise_level)
        self._last, self._made = pair.expected.luma, {}
        gone = [key for key, one in self._windows.items() if key and pair.number - one.number > WINDOW_FRAMES]
        for key in gone:  # what is seen for so short a time is judged together with others of its kind
            yield from self._collect((), self._windows.pop(key), noise_level)

    def finish(self, noise_level: float) -> Iterator[Window]:
        """Yield what shows through in windows that were never complete."""
        for key in [key for key in self._windows if key]:
            yield from self._collect((), self._windows.pop(key), noise_level)
        yield from (one for one in self._windows.values() if shows_through(one, noise_level))

    def _collect(self, key: Hashable, part: Window, noise_level: float) -> Iterator[Window]:
        if key in self._windows:
            self._windows[key].merge(part)
        else:
            self._windows[key] = part
        if self._windows[key].frames >= WINDOW_FRAMES:
            done = self._windows.pop(key)
            if shows_through(done, noise_level):
                yield done

    def _window(self, pair: FramePair, region: Region) -> Window | None:
        if id(region) not in self._made:
            self._made[id(region)] = self._products(pair, region)
        return self._made[id(region)]

    def _products(self, pair: FramePair, region: Region) -> Window | None:
        """Return the products of one region in one frame, of the object alone, without its margin."""
        part = _object(pair, region)
        before, cover, shown = pair.before[part], pair.expected.luma[part], pair.shown.luma[part]
        if not cover.size:
            return None
        last = cover if self._last is None or self._last.shape != pair.before.shape else self._last[part]
        parts = [shown - cover, before - cover, last - cover, *(smoothed(cover, px) - cover for px in SMOOTHINGS_PX)]
        rows = np.stack([(each - each.mean()).ravel() for each in parts]).astype(np.float64)
        return Window(pair.number, pair.time_s, pair.detections, region, rows @ rows.T, 1, cover.size)


@dataclass(frozen=True, slots=True)
class Trace:
    """Trace of hidden content in a window: its share, how sure that is, and how much it is in levels."""

    share: float
    correlation: float
    rms: float


def trace_of(window: Window) -> Trace | None:
    """Return the trace in a window; None when it hides too little to tell."""
    products, codec = window.products, slice(2, None)
    contrast = (products[HIDDEN, HIDDEN] / max(window.pixels, 1)) ** 0.5
    if window.pixels < MIN_PIXELS or contrast < MIN_CONTRAST:
        return None
    ridge = np.eye(len(products) - 2) * (1e-3 * products[TRACE, TRACE] + 1e-6)  # a flat cover has no edges to smooth
    explained = np.linalg.solve(products[codec, codec] + ridge, products[codec, :2])
    left = products[:2, :2] - products[:2, codec] @ explained
    common = abs(float(left[TRACE, HIDDEN]))  # a negative shows as much as a positive
    share = common / max(left[HIDDEN, HIDDEN], 1e-6)
    return Trace(share, common / max(left[0, 0] * left[1, 1], 1e-6) ** 0.5, share * contrast)


def shows_through(window: Window, noise_level: float) -> bool:
    """Return True when the trace in a window is one of what was hidden."""
    trace = trace_of(window)
    if trace is None:
        return False
    return trace.rms > MIN_TRACE and trace.correlation > max(MIN_CORRELATION, _least(window, noise_level))


def _least(window: Window, noise_level: float) -> float:
    """Return the correlation that chance and the codec may come to."""
    return float(max(PER_NOISE_LEVEL * noise_level, PER_PIXEL / window.pixels**0.5))


def _key(pair: FramePair, region: Region) -> Hashable:
    """Return what tells objects apart: the track, or the place of an area; () for objects without a track."""
    if region.index < 0:
        return region.rect
    track_id = int(pair.detections.track_ids[region.index])
    return () if track_id == NO_TRACK else (track_id,)


def _object(pair: FramePair, region: Region) -> tuple[slice, slice]:
    x0, y0, x1, y1 = region.rect
    if region.index >= 0:
        x0, y0, x1, y1 = pair.detections.xyxy[region.index].round().astype(np.intp).clip(0).tolist()
    return slice(y0, y1), slice(x0, x1)
