"""Corrupt frames of a file: those that the decoder flags, and those that were predicted from them.

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
