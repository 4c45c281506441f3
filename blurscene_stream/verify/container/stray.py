"""Stray bytes, and the interface between containers, which find packets, and codecs, which take them apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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
    """Takes the packets of a video apart."""

    @property
    def pictures(self) -> int:
        """Return how many pictures the packets so far must show."""

    def header(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for the codec's header of the container, "extradata"."""

    def packet(self, offset: int, data: bytes) -> Iterator[Stray]:
        """Account for one more packet, in the order of the file."""


class OpenVideo(Protocol):
    """Returns what takes the packets of a video apart; of a codec that cannot be taken apart, too."""

    def __call__(self, codec: str, size: tuple[int, int] = (0, 0)) -> CodedVideo:
        """`codec`: FFmpeg's name; `size`: width and height, for a codec that does not say them."""


Texts = Collection[str]
"""The texts that libav has read of a file: keys and values of its tags, titles of chapters, names of attachments."""
