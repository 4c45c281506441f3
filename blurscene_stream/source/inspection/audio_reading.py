"""Audio of an opened source for those that hold no PyAV objects: payloads, timestamps and decoded waves."""

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
