"""Byte accounting of a whole file, by its container; and whether all coded pictures are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from blurscene_stream.source.container.ebml import EBML_HEADER
from blurscene_stream.source.container.mpegts import PACKET_BYTES, SYNC_BYTES, packet_bytes
from blurscene_stream.source.inspection.output_metadata import texts_read
from blurscene_stream.verify.container.coded_video import OtherVideo, coded_video
from blurscene_stream.verify.container.matroska import MatroskaBytes
from blurscene_stream.verify.container.mp4 import Mp4Bytes
from blurscene_stream.verify.container.mpegts import MpegtsBytes
from blurscene_stream.verify.container.stray import CodedVideo, OpenVideo, Stray, Texts
from blurscene_stream.verify.report import Check, Grade


class ContainerBytes(Protocol):
    """Accounts for the bytes of a file of one container.

    packets: how many packets were found that are no video
    """

    packets: int

    def strays(self) -> Iterator[Stray]:
        """Yield what nothing accounts for."""


OPEN: dict[str, Callable[[BinaryIO, int, OpenVideo, Texts], ContainerBytes]] = {
    "mp4": Mp4Bytes,
    "matroska": MatroskaBytes,
    "mpegts": MpegtsBytes,
}


class ByteAccount:
    """The check of a file's bytes.

    check: what was found
    """

    def __init__(self) -> None:
        self.check = Check("bytes")
        self._videos: list[CodedVideo] = []

    def open_video(self, codec: str, size: tuple[int, int] = (0, 0)) -> CodedVideo:
        """Return what takes the packets of one more video apart."""
        self._videos.append(coded_video(codec, size))
        return self._videos[-1]

    def read(self, path: Path) -> None:
        """Account for every byte of a file. Raises OSError when it cannot be read."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            name = _container(file.read(SYNC_BYTES))
            if name is None:
                self.check.summary = f"{size:,} bytes, none accounted for"
                self.check.add(Grade.review, "no run writes such a container: what else is in it is not seen")
                return
            container = OPEN[name](file, size, self.open_video, texts_read(path))
            for stray in container.strays():
                self.check.add(Grade.fail, str(stray))
        pictures = sum(video.pictures for video in self._videos)
        self.check.summary = f"{size:,} bytes, {pictures:,} pictures and {container.packets:,} other packets"
        for video in self._videos:
            if isinstance(video, OtherVideo):
                text = f"no run writes pictures of {video.codec}: what else is in their packets is not seen"
                self.check.add(Grade.review, text)

    def finish(self, shown: int) -> None:
        """Compare the pictures in the file with those that were shown."""
        pictures = sum(video.pictures for video in self._videos)
        if self._videos and pictures != shown:
            self.check.add(Grade.fail, f"OUTPUT holds {pictures:,} pictures, and players show {shown:,}")


def account_bytes(path: Path) -> ByteAccount:
    """Account for every byte of a finished file."""
    account = ByteAccount()
    try:
        account.read(path)
    except OSError:
        account.check.add(Grade.fail, "OUTPUT cannot be read to its end")
    return account


def _container(head: bytes) -> str | None:
    """Return which container a file is, by its beginning."""
    if head[:4] == EBML_HEADER.to_bytes(4, "big"):
        return "matroska"
    if head[4:8] == b"ftyp":
        return "mp4"
    return "mpegts" if packet_bytes(head) == PACKET_BYTES else None
