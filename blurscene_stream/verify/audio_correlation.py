"""Whether two stretches of decoded audio are the same one, as far as codecs keep it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.source.inspection.audio_reading import Wave

MIN_CORRELATION = 0.8  # codecs for speech come to 0.97 and more
MAX_GAIN = 2.0  # another level is other audio
SILENCE = 1e-3  # RMS, of full scale
CLOCK_S = 0.001  # Matroska counts in milliseconds, and high tones are out of phase by half of one

WINDOW_S = 0.02
LOW, HIGH = 1 / 12, 1 / 4  # of the sample rate: 4 and 12 kHz of 48; what is higher, codecs leave out or make up
BAND_BINS = 10  # 500 Hz
MIN_LOUDNESS_CORRELATION = 0.95  # 0.966 for applause as MP3, 0.97 to 1 for steady noise; other clips come to 0.89


def correlate(one: Wave, other: Wave, rate: int) -> bool:
    """Return True for the same audio, as far as a codec keeps it, at most CLOCK_S later or earlier."""
    rms = [float(np.sqrt((wave * wave).mean())) if len(wave) else 0.0 for wave in (one, other)]
    if max(rms) < SILENCE:
        return True
    if min(rms) * MAX_GAIN < max(rms):
        return False
    max_lag, best, nearest = round(CLOCK_S * rate), -1.0, 0
    for lag in sorted(range(-max_lag, max_lag + 1), key=abs):  # nearly always the first will do
        product = _product(one, other, lag) / (rms[0] * rms[1])
        if product > MIN_CORRELATION:
            return True
        if product > best:
            best, nearest = product, lag
    return _sound_alike(*_aligned(one, other, nearest), rate)


def _aligned(one: Wave, other: Wave, lag: int) -> tuple[Wave, Wave]:
    """Return the parts of two waves of one length that belong together where the second is `lag` samples later."""
    count = max(0, len(one) - abs(lag))
    return (one[:count], other[lag : lag + count]) if lag > 0 else (one[-lag : count - lag], other[:count])


def _product(one: Wave, other: Wave, lag: int) -> float:
    """Return the mean product of two waves of one length, the second `lag` samples later."""
    early, late = _aligned(one, other, lag)
    return float(early @ late) / len(early) if len(early) else 0.0


def _sound_alike(one: Wave, other: Wave, rate: int) -> bool:
    """Return True for noise as codecs keep it: the wave of low frequencies, and how loud higher ones are, and when."""
    size = round(WINDOW_S * rate)
    low, high = int(LOW * size), int(HIGH * size)
    if low < 2:  # so few samples a second that nothing is left to compare
        return False
    spectra = [np.fft.rfft(wave[: len(wave) // size * size].reshape(-1, size)) for wave in (one, other)]
    waves = [spectrum[:, 1:low] for spectrum in spectra]  # without the offset, which codecs take away
    bands = range(0, high - low, BAND_BINS)
    loudness = [np.sqrt(np.add.reduceat(np.abs(each[:, low:high]) ** 2, bands, axis=1)) for each in spectra]
    return _cosine(*waves) > MIN_CORRELATION and _cosine(*loudness) > MIN_LOUDNESS_CORRELATION


def _cosine(one: NDArray[np.inexact], other: NDArray[np.inexact]) -> float:
    """Return the cosine between two arrays as vectors; 0 where one of them is all zero."""
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.vdot(one, other).real) / norms if norms else 0.0
