"""Reading of a recorded file from end to end, which does not take the end of the data for success."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.errors import CorruptInputError, SourceError, reason
from blurscene_stream.source.container.completeness import promised_packets
from blurscene_stream.source.container.joined_files import JOINED, begins_again
from blurscene_stream.source.container.mp4_atoms import is_mp4
from blurscene_stream.source.container.mpegts import TimestampOrigin
from blurscene_stream.source.container.opening import complete_size, hold_open
from blurscene_stream.source.container.stream_selection import Selection
from blurscene_stream.source.frames.corruption import CorruptionMarker, DecodedFrame
from blurscene_stream.source.scrub.hidden_audio import HiddenAudioFilter

# One packet is one picture with these, so that a missing picture is a corrupt one. (VP8 and VP9 have hidden
# frames, MPEG-4 part 2 may pack two pictures into a packet.)
ONE_PICTURE_PER_PACKET = ("h264", "hevc", "av1", "mjpeg", "prores", "ffv1", "dnxhd", "mpeg1video", "mpeg2video")


def read_file(container: InputContainer, selection: Selection, path: Path) -> Generator[DecodedFrame | Packet[Stream]]:
    """Yield decoded frames and copied packets, in the order of the file.

    Raises CorruptInputError when the file is cut short or a packet cannot be decoded.
    """
    with hold_open(path) as file:
        size = complete_size(path, file, container)
        end = yield from decode(container, selection, path)
        if file is not None and begins_again(file, container.format.name, end):
            raise CorruptInputError(f"{path}: {JOINED}")
        if complete_size(path, file, container) < size:
            raise CorruptInputError(f"{path}: has become shorter while it was read; nothing was written")


def decode(
    container: InputContainer, selection: Selection, path: Path
) -> Generator[DecodedFrame | Packet[Stream], None, int]:
    """Yield decoded frames and copied packets, in order; return where the last packet ends, in bytes, if that is known.

    Raises CorruptInputError when one cannot be decoded, or there are fewer frames than the container promised.
    """
    video = _VideoDecoder(selection.video, str(path))
    packets = map(TimestampOrigin(container, str(path)), container.demux([selection.video, *selection.packet_streams]))
    audible = {stream.index: HiddenAudioFilter() for stream in selection.packet_streams if stream.type == "audio"}
    last_audio_dts: dict[int, int] = {}
    end = 0
    try:
        for packet in packets:
            end = max(end, (packet.pos or 0) + packet.size)
            if packet.stream.index == selection.video.index:
                yield from video.decode(packet)
            elif packet.size and packet.stream.index in audible:
                for audio in audible[packet.stream.index](packet):
                    _check_audio_dts(audio, last_audio_dts, f"{path}: after {video.decoded} frames")
                    yield audio
            elif packet.size and not packet.is_discard:
                yield packet
        yield from video.flush()
    except (av.error.FFmpegError, OSError) as error:
        raise CorruptInputError(
            f"{path}: damaged after {video.decoded} frames: {reason(error)}; nothing was written"
        ) from error
    video.check_count(promised_packets(selection.video, path) if is_mp4(container.format.name) else 0)
    return end


def _check_audio_dts(packet: Packet[Stream], last_dts: dict[int, int], where: str) -> None:
    """Audio is copied as it is, and no container takes one whose time goes back.

    Raises CorruptInputError.
    """
    if packet.dts is None or packet.time_base is None:
        return
    last = last_dts.get(packet.stream.index, packet.dts)
    if packet.dts < last:
        back_s = float((last - packet.dts) * packet.time_base)
        raise CorruptInputError(
            f"{where} the time of the audio jumps back by {back_s:.3f} s; cut the file there; nothing was written"
        )
    last_dts[packet.stream.index] = packet.dts


class _VideoDecoder:
    """Decodes a video stream, and counts the packets that go in against the frames that come out.

    decoded: frames that came out, so far
    """

    def __init__(self, video: VideoStream, name: str) -> None:
        self._video = video
        self._name = name
        self._packets = 0
        self._shown = 0
        self._early_pts: list[int] = []  # of packets from before the first frame
        self._first_pts: int | None = None
        self._interlaced = False
        self._corruption = CorruptionMarker()
        self.decoded = 0

    def decode(self, packet: Packet[Stream]) -> Generator[DecodedFrame]:
        """Decode one packet.

        Raises CorruptInputError when nobody can tell which frames a corrupt packet is for; libav's own error.
        """
        if packet.is_corrupt:
            if packet.pts is None:
                raise CorruptInputError(f"{self._name}: damaged after {self.decoded} frames; nothing was written")
            self._corruption.mark_packet(packet)
        if packet.size:
            self._packets += 1
            self._shown += not packet.is_discard
            if self._first_pts is None and packet.pts is not None:
                self._early_pts.append(packet.pts)
        for frame in packet.decode():
            assert isinstance(frame, VideoFrame)
            if self._first_pts is None:
                self._first_pts = frame.pts
            self._interlaced |= frame.interlaced_frame
            self.decoded += 1
            yield from self._corruption.push(frame)

    def flush(self) -> Generator[DecodedFrame]:
        """Yield the frames that still wait for others, at the end."""
        yield from self._corruption.flush()

    def check_count(self, promised: int) -> None:
        """Compare what was there, at the end, with what the container promised.

        promised: packets of the video; 0 when it does not say
        Raises CorruptInputError when some are missing, SourceError when there was no frame at all.
        """
        if self.decoded == 0:
            raise SourceError(f"{self._name}: no picture of the video can be decoded; convert it first")
        missing = 0
        if self._video.codec_context.name in ONE_PICTURE_PER_PACKET and not self._interlaced:
            # leading pictures, predicted from ones before the file begins, cannot be decoded, nor does a player show
            # them
            leading = sum(self._first_pts is not None and pts < self._first_pts for pts in self._early_pts)
            missing = self._shown - leading - self.decoded
        if self._packets < promised or missing > 0:
            total = max(promised, self._shown)
            raise CorruptInputError(
                f"{self._name}: only {self.decoded} of {total} frames could be decoded, "
                "the file is cut short or damaged; nothing was written"
            )
