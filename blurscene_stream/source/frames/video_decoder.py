"""Decoding of the video of a file: all frames that it promises, and which of them are corrupt.

The decoder flags the frame in which data are missing, and no other one. But up to the next key frame every one is
predicted from those before it: corruption spreads. (Measured: of 100 frames that one corrupt packet spoils, 90
bear no flag.)
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.errors import CorruptInputError, SourceError

# One packet is one picture with these, so that a missing picture is a corrupt one. (VP8 and VP9 have hidden
# frames, MPEG-4 part 2 may pack two pictures into a packet.)
ONE_PICTURE_PER_PACKET = ("h264", "hevc", "av1", "mjpeg", "prores", "ffv1", "dnxhd", "mpeg1video", "mpeg2video")
MAX_REORDERED_FRAMES = 16  # that H.264 and HEVC may have out of order (ITU-T H.264, A.3.1)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A frame as the decoder gave it.

    corrupt: it cannot be trusted to show what the camera saw
    """

    frame: VideoFrame
    corrupt: bool = False


class CorruptionMarker:
    """Marks the frames of one stream that are corrupt or predicted from a corrupt one.

    B-frames wait for the frame shown after them, from which they are predicted too.
    """

    def __init__(self) -> None:
        self._corrupt = False
        self._corrupt_pts: int | None = None  # of the last packet in which data are missing
        self._waiting: list[VideoFrame] = []

    def mark_packet(self, packet: Packet[Stream]) -> None:
        """Data are missing in `packet`, which has a time, or before it: nothing is intact before a later key frame."""
        assert packet.pts is not None
        self._corrupt_pts = packet.pts if self._corrupt_pts is None else max(self._corrupt_pts, packet.pts)
        self._corrupt = True

    def push(self, frame: VideoFrame) -> Generator[DecodedFrame]:
        """Take the next frame; yield the B-frames that have waited for it, and the frame itself unless it waits."""
        if frame.pict_type == PictureType.B and len(self._waiting) < MAX_REORDERED_FRAMES and not frame.is_corrupt:
            self._waiting.append(frame)
            return
        before = self._corrupt
        if frame.is_corrupt:
            self._corrupt = True
        elif frame.key_frame and self._is_after_corruption(frame):
            self._corrupt, self._corrupt_pts = False, None
        # what is shown before an intact key frame is predicted from those before it too
        yield from self._release(before or self._corrupt)
        yield DecodedFrame(frame, self._corrupt)

    def flush(self) -> Generator[DecodedFrame]:
        """Yield the frames that still wait, at the end of the stream."""
        yield from self._release(self._corrupt)

    def _is_after_corruption(self, frame: VideoFrame) -> bool:
        return self._corrupt_pts is None or (frame.pts is not None and frame.pts > self._corrupt_pts)

    def _release(self, corrupt: bool) -> Generator[DecodedFrame]:
        while self._waiting:
            yield DecodedFrame(self._waiting.pop(0), corrupt)


class VideoDecoder:
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
