"""Audio of an opened source for those that hold no PyAV objects: payloads, timestamps and decoded samples."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.frames import CopiedPacket
from blurscene_stream.source.frames.timestamps import fraction
from blurscene_stream.source.scrub.audio_frames import without_adts
from blurscene_stream.streams import CopiedStream

Wave = NDArray[np.float32]

GAP_S = 0.004  # a longer jump in time is a gap


def has_extra_header(stream: CopiedStream) -> bool:
    """Return True when the codec header of an audio stream holds more than decoding needs."""
    header = stream.native.codec_context.extradata
    return bool(header) and bytes(header) != stream.extradata


def start_s(packet: CopiedPacket) -> Fraction | None:
    """Return the presentation time of a packet in seconds."""
    native = packet.native
    return None if native.pts is None or not native.time_base else native.pts * fraction(native.time_base)


def payload(packet: CopiedPacket, codec: str) -> bytes:
    """Return the coded audio of a packet; AAC without ADTS header. `codec`: FFmpeg's name."""
    data = bytes(packet.native)
    return without_adts(data) if codec == "aac" else data


class AudioDecoder:
    """Decodes an audio stream to mono.

    rate: samples a second
    """

    def __init__(self, stream: CopiedStream) -> None:
        self._context = stream.native.codec_context
        self.rate = int(self._context.sample_rate)

    def decode(self, packet: CopiedPacket | None) -> Iterator[tuple[Fraction | None, Wave]]:
        """Yield start in seconds and samples, full scale 1, of each frame of a packet; None flushes the decoder."""
        for frame in self._context.decode(packet and packet.native):
            yield None if frame.pts is None else frame.pts * fraction(frame.time_base), _mono(frame)


class DecodedTrack:
    """Decoded samples of a track, in one channel.

    start_s: time of the first sample; None before it is decoded
    gaps_s:  length of all gaps together
    """

    def __init__(self, decoder: AudioDecoder) -> None:
        self._decoder, self._rate = decoder, decoder.rate
        self.start_s: Fraction | None = None
        self.gaps_s = Fraction(0)
        self._buffer: Wave = np.zeros(0, np.float32)
        self._forgotten = 0  # samples

    @property
    def end_s(self) -> Fraction:
        """Time after the last sample that was decoded."""
        assert self.start_s is not None
        return self.start_s + Fraction(self._forgotten + len(self._buffer), self._rate)

    def add(self, packet: CopiedPacket | None) -> None:
        """Decode one more packet; None: there are no more."""
        for at_s, wave in self._decoder.decode(packet):
            if self.start_s is None:
                self.start_s = at_s or Fraction(0)
            gap = 0 if at_s is None else int((at_s - self.end_s) * self._rate)
            gap = gap if gap > GAP_S * self._rate else 0
            self.gaps_s += Fraction(gap, self._rate)
            self._buffer = np.concatenate((self._buffer, np.zeros(gap, np.float32), wave))

    def forget(self, until_s: Fraction) -> None:
        """Drop what comes before `until_s`."""
        assert self.start_s is not None
        count = max(0, int((until_s - self.start_s) * self._rate) - self._forgotten)
        self._buffer = self._buffer[count:]
        self._forgotten += count

    def samples(self, at_s: Fraction, rate: int, count: int) -> Wave:
        """Return `count` samples from `at_s` on, resampled to `rate`, which is not higher than the track's."""
        assert self.start_s is not None
        first = float((at_s - self.start_s) * self._rate) - self._forgotten
        if rate == self._rate:
            start = max(0, round(first))
            return self._buffer[start : start + count]
        positions = first + np.arange(count) * (self._rate / rate)
        start = max(0, int(positions[0]) - 1)
        near = self._buffer[start : int(positions[-1]) + 2]
        width = max(1, round(self._rate / rate))
        smooth = np.convolve(near, np.full(width, 1 / width, np.float32), mode="same")
        return np.asarray(np.interp(positions - start, np.arange(len(smooth)), smooth), np.float32)


def _mono(frame: Any) -> Wave:
    """Return the mean of the channels, full scale 1."""
    samples = frame.to_ndarray()
    channels = samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        wave = (channels.astype(np.float32) - 128) / 128
    elif np.issubdtype(samples.dtype, np.integer):
        wave = channels.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    else:
        wave = channels.astype(np.float32)
    return np.asarray(wave.mean(axis=0))
