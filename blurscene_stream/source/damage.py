"""Which pictures of a file are damaged: those that the decoder says so of, and those that were made from them.

The decoder flags the picture in which data are missing, and no other one. But up to the next key picture every one is
made from those before it: what is torn stays torn. (Measured: of 100 pictures that one damaged packet spoils, 90 bear
no flag.)
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame

MOST_HELD = 16  # pictures that H.264 and HEVC may have out of order (ITU-T H.264, A.3.1)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture as the decoder gave it.

    damaged: it cannot be trusted to show what the camera saw
    """

    picture: VideoFrame
    damaged: bool = False


class Damage:
    """Tells for each picture of one stream whether it is damaged.

    Pictures that are made from one shown after them (B) wait for it.
    """

    def __init__(self) -> None:
        self._torn = False
        self._since: int | None = None  # the time of the packet in which data are missing
        self._held: list[VideoFrame] = []

    def begin(self, packet: Packet[Stream]) -> None:
        """Data are missing in `packet`, which has a time, or before it: no picture is whole before a later key one."""
        assert packet.pts is not None
        self._since = packet.pts if self._since is None else max(self._since, packet.pts)
        self._torn = True

    def told(self, picture: VideoFrame) -> Generator[Decoded]:
        """The next picture, and those that have waited for it."""
        if picture.pict_type == PictureType.B and len(self._held) < MOST_HELD and not picture.is_corrupt:
            self._held.append(picture)
            return
        before = self._torn
        if picture.is_corrupt:
            self._torn = True
        elif picture.key_frame and self._is_later(picture):
            self._torn, self._since = False, None
        # what is shown before a whole key picture leans on those before it too
        yield from self._released(before or self._torn)
        yield Decoded(picture, self._torn)

    def rest(self) -> Generator[Decoded]:
        """The pictures that still wait, at the end of the stream."""
        yield from self._released(self._torn)

    def _is_later(self, picture: VideoFrame) -> bool:
        return self._since is None or (picture.pts is not None and picture.pts > self._since)

    def _released(self, damaged: bool) -> Generator[Decoded]:
        while self._held:
            yield Decoded(self._held.pop(0), damaged)
