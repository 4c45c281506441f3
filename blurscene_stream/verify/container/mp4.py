"""Byte accounting of MP4 and MOV (ISO/IEC 14496-12): atoms that libav writes, and samples that fill `mdat` exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from blurscene_stream.source.container.mp4_atoms import VISUAL_ENTRY_HEADER_BYTES, atom_spans
from blurscene_stream.verify.container.mp4_forms import BEFORE_CHILDREN, CHILDREN, TAG_HOLDERS, is_leaf
from blurscene_stream.verify.container.sample_tables import TABLES, is_whole_table, sample_spans, unreferenced
from blurscene_stream.verify.container.stray import CodedVideo, OpenVideo, Stray, Texts

TOP_LEVEL = (b"ftyp", b"moov", b"mdat", b"free", b"wide")
PADDING = (b"free", b"wide")
AUDIO_ENTRY_BYTES = {0: 28, 1: 44, 2: 64}  # version of a sound sample entry -> header before its atoms (QuickTime)
VIDEO_ENTRIES = {**{b"avc1": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"av01": "av1", b"vp09": "vp9"}}
CODEC_HEADERS = {b"avcC": 0, b"hvcC": 0, b"av1C": 0, b"vpcC": 0}
MAX_SMALL_BYTES = 160  # of what else describes a sample format: 4 to 60 in what libav writes, and it is there once


@dataclass(slots=True)
class Track:
    """Properties of a track, as its atoms say so far.

    handler: four-character code of what its samples are
    format:  that of how they are coded
    video:   takes its packets apart; None when it is no video
    tables:  body of each table, by name
    """

    handler: bytes = b""
    format: bytes = b""
    video: CodedVideo | None = None
    tables: dict[bytes, bytes] = field(default_factory=dict)


class Mp4Bytes:
    """Accounts for the bytes of one file.

    packets: how many samples were found, of all tracks that are no video
    """

    def __init__(self, file: BinaryIO, size: int, open_video: OpenVideo, texts: Texts) -> None:
        self.packets = 0
        self._file, self._size, self._open_video, self._texts = file, size, open_video, texts
        self._tracks: list[Track] = []
        self._media = (size, size)  # of mdat

    def strays(self) -> Iterator[Stray]:
        """Yield what nothing accounts for."""
        at, seen = 0, set[bytes]()
        for name, start, length in atom_spans(self._file, self._size):
            if name not in TOP_LEVEL or (name in seen and name not in PADDING) or start + length > self._size:
                yield Stray(at, start + length - at, f"{_called(name)} that libav does not write here")
            elif name == b"mdat":
                self._media = (start, start + length)
            else:
                yield from self._atom(name, start, start + length, "")
            seen.add(name)
            at = start + length
        if at < self._size:
            yield Stray(at, self._size - at, "behind the last atom")
        yield from self._samples()

    def _atom(self, name: bytes, start: int, end: int, parent: str) -> Iterator[Stray]:
        path = f"{parent}{_called(name)}"
        if name == b"trak":
            self._tracks.append(Track())
        holder = parent.split("/")[-2] if parent else ""
        if holder == "stsd":
            yield from self._sample_entry(name, start, end, path)
        elif holder and name not in (*CHILDREN[holder], *PADDING) and holder not in TAG_HOLDERS:
            yield Stray(start - 8, end - start + 8, f"{path} that libav does not write here")
        elif _called(name) in CHILDREN:
            yield from self._children(start + BEFORE_CHILDREN.get(name, 0), end, path)
        elif not self._is_leaf_of_ours(name, start, end, holder):
            yield Stray(start - 8, end - start + 8, f"{path}, of another form than libav writes")

    def _children(self, start: int, end: int, path: str) -> Iterator[Stray]:
        at, seen = start, set[bytes]()
        for name, inner, length in list(atom_spans(self._file, end, start)):
            if inner + length > end:
                break
            if name in seen and name not in (b"trak", *PADDING) and not path.endswith("stsd"):
                yield Stray(at, inner + length - at, f"another {path}/{_called(name)}")
            else:
                yield from self._atom(name, inner, inner + length, f"{path}/")
            seen.add(name)
            at = inner + length
        if self._read(at, end).strip(b"\0") or (at < end and end - at != 4):  # QuickTime ends some lists with zeros
            yield Stray(at, end - at, f"behind the last atom of {path}")

    def _is_leaf_of_ours(self, name: bytes, start: int, end: int, parent: str) -> bool:
        body = self._read(start, end)
        if name == b"hdlr" and self._tracks:
            self._tracks[-1].handler = self._tracks[-1].handler or body[8:12]
        if name in (*TABLES, b"sdtp"):
            tables = self._tracks[-1].tables if self._tracks else {}
            tables[name] = body  # sdtp has a byte for each sample
            return name == b"sdtp" or is_whole_table(name, body)
        return is_leaf(parent, name, body, self._texts)

    def _sample_entry(self, name: bytes, start: int, end: int, path: str) -> Iterator[Stray]:
        """Account for a description of samples (8.5.2): its header, and the atoms in it."""
        track = self._tracks[-1]
        head = self._read(start, min(end, start + VISUAL_ENTRY_HEADER_BYTES))
        if track.format or len(head) < 8:
            yield Stray(start - 8, end - start + 8, f"another {path}")
            return
        track.format = name
        if track.handler == b"vide":
            track.video = self._open_video(VIDEO_ENTRIES.get(name, _called(name)))
        if track.video is not None:
            length = VISUAL_ENTRY_HEADER_BYTES
            if head[42 + 1 + head[42] : 74].strip(b"\0"):
                yield Stray(start + 42, 32, f"{path}, something behind the name of the encoder")
        elif end - start <= MAX_SMALL_BYTES:
            return  # as long as a sample format needs; `audio_diff` compares what libav makes of it
        else:
            length = AUDIO_ENTRY_BYTES.get(head[9], 28)
        yield from self._entry_atoms(start + length, end, path)

    def _entry_atoms(self, start: int, end: int, path: str) -> Iterator[Stray]:
        track, at = self._tracks[-1], start
        for name, inner, length in list(atom_spans(self._file, end, start)):
            if inner + length > end:
                break
            at = inner + length
            if name in CODEC_HEADERS and track.video is not None:
                yield from track.video.header(inner, self._read(inner, at))
            elif name == b"esds" and track.video is None:
                yield from _descriptors(inner, self._read(inner, at), path)
            elif name == bytes(4) and not length:  # ends a list of QuickTime
                continue
            elif name == b"wave" and track.video is None:
                yield from self._entry_atoms(inner, at, f"{path}/wave")
            elif not is_leaf("", name, self._read(inner, at), ()) and (
                track.video is not None or length > MAX_SMALL_BYTES
            ):
                yield Stray(inner - 8, length + 8, f"{path}/{_called(name)}, of another form than libav writes")
        if self._read(at, end).strip(b"\0"):
            yield Stray(at, end - at, f"behind the last atom of {path}")

    def _samples(self) -> Iterator[Stray]:
        """Account for `mdat`: each byte of it is in one sample, and each sample in it."""
        spans = [np.zeros((0, 2), np.int64)]
        for number, track in enumerate(self._tracks, 1):
            found = sample_spans(track.tables)
            if found is None:
                yield Stray(0, 0, f"track {number} has tables that contradict each other")
                continue
            spans.append(found)
            if track.video is None:
                self.packets += len(found)
                continue
            for start, end in found.tolist():
                yield from track.video.packet(start, self._read(start, min(end, self._size)))
        yield from unreferenced(np.concatenate(spans), *self._media)

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(max(0, end - start))


def _descriptors(offset: int, body: bytes, path: str) -> Iterator[Stray]:
    """Account for esds: descriptors in each other, each with its size (ISO/IEC 14496-1, 7.2.6)."""
    fixed = {3: 3, 4: 13, 5: None, 6: 1}  # tag -> bytes before the ones in it; None: the header of the codec
    at = 4
    while at + 2 <= len(body):
        tag, at = body[at], at + 1
        size = 0
        for _ in range(4):
            byte, at = body[at], at + 1
            size = size << 7 | byte & 0x7F
            if not byte & 0x80 or at >= len(body):
                break
        if tag not in fixed:
            break
        skipped = fixed[tag]
        at += size if skipped is None else skipped
    if at != len(body):
        yield Stray(offset, len(body), f"{path}/esds, of another form than libav writes")


def _called(name: bytes) -> str:
    word = name.decode("latin-1")
    return word if word.isprintable() and word.isascii() else "an atom"
