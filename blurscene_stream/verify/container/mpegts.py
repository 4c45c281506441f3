"""Byte accounting of MPEG transport streams (ISO/IEC 13818-1): the tables and PES packets that libav writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from blurscene_stream.source.container.mpegts import HEADER_BYTES, PACKET_BYTES, SDT_PID, SYNC_BYTE, UNIT_START
from blurscene_stream.verify.container.stray import CodedVideo, OpenVideo, Stray, Texts

PAT_PID = 0
VIDEO_TYPES = {0x1B: "h264", 0x24: "hevc", 0x02: "mpeg2video", 0x10: "mpeg4", 0xD1: "dirac", 0x06: ""}
AUDIO_STREAM_IDS = range(0xBD, 0xE0)
DESCRIPTORS = {0x05, 0x0A, 0x25, 0x26, 0x56, 0x59, 0x6A, 0x7A, 0x7C, 0x7F}
"""Registration, language, metadata, and what broadcasts say of audio and subtitles."""
MAX_DESCRIPTOR_BYTES = 40
OWN_SERVICE = b"\x48\x12\x01\x06FFmpeg\x09Service01"
DISCONTINUITY, RANDOM_ACCESS, PCR = 0x80, 0x40, 0x10
PCR_BYTES = 6
PES_HEADER_BYTES = 9
PES_OPTIONS = {0x00: 0, 0x80: 5, 0xC0: 10}  # flags -> bytes of timestamps
CHUNK_PACKETS = 4096


@dataclass(slots=True)
class Stream:
    """An elementary stream.

    video:  takes its packets apart; None when it is no video
    offset: of the first piece of the PES packet that is being collected
    pieces: of it, in order
    """

    video: CodedVideo | None
    offset: int = 0
    pieces: list[bytes] = field(default_factory=list)


class MpegtsBytes:
    """Accounts for the bytes of one file.

    packets: how many PES packets were found, of all streams that are no video
    """

    def __init__(self, file: BinaryIO, size: int, open_video: OpenVideo, _texts: Texts = ()) -> None:
        self.packets = 0
        self._file, self._size, self._open_video = file, size, open_video
        self._streams: dict[int, Stream] = {}
        self._tables: dict[int, bytes] = {}  # the first one of each PID: all others are the same
        self._map_pid = -1

    def strays(self) -> Iterator[Stray]:
        """Yield what nothing accounts for."""
        offset = 0
        self._file.seek(0)
        while chunk := self._file.read(CHUNK_PACKETS * PACKET_BYTES):
            for at in range(0, len(chunk), PACKET_BYTES):
                yield from self._packet(offset + at, chunk[at : at + PACKET_BYTES])
            offset += len(chunk)
        for stream in self._streams.values():
            yield from self._finish(stream)

    def _packet(self, offset: int, packet: bytes) -> Iterator[Stray]:
        if len(packet) < PACKET_BYTES or packet[0] != SYNC_BYTE:
            yield Stray(offset, len(packet), "no packet of a transport stream")
            return
        pid, starts = (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & UNIT_START)
        adapted = 1 + packet[4] if packet[3] & 0x20 else 0
        content = packet[HEADER_BYTES + adapted :] if packet[3] & 0x10 else b""
        stream = self._streams.get(pid)
        if stream is None and pid not in (PAT_PID, SDT_PID, self._map_pid):
            yield Stray(offset, PACKET_BYTES, "a packet of a PID that no table names")
        elif packet[1] & 0x80 or packet[3] & 0xC0 or not _is_plain_adaptation(packet[5 : HEADER_BYTES + adapted]):
            yield Stray(offset, PACKET_BYTES, "stuffing or private data that libav does not write")
        elif not content or (packet[3] & 0x20 and packet[4] and packet[5] & PCR and not starts):
            yield Stray(offset, PACKET_BYTES, "a packet without content, or a clock that is in no first piece")
        elif stream is None:
            yield from self._table(offset, pid, content)
        elif starts:
            yield from self._finish(stream)
            stream.offset, stream.pieces = offset, [content]
        elif stream.pieces:
            stream.pieces.append(content)
        elif content:
            yield Stray(offset, PACKET_BYTES, "a piece of no packet")

    def _table(self, offset: int, pid: int, content: bytes) -> Iterator[Stray]:
        """Account for PAT, PMT or SDT: libav repeats the same ones, each in a packet of its own."""
        if self._tables.setdefault(pid, content) == content and self._tables.get(pid) is not content:
            return
        length = (content[2] & 0x0F) << 8 | content[3] if len(content) > 3 else 0
        section = content[1 : 4 + length]
        is_own = self._tables[pid] is content and content[0] == 0 and not content[4 + length :].strip(b"\xff")
        if pid == PAT_PID:
            is_own &= len(section) == 16 and section[0] == 0
            self._map_pid = (section[10] & 0x1F) << 8 | section[11] if is_own else -1
        elif pid == SDT_PID:
            is_own &= section[0] == 0x42 and section[16:-4] == OWN_SERVICE
        elif is_own:
            is_own = section[0] == 2 and self._map(section[10:-4])
        if not is_own:
            yield Stray(offset, PACKET_BYTES, "a table that libav does not write")

    def _map(self, body: bytes) -> bool:
        """Take the streams of a program map (2.4.4.8); return False for what libav does not write."""
        length = (body[0] & 0x0F) << 8 | body[1]
        at = 2 + length
        is_own = _are_plain_descriptors(body[2:at])
        while at + 5 <= len(body):
            stream_type, pid = body[at], (body[at + 1] & 0x1F) << 8 | body[at + 2]
            length = (body[at + 3] & 0x0F) << 8 | body[at + 4]
            is_own &= _are_plain_descriptors(body[at + 5 : at + 5 + length])
            codec = VIDEO_TYPES.get(stream_type)
            self._streams[pid] = Stream(self._open_video(codec) if codec else None)
            at += 5 + length
        return is_own and at == len(body)

    def _finish(self, stream: Stream) -> Iterator[Stray]:
        """Account for the PES packet that has been collected (2.4.3.6)."""
        if not stream.pieces:
            return
        data = b"".join(stream.pieces)
        stream.pieces = []
        start = PES_HEADER_BYTES + data[8] if len(data) > PES_HEADER_BYTES else 0
        times = PES_OPTIONS.get(data[7], -1) if start else -1
        length = int.from_bytes(data[4:6], "big")
        if times < 0 or data[:3] != b"\0\0\1" or (length and length + 6 != len(data)):
            yield Stray(stream.offset, len(data), "a packet of another form than libav writes")
        elif data[PES_HEADER_BYTES + times : start].strip(b"\xff"):
            yield Stray(stream.offset, start, "stuffing that is not empty")
        elif stream.video is None:
            self.packets += 1
        else:
            found = stream.video.packet(stream.offset, data[start:])
            yield from (replace(one, offset=stream.offset) for one in found)


def _is_plain_adaptation(body: bytes) -> bool:
    """Return True for an adaptation field, behind its length, with a clock and empty stuffing alone (2.4.3.4)."""
    if not body:
        return True
    clock = PCR_BYTES if body[0] & PCR else 0
    return not body[0] & ~(DISCONTINUITY | RANDOM_ACCESS | PCR) and not body[1 + clock :].strip(b"\xff")


def _are_plain_descriptors(body: bytes) -> bool:
    at = 0
    while at + 2 <= len(body) and body[at] in DESCRIPTORS and body[at + 1] <= MAX_DESCRIPTOR_BYTES:
        at += 2 + body[at + 1]
    return at == len(body)
