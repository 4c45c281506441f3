"""Byte accounting of MP4 and MOV (ISO/IEC 14496-12): atoms that libav writes, and samples that fill `mdat` exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from blurscene_stream.source.container.mp4_atoms import VISUAL_ENTRY_HEADER_BYTES, atom_spans
from blurscene_stream.verify.container.sample_tables import TABLES, is_whole_table, sample_spans, unreferenced
from blurscene_stream.verify.container.stray import CodedVideo, OpenVideo, Stray

PARENTS = {  # and how many bytes stand before the first atom in them
    **dict.fromkeys((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta", b"tref", b"gmhd"), 0),
    **dict.fromkeys((b"ilst", b"wave"), 0),
    b"meta": 4,
    b"stsd": 8,
}
TOP_LEVEL = (b"ftyp", b"moov", b"mdat", b"free", b"wide")
PADDING = (b"free", b"wide")
AUDIO_ENTRY_BYTES = {0: 28, 1: 44, 2: 64}  # version of a sound sample entry -> header before its atoms (QuickTime)
VIDEO_ENTRIES = {**{b"avc1": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"av01": "av1", b"vp09": "vp9", b"FFV1": "ffv1"}}
CODEC_HEADERS = {b"avcC": 0, b"hvcC": 0, b"av1C": 0, b"vpcC": 0}
MAX_SMALL_BYTES = 160  # of what else describes a sample format: 4 to 60 in what libav writes, and it is there once
TAG_FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        rb"/ilst/(?:\xa9[a-zA-Z]{3}|aART|cprt|desc|\0[^\0]{0,2}[\0-\xff]{0,2}[^\0]).{4}data\0{3}\x01\0{4}(?P<text>.*)",
        rb"/udta/\xa9[a-zA-Z]{3}.{4}(?P<text>.*)",
        rb"/udta/name(?P<text>.*)",
        rb"/udta/loci.{0,160}(?P<text>)",
    )
)
"""Tags, by place, name and body: libav reads them back, and the check of metadata tells what was not to be kept.
Those of `keys` have a number as their name."""

_HANDLER = rb"\0{4}(?:\0{4}|mhlr|dhlr)[a-z ]{4}(?:\0{12}|appl\0{8})[^\0]{0,160}\0?"
FORMS = {  # leaves whose whole body has one form; numbers in them are free
    b"ftyp": rb"[ -~]{4}.{4}(?:[ -~]{4}){0,10}",
    b"mvhd": rb"\0.{3}.{96}|\x01.{3}.{108}",
    b"tkhd": rb"\0.{3}.{80}|\x01.{3}.{92}",
    b"mdhd": rb"\0.{3}.{20}|\x01.{3}.{32}",
    b"hdlr": _HANDLER,
    b"vmhd": rb"\0{3}.\0{8}",
    b"smhd": rb"\0{8}",
    b"nmhd": rb"\0{4}",
    b"sthd": rb"\0{4}",
    b"dref": rb"\0{4}\0{3}\x01\0{3}\x0curl \0{3}\x01",  # one reference: this file
    b"elst": rb"(?s:\0.{3}\0{3}[\x01-\x04](?:.{12}){1,4}|\x01.{3}\0{3}[\x01-\x04](?:.{20}){1,4})",
    b"gmin": rb".{16}",
    b"text": rb".{36}",
    b"chap": rb".{4}",
    b"tmcd": rb".{4}|.{4}tcmi.{26,60}",
    b"pasp": rb".{8}",
    b"colr": rb"nclx.{7}|nclc.{6}",
    b"btrt": rb".{12}",
    b"fiel": rb".{2}",
    b"st3d": rb"\0{4}.",
    b"mdcv": rb".{24}",
    b"clli": rb".{4}",
    b"SmDm": rb".{28}",
    b"CoLL": rb".{8}",
    b"cslg": rb".{24}",
    b"chrm": rb".{4}",
    b"sgpd": rb".{16,160}",
    b"free": rb"\0*",
    b"wide": rb"\0*",
}
_FORMS = {name: re.compile(form, re.DOTALL) for name, form in FORMS.items()}


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

    def __init__(self, file: BinaryIO, size: int, open_video: OpenVideo) -> None:
        self.packets = 0
        self._file, self._size, self._open_video = file, size, open_video
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
        if parent.endswith("stsd/"):
            yield from self._sample_entry(name, start, end, path)
        elif name in PARENTS:
            yield from self._children(start + PARENTS[name], end, path)
        elif not self._is_leaf_of_ours(name, start, end, parent):
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
        if name in _FORMS:
            return bool(_FORMS[name].fullmatch(body))
        if name in (b"chpl", b"keys"):
            return _is_list(name, body)
        return _is_tag(parent[-6:].encode() + name + body)

    def _sample_entry(self, name: bytes, start: int, end: int, path: str) -> Iterator[Stray]:
        """Account for a description of samples (8.5.2): its header, and the atoms in it."""
        track = self._tracks[-1]
        head = self._read(start, min(end, start + VISUAL_ENTRY_HEADER_BYTES))
        if track.format or len(head) < 16:
            yield Stray(start - 8, end - start + 8, f"another {path}")
            return
        track.format = name
        if track.handler == b"vide":
            track.video = self._open_video(VIDEO_ENTRIES.get(name, _called(name)))
        if track.video is not None:
            length = VISUAL_ENTRY_HEADER_BYTES
            if head[42 + 1 + head[42] : 74].strip(b"\0"):
                yield Stray(start + 42, 32, f"{path}, something behind the name of the encoder")
        else:
            length = AUDIO_ENTRY_BYTES.get(head[9], 28)
        if end - start <= MAX_SMALL_BYTES and track.video is None:
            return  # as long as a sample format needs; `audio_diff` compares what libav makes of it
        yield from self._entry_atoms(start + length, end, path)

    def _entry_atoms(self, start: int, end: int, path: str) -> Iterator[Stray]:
        track, at = self._tracks[-1], start
        for name, inner, length in list(atom_spans(self._file, end, start)):
            if inner + length > end:
                break
            at = inner + length
            if name in CODEC_HEADERS and track.video is not None:
                yield from track.video.header(inner, self._read(inner, at))
            elif name == b"esds":
                yield from _descriptors(inner, self._read(inner, at), path)
            elif name == bytes(4) and not length:  # ends a list of QuickTime
                continue
            elif name == b"wave":
                yield from self._entry_atoms(inner, at, f"{path}/wave")
            elif not (name in _FORMS and _FORMS[name].fullmatch(self._read(inner, at))) and (
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


def _is_list(name: bytes, body: bytes) -> bool:
    """Return True for the titles of chapters, or the names of tags: both are read back by libav, as tags are."""
    at = 9 if name == b"chpl" else 8
    while at + 9 <= len(body):
        is_key = name == b"keys" and body[at + 4 : at + 8] == b"mdta"
        at += 9 + body[at + 8] if name == b"chpl" else int.from_bytes(body[at : at + 4], "big") if is_key else len(body)
    return at == len(body)


def _is_tag(atom: bytes) -> bool:
    """Return True for a text in one of TAG_FORMS."""
    found = next(filter(None, (form.fullmatch(atom) for form in TAG_FORMS)), None)
    try:
        return found is not None and all(char.isprintable() or char in "\t\r\n" for char in found["text"].decode())
    except UnicodeDecodeError:
        return False


def _called(name: bytes) -> str:
    word = name.decode("latin-1")
    return word if word.isprintable() and word.isascii() else "an atom"
