"""Stray bytes, and the interface between containers, which find packets, and codecs, which take them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stray:
    """Bytes of a file that are no picture, no audio and no structure that our muxers and encoders write.

    offset: in the file; in a transport stream, where a packet is cut into pieces, that of its first piece
    length: in bytes
    what:   what is there instead, without any text of the file's
    """

    offset: int
    length: int
    what: str

    def __str__(self) -> str:
        return f"{self.length:,} byte{'' if self.length == 1 else 's'} at offset {self.offset:,}: {self.what}"


class CodedVideo(Protocol):
    """Takes the packets of a video apart.

    pictures: how many pictures the packets so far must show
    """

    pictures: int

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for the codec's header of the container, "extradata"."""

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one more packet, in the order of the file."""


OpenVideo = Callable[[str], CodedVideo]
"""FFmpeg's name of a codec -> what takes its packets; of a codec that cannot be taken apart too."""
