"""Is the sound that of INPUT, bit by bit or, where it was encoded anew, sample by sample as near as a codec gets?"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from blurscene_stream.frames import CopiedPacket
from blurscene_stream.source.rationals import fraction
from blurscene_stream.streams import CopiedStream, StreamInfo, StreamType
from blurscene_stream.verify.report import Check, Grade
from blurscene_stream.verify.waves import Waves

INPUT, OUTPUT = 0, 1
DIGEST_BYTES = 16
PCM_BLOCK = 1 << 14
ADTS_BYTES, ADTS_CRC_BYTES = 7, 2


class Comparison(Protocol):
    """Compares one track."""

    def hear(self, side: int, packet: Any) -> None:
        """One packet more of INPUT or OUTPUT."""

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """What is wrong, in words; `shift_s`: how much later OUTPUT's pictures are."""


class Sound:
    """Compares all sound tracks.

    check: what was found
    """

    def __init__(
        self, before: StreamInfo, after: StreamInfo, dropped: bool, shift: Callable[[], Fraction | None]
    ) -> None:
        """`dropped`: there must be none; `shift`: how much later OUTPUT's pictures are, once that is known."""
        self.check = Check("sound")
        self._tracks: list[Comparison] = []
        given, heard = _sound_of(before), _sound_of(after)
        there, wanted = len(heard), 0 if dropped else len(given)
        self.check.summary = f"{there} track{'' if there == 1 else 's'}"
        if there != wanted:
            hint = "; say --audio drop if that was meant" if wanted and not there else ""
            self.check.add(Grade.fail, f"INPUT has {len(given)} sound tracks, OUTPUT {there}{hint}")
        elif wanted:
            self._tracks = [self._comparison(*pair, shift) for pair in zip(given, heard, strict=True)]

    def _comparison(
        self, before: CopiedStream, after: CopiedStream, shift: Callable[[], Fraction | None]
    ) -> Comparison:
        same = _family(before.codec) == _family(after.codec)
        self.check.summary += f", {after.codec} {'as it was' if same else f'from {before.codec}'}"
        if not same:
            return Waves(before.native, after.native, shift)
        return Samples() if before.codec.startswith("pcm_") else Packets(before.codec == "aac")

    def hear(self, side: int, item: CopiedPacket) -> None:
        """One packet more of INPUT or OUTPUT."""
        if item.stream < len(self._tracks):
            self._tracks[item.stream].hear(side, item.native)

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> None:
        """Sum up; `shift_s`: how much later OUTPUT's pictures are, `allowed_s`: how far a time may be off."""
        for number, track in enumerate(self._tracks):
            if wrong := track.finish(shift_s, allowed_s):
                self.check.add(Grade.fail, f"track {number + 1}: {wrong}")


def _sound_of(info: StreamInfo) -> list[CopiedStream]:
    """The sound, which comes before all other tracks."""
    return [track for track in info.copied_streams if track.type is StreamType.audio]


def _family(codec: str) -> str:
    """MP4 has one name for all layers of MPEG sound, and what reads it takes them for the third."""
    return "mpeg" if codec.removesuffix("float") in ("mp1", "mp2", "mp3") else codec


class Packets:
    """Tracks whose packets must be the same, one by one."""

    def __init__(self, is_aac: bool) -> None:
        self._is_aac = is_aac
        self._waiting: tuple[deque[_Packet], deque[_Packet]] = (deque(), deque())
        self._counts = [0, 0]
        self._another: str | None = None
        self._offsets = Offsets()

    def hear(self, side: int, packet: Any) -> None:
        """One packet more."""
        self._counts[side] += 1
        if self._another:
            return
        payload = bytes(packet)
        digest = hashlib.blake2b(without_adts(payload) if self._is_aac else payload, digest_size=DIGEST_BYTES).digest()
        self._waiting[side].append((digest, time_of(packet)))
        before, after = self._waiting
        if not (before and after):
            return
        (one, then_s), (other, now_s) = before.popleft(), after.popleft()
        if one != other:
            number = self._counts[side] - 1 - len(self._waiting[side])
            self._another = f"packet {number}{'' if then_s is None else f' at {float(then_s):.3f} s'} is another one"
        elif then_s is not None and now_s is not None:
            self._offsets.add(then_s, now_s)

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """What is wrong, in words."""
        before, after = self._counts
        counts = "" if before == after else f"INPUT has {before:,} packets, OUTPUT {after:,}"
        if self._another:
            return f"{self._another}{'; ' + counts if counts else ''}"
        return counts or self._offsets.wrong(shift_s, allowed_s)


class Samples:
    """Tracks of plain samples, which containers cut into packets as they like."""

    def __init__(self) -> None:
        self._waiting = (bytearray(), bytearray())
        self._lengths = [0, 0]
        self._same = 0
        self._differs = False
        self._first: list[Fraction | None] = [None, None]

    def hear(self, side: int, packet: Any) -> None:
        """One packet more."""
        if not self._lengths[side]:
            self._first[side] = time_of(packet)
        payload = bytes(packet)
        self._lengths[side] += len(payload)
        if self._differs:
            return
        self._waiting[side].extend(payload)
        length = min(map(len, self._waiting))
        if length >= PCM_BLOCK:
            self._compare(length)

    def _compare(self, length: int) -> None:
        one, other = self._waiting
        self._differs |= one[:length] != other[:length]
        self._same += 0 if self._differs else length
        del one[:length], other[:length]

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """What is wrong, in words."""
        if not self._differs:
            self._compare(min(map(len, self._waiting)))
        if self._differs:
            return f"the samples differ after {self._same:,} bytes"
        before, after = self._lengths
        if before != after:
            return f"INPUT has {before:,} bytes, OUTPUT {after:,}"
        offsets = Offsets()
        if (then_s := self._first[INPUT]) is not None and (now_s := self._first[OUTPUT]) is not None:
            offsets.add(then_s, now_s)
        return offsets.wrong(shift_s, allowed_s)


_Packet = tuple[bytes, Fraction | None]


class Offsets:
    """How much later the packets of OUTPUT are: the least and the most."""

    def __init__(self) -> None:
        self._least: tuple[Fraction, Fraction] | None = None  # offset, and time in INPUT
        self._most: tuple[Fraction, Fraction] | None = None

    def add(self, then_s: Fraction, now_s: Fraction) -> None:
        """One packet more."""
        offset = (now_s - then_s, then_s)
        self._least = min(self._least or offset, offset)
        self._most = max(self._most or offset, offset)

    def wrong(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """What is wrong, in words, when the pictures are `shift_s` later."""
        for end in filter(None, (self._least, self._most)):
            off_s = end[0] - shift_s
            if abs(off_s) > allowed_s:
                late = "late" if off_s > 0 else "early"
                return f"is {abs(float(off_s)) * 1000:.1f} ms too {late} at {float(end[1]):.3f} s"
        return None


def time_of(packet: Any) -> Fraction | None:
    """When a packet is heard, in seconds."""
    return None if packet.pts is None or not packet.time_base else packet.pts * fraction(packet.time_base)


def without_adts(payload: bytes) -> bytes:
    """AAC without the header that transport streams put before each packet (ISO/IEC 13818-7, 6.2)."""
    if len(payload) < ADTS_BYTES or payload[0] != 0xFF or payload[1] & 0xF6 != 0xF0:
        return payload
    length = (payload[3] & 3) << 11 | payload[4] << 3 | payload[5] >> 5
    header = ADTS_BYTES if payload[1] & 1 else ADTS_BYTES + ADTS_CRC_BYTES
    return payload[header:] if length == len(payload) else payload
