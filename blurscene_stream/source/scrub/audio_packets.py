"""Packets of one audio stream without what is no audio: tags, side data, and bytes in and behind their frames."""

from __future__ import annotations

from typing import Final

from av.packet import Packet
from av.stream import Stream

from blurscene_stream.config.schema import AudioMode
from blurscene_stream.errors import CorruptInputError
from blurscene_stream.source.frames.timestamps import packet_start_s
from blurscene_stream.source.scrub.audio_frames import frame_scrub
from blurscene_stream.streams import CopiedStream

SKIP_SAMPLES: Final = "skip_samples"
FORMAT_SIDE_DATA = (SKIP_SAMPLES, "mpegts_stream_id")
TAGGED_CODECS = ("mp1", "mp2", "mp3", "aac")
ID3V2, TRAILING_TAGS = b"ID3", (b"TAG", b"APETAGEX")  # the second: ID3v1 and APE
ID3_HEADER_BYTES, ID3_HAS_FOOTER = 10, 0x10


class AudioScrubber:
    """Scrubs the packets of one stream, in order.

    Packets that are no frame of the codec are left out, as a recording may begin and end within a frame. In the middle
    of a stream that is to be copied they are an error.

    foreign: packets so far that held what no container writes by itself
    """

    def __init__(self, stream: CopiedStream, name: str, mode: AudioMode, live: bool) -> None:
        """`name`: of the input, for messages; `mode`: what becomes of the audio; `live`: nothing is an error."""
        self._stream, self._name, self._live = stream, name, live
        encoded_again = mode not in (AudioMode.copy, AudioMode.drop) and not mode.is_codec(stream.codec)
        scrub = frame_scrub(stream.codec, stream.extradata, stream.native.codec_context)
        self._frames = None if encoded_again else scrub
        self._begun = False
        self._gap_s: float | None = None
        self.foreign = 0

    def __call__(self, packet: Packet[Stream]) -> Packet[Stream] | None:
        """Return a packet as it may be copied; None for one that holds no audio.

        Raises CorruptInputError.
        """
        before = bytes(packet)
        after = self._scrubbed(packet, before)
        extras = list(packet.iter_sidedata())
        self.foreign += after != before or any(extra.data_type not in FORMAT_SIDE_DATA for extra in extras)
        if not after:
            return None
        if after == before and all(extra.data_type == SKIP_SAMPLES for extra in extras):
            return packet
        scrubbed: Packet[Stream] = Packet(after)
        scrubbed.stream, scrubbed.time_base = packet.stream, packet.time_base
        scrubbed.pts, scrubbed.dts, scrubbed.duration = packet.pts, packet.dts, packet.duration
        scrubbed.is_keyframe = packet.is_keyframe
        for extra in extras:
            if extra.data_type == SKIP_SAMPLES:
                scrubbed.set_sidedata(extra)
        return scrubbed

    def _scrubbed(self, packet: Packet[Stream], data: bytes) -> bytes:
        if self._stream.codec.startswith(TAGGED_CODECS):
            data = without_tags(data)
        if not data or self._frames is None:
            return data
        try:
            data = self._frames(data)
        except (ValueError, IndexError):
            if self._begun and self._gap_s is None:
                self._gap_s = float(packet_start_s(packet))
            return b""
        if self._gap_s is not None and not self._live:
            raise CorruptInputError(self._refusal())
        self._begun = True
        return data

    def _refusal(self) -> str:
        codec = self._stream.codec.removesuffix("float")
        others = " or ".join([*(["aac"] if codec != "aac" else []), "drop"])
        return (
            f"{self._name}: the audio packet at {self._gap_s:.3f} s is no frame of {codec} and may be anything; "
            f"choose --audio {others} (encode.audio); nothing was written"
        )


def without_tags(data: bytes) -> bytes:
    """Cut the tags in front of audio data: ID3v2 (ID3v2.4, 3.1 and 3.4), or ID3v1 and APE, which have a packet alone.

    A frame never begins with these letters; anywhere else they may be audio.
    """
    while data.startswith(ID3V2) and len(data) >= ID3_HEADER_BYTES:
        size = sum(part << shift for part, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        data = data[ID3_HEADER_BYTES * (2 if data[5] & ID3_HAS_FOOTER else 1) + size :]
    return b"" if data.startswith(TRAILING_TAGS) else data
