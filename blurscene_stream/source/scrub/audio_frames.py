"""Audio packets as whole frames of their codec, each cut where its own header says that it ends.

What lies behind a frame no decoder reads, so that it may be anything, pictures too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec import CodecContext
from av.packet import Packet

from blurscene_stream.source.scrub.aac_frames import RawDataBlock
from blurscene_stream.source.scrub.audio_headers import core_rate_index
from blurscene_stream.source.scrub.opus_packets import scrub_opus

HEADER_BYTES = 8  # enough for every codec
FrameBytes = Callable[[bytes], int]
"""Returns the bytes of the frame that begins with a header. Raises ValueError or IndexError when it is none."""
Scrub = Callable[[bytes], bytes]
"""Returns a packet without what is no audio. Raises ValueError or IndexError when it is no frame of its codec."""

# MPEG audio (ISO/IEC 11172-3, 2.4.2.3, and 13818-3, 2.4.2.3): kbit/s by layer, of MPEG-1 and of MPEG-2 and 2.5
BIT_RATES_1 = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
LOW_BIT_RATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
BIT_RATES_2 = {1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256), 2: LOW_BIT_RATES, 3: LOW_BIT_RATES}
MPEG_RATES_HZ = (44_100, 48_000, 32_000)
MPEG_2_5, MPEG_1 = 0, 3

# AC-3 (ETSI TS 102 366, 4.3 and table 4.13; annex E, E.1.3.1)
AC3_SYNC = b"\x0b\x77"
AC3_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
LAST_AC3_BSID, LAST_EAC3_BSID = 10, 16
AC3_SAMPLES = 1536

# ADTS, the frames of AAC in a stream without a header (ISO/IEC 14496-3, 1.A.2.2)
ADTS_LC = 1
ADTS_BYTES, ADTS_CRC_BYTES = 7, 2
NO_CRC: Final = 0x01

# AMR (3GPP TS 26.101, annex A, and 26.201, annex A; RFC 4867, 5.3): bytes of a frame by its type, with its first one
AMR_NB_BYTES = {**dict(enumerate((13, 14, 16, 18, 20, 21, 27, 32, 6))), 15: 1}
AMR_WB_BYTES = {**dict(enumerate((18, 24, 33, 37, 41, 47, 51, 59, 61, 6))), 14: 1, 15: 1}

SAMPLES = ("g722", "g723_1", "g726", "g726le", "g729", "gsm", "gsm_ms", "s302m")
"""Codecs of which each byte is heard, beside PCM."""
UNDELIMITED = ("vorbis", "libvorbis", "flac", "alac")
"""Codecs whose frames only a decoder knows the end of."""

TAIL_BYTES = 16  # looked at together: a checksum may be among them, which decoders do not compare
INVERTED = bytes(range(255, -1, -1))


def frame_scrub(codec: str, extradata: bytes | None, native: Any) -> Scrub | None:
    """Return what scrubs the packets of a stream; None for a codec whose packets cannot be accounted for.

    codec:     ffmpeg's name
    extradata: what the container says of the codec, scrubbed
    native:    PyAV's codec context of the stream
    Raises IndexError when the extradata is too short.
    """
    if codec.startswith(("pcm_", "adpcm_")) or codec in SAMPLES:
        return _every_byte
    if codec in ("opus", "libopus"):
        return lambda data: scrub_opus(data, extradata)
    if codec in ("aac", "aac_fixed"):
        rate_index = core_rate_index(extradata) if extradata else None
        return None if extradata and rate_index is None else lambda data: scrub_aac(data, rate_index)
    if codec in UNDELIMITED:
        return UnheardBytes(codec, extradata, native)
    frame_bytes = FRAME_BYTES.get(codec)
    return frame_bytes and (lambda data: b"".join(split_frames(data, frame_bytes)))


def _every_byte(data: bytes) -> bytes:
    """Return the packet of a codec of which each byte is heard."""
    return data


def split_frames(data: bytes, frame_bytes: FrameBytes) -> list[bytes]:
    """Return the frames that a packet begins with, else those that it ends with.

    FFmpeg's parsers give what lies between two frames together with the second one.
    Raises ValueError when there is none.
    """
    if frames := _frames_at(data, 0, frame_bytes):
        return frames
    for start in range(1, len(data)):
        frames = _frames_at(data, start, frame_bytes)
        if frames and start + sum(map(len, frames)) == len(data):
            return frames
    raise ValueError


def _frames_at(data: bytes, start: int, frame_bytes: FrameBytes) -> list[bytes]:
    frames = []
    try:
        while start < len(data) and (end := start + frame_bytes(data[start : start + HEADER_BYTES])) <= len(data):
            frames.append(data[start:end])
            start = end
    except (ValueError, IndexError):  # no frame
        pass
    return frames


def scrub_aac(data: bytes, rate_index: int | None) -> bytes:
    """Return the frames of a packet without what lies in and behind them that is no audio.

    rate_index: of the stream's header; None where there is none, and each frame has its own (ADTS)
    Raises ValueError or IndexError when these are no frames of AAC LC.
    """
    if rate_index is not None:
        return RawDataBlock(data, rate_index).scrubbed()
    return b"".join(_scrub_adts(frame) for frame in split_frames(data, _adts_bytes))


def _scrub_adts(frame: bytes) -> bytes:
    before = frame[_adts_header_bytes(frame) :]
    after = RawDataBlock(before, frame[2] >> 2 & 15).scrubbed()
    return frame if after == before else _adts_header(frame, len(after)) + after


def without_adts(data: bytes) -> bytes:
    """Strip the ADTS header that transport streams put before each AAC packet."""
    if len(data) < ADTS_BYTES or not _is_adts(data) or _adts_length(data) != len(data):
        return data
    return data[_adts_header_bytes(data) :]


def _adts_bytes(header: bytes) -> int:
    """Return the bytes of the frame that begins with `header`, one of AAC LC with one block."""
    if not _is_adts(header) or header[2] >> 6 != ADTS_LC or header[6] & 3:
        raise ValueError
    return max(_adts_length(header), ADTS_BYTES)


def _is_adts(header: bytes) -> bool:
    return header[0] == 0xFF and header[1] & 0xF6 == 0xF0


def _adts_length(header: bytes) -> int:
    """Return aac_frame_length, in bytes, the header among them."""
    return int.from_bytes(header[3:6], "big") >> 5 & 0x1FFF


def _adts_header_bytes(header: bytes) -> int:
    return ADTS_BYTES + (0 if header[1] & NO_CRC else ADTS_CRC_BYTES)


def _adts_header(data: bytes, size: int) -> bytes:
    """Return the header for a frame of another size, without checksum."""
    fields = int.from_bytes(data[:ADTS_BYTES], "big") | NO_CRC << 40
    return (fields & ~(0x1FFF << 13) | ADTS_BYTES + size << 13).to_bytes(ADTS_BYTES, "big")


def _mpeg_bytes(data: bytes) -> int:
    if data[0] != 0xFF or data[1] < 0xE0:
        raise ValueError
    version, layer = data[1] >> 3 & 3, 4 - (data[1] >> 1 & 3)
    rate_hz = MPEG_RATES_HZ[data[2] >> 2 & 3]
    if version == 1 or layer == 4 or not 0 < data[2] >> 4 < 15:
        raise ValueError
    bit_rate = 1000 * (BIT_RATES_1 if version == MPEG_1 else BIT_RATES_2)[layer][(data[2] >> 4) - 1]
    rate_hz >>= 0 if version == MPEG_1 else 2 if version == MPEG_2_5 else 1
    padding = data[2] >> 1 & 1
    if layer == 1:
        return (12 * bit_rate // rate_hz + padding) * 4
    return (72 if layer == 3 and version != MPEG_1 else 144) * bit_rate // rate_hz + padding


def _ac3_bytes(data: bytes) -> int:
    if data[:2] != AC3_SYNC or (bsid := data[5] >> 3) > LAST_EAC3_BSID:
        raise ValueError
    if bsid > LAST_AC3_BSID:
        return 2 * (1 + (int.from_bytes(data[2:4], "big") & 0x7FF))
    rate, code = data[4] >> 6, data[4] & 0x3F
    rate_hz = (48_000, 44_100, 32_000)[rate]
    words = AC3_BIT_RATES[code >> 1] * 1000 * AC3_SAMPLES // (16 * rate_hz)
    return 2 * (words + (code & 1 if rate == 1 else 0))


def _amr_nb_bytes(data: bytes) -> int:
    return _amr_bytes(data, AMR_NB_BYTES)


def _amr_wb_bytes(data: bytes) -> int:
    return _amr_bytes(data, AMR_WB_BYTES)


def _amr_bytes(data: bytes, sizes: dict[int, int]) -> int:
    if data[0] & 0x83 or (size := sizes.get(data[0] >> 3)) is None:  # padding bits, which are 0
        raise ValueError
    return size


FRAME_BYTES: dict[str, FrameBytes] = {
    **dict.fromkeys(("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float"), _mpeg_bytes),
    **dict.fromkeys(("ac3", "ac3_fixed", "eac3"), _ac3_bytes),
    **dict.fromkeys(("amrnb", "amr_nb", "libopencore_amrnb"), _amr_nb_bytes),
    **dict.fromkeys(("amrwb", "amr_wb", "libopencore_amrwb"), _amr_wb_bytes),
}


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
