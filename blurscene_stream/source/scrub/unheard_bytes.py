"""Bytes at the end of an audio packet that no decoder reads, for codecs whose frames do not tell how long they are."""

from __future__ import annotations

from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec import CodecContext
from av.packet import Packet

TAIL_BYTES = 16  # looked at together: a checksum may be among them, which decoders do not compare
INVERTED = bytes(range(255, -1, -1))


class UnheardBytes:
    """Refuses packets that sound the same with other bytes at the end.

    At most TAIL_BYTES of a packet, and zeros behind them, may have another purpose.
    """

    def __init__(self, codec: str, extradata: bytes | None, native: Any) -> None:
        """`native`: PyAV's codec context of the stream, for rate and layout."""
        self._codec, self._extradata, self._native = codec, extradata, native
        self._decoder: AudioCodecContext | None = None

    def __call__(self, data: bytes) -> bytes:
        """Return the packet. Raises ValueError when it cannot be decoded, or its end is not heard."""
        self._decode(data)  # frames overlap: now the decoder has the one before
        heard = self._decode(data)
        used = data.rstrip(b"\0")
        other = used[:-TAIL_BYTES] + used[-TAIL_BYTES:].translate(INVERTED) + data[len(used) :]
        if not heard or self._sounds(other) == heard:
            raise ValueError
        return data

    def _sounds(self, data: bytes) -> list[bytes] | None:
        """Return the samples; None where there are none."""
        try:
            return self._decode(data)
        except ValueError:
            return None

    def _decode(self, data: bytes) -> list[bytes]:
        try:
            frames = self._open().decode(Packet(data))
        except av.error.FFmpegError as error:
            raise ValueError from error
        return [frame.to_ndarray().tobytes() for frame in frames]

    def _open(self) -> AudioCodecContext:
        if self._decoder is None:
            decoder = CodecContext.create(self._codec, "r")
            assert isinstance(decoder, AudioCodecContext)
            decoder.extradata = self._extradata
            decoder.sample_rate, decoder.layout = self._native.sample_rate, self._native.layout
            self._decoder = decoder
        return self._decoder
