"""Audio of OUTPUT against that of INPUT: the same packets or samples or, where re-encoded, alike once decoded."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from blurscene_stream.frames import CopiedPacket
from blurscene_stream.source.inspection.audio_reading import AudioDecoder, DecodedTrack, payload, start_s
from blurscene_stream.streams import CopiedStream, StreamInfo, StreamType
from blurscene_stream.verify.audio_correlation import correlate
from blurscene_stream.verify.report import Check, Grade

INPUT, OUTPUT = 0, 1
DIGEST_BYTES = 16
PCM_BLOCK_BYTES = 1 << 14

BLOCK_S, LAST_BLOCK_S = Fraction(1), Fraction(1, 10)  # compared at a time; the second for the rest at the end
EDGE_S = Fraction(1, 4)  # more at both ends: encoder delay and the rest of the last packet
TOLERANCE_S = Fraction(1, 100)  # less at both ends, or in gaps: shorter than any packet, longer than rounding


class TrackDiff(Protocol):
    """Compares one track."""

    def add(self, side: int, packet: CopiedPacket) -> None:
        """Take one more packet of INPUT or OUTPUT."""

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """Return what is wrong, None when nothing is; `shift_s`: how much later OUTPUT's pictures are."""


class AudioDiff:
    """Compares all audio tracks.

    check: what was found
    """

    def __init__(
        self, before: StreamInfo, after: StreamInfo, dropped: bool, shift: Callable[[], Fraction | None]
    ) -> None:
        """`dropped`: there must be none; `shift`: how much later OUTPUT's pictures are, once that is known."""
        self.check = Check("audio")
        self._tracks: list[TrackDiff] = []
        given, found = (
            [one for one in info.copied_streams if one.type is StreamType.audio] for info in (before, after)
        )
        count, wanted = len(found), 0 if dropped else len(given)
        self.check.summary = f"{count} track{'' if count == 1 else 's'}"
        if dropped and count:
            self.check.add(Grade.fail, f"OUTPUT has {count} audio tracks, and its audio was to be dropped")
        elif count != wanted:
            hint = "; say --audio drop if that was meant" if wanted and not count else ""
            self.check.add(Grade.fail, f"INPUT has {len(given)} audio tracks, OUTPUT {count}{hint}")
        elif wanted:
            self._tracks = [self._track_diff(*pair, shift) for pair in zip(given, found, strict=True)]

    def _track_diff(self, before: CopiedStream, after: CopiedStream, shift: Callable[[], Fraction | None]) -> TrackDiff:
        same = _family(before.codec) == _family(after.codec)
        self.check.summary += f", {after.codec} {'as it was' if same else f'from {before.codec}'}"
        if not same:
            return WaveDiff(AudioDecoder(before), AudioDecoder(after), shift)
        return PcmDiff() if before.codec.startswith("pcm_") else PacketDiff(before.codec)

    def add(self, side: int, packet: CopiedPacket) -> None:
        """Take one more packet of INPUT or OUTPUT."""
        if packet.stream < len(self._tracks):  # audio tracks come before all others
            self._tracks[packet.stream].add(side, packet)

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> None:
        """Sum up; `shift_s`: how much later OUTPUT's pictures are, `allowed_s`: tolerance of a timestamp."""
        for number, track in enumerate(self._tracks, 1):
            if wrong := track.finish(shift_s, allowed_s):
                self.check.add(Grade.fail, f"track {number}: {wrong}")


def _family(codec: str) -> str:
    """Return one name for all layers of MPEG audio: MP4 does not tell them apart."""
    return "mpeg" if codec.removesuffix("float") in ("mp1", "mp2", "mp3") else codec


class PacketDiff:
    """Tracks whose packets must be the same, one by one."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._waiting: tuple[deque[tuple[bytes, Fraction | None]], ...] = (deque(), deque())
        self._counts = [0, 0]
        self._changed: str | None = None
        self._offsets = Offsets()

    def add(self, side: int, packet: CopiedPacket) -> None:
        """Take one more packet."""
        self._counts[side] += 1
        if self._changed:
            return
        digest = hashlib.blake2b(payload(packet, self._codec), digest_size=DIGEST_BYTES).digest()
        self._waiting[side].append((digest, start_s(packet)))
        before, after = self._waiting
        if not (before and after):
            return
        (one, then_s), (other, now_s) = before.popleft(), after.popleft()
        if one != other:
            number = self._counts[side] - 1 - len(self._waiting[side])
            self._changed = f"packet {number}{'' if then_s is None else f' at {float(then_s):.3f} s'} is another one"
        else:
            self._offsets.add(then_s, now_s)

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """Return what is wrong."""
        before, after = self._counts
        counts = "" if before == after else f"INPUT has {before:,} packets, OUTPUT {after:,}"
        if self._changed:
            return f"{self._changed}{'; ' + counts if counts else ''}"
        return counts or self._offsets.wrong(shift_s, allowed_s)


class PcmDiff:
    """Tracks of plain samples, which containers cut into packets as they like."""

    def __init__(self) -> None:
        self._waiting = (bytearray(), bytearray())
        self._lengths = [0, 0]
        self._same = 0
        self._differs = False
        self._starts: list[Fraction | None] = [None, None]

    def add(self, side: int, packet: CopiedPacket) -> None:
        """Take one more packet."""
        if not self._lengths[side]:
            self._starts[side] = start_s(packet)
        data = payload(packet, "pcm")
        self._lengths[side] += len(data)
        if self._differs:
            return
        self._waiting[side].extend(data)
        length = min(map(len, self._waiting))
        if length >= PCM_BLOCK_BYTES:
            self._compare(length)

    def _compare(self, length: int) -> None:
        one, other = self._waiting
        self._differs |= one[:length] != other[:length]
        self._same += 0 if self._differs else length
        del one[:length], other[:length]

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """Return what is wrong."""
        if not self._differs:
            self._compare(min(map(len, self._waiting)))
        if self._differs:
            return f"the samples differ after {self._same:,} bytes"
        before, after = self._lengths
        if before != after:
            return f"INPUT has {before:,} bytes, OUTPUT {after:,}"
        offsets = Offsets()
        offsets.add(*self._starts)
        return offsets.wrong(shift_s, allowed_s)


class Offsets:
    """How much later the packets of OUTPUT are: the smallest and the largest offset."""

    def __init__(self) -> None:
        self._extremes: list[tuple[Fraction, Fraction]] = []  # offset, and time in INPUT

    def add(self, then_s: Fraction | None, now_s: Fraction | None) -> None:
        """Add one packet, with its time in INPUT and in OUTPUT."""
        if then_s is not None and now_s is not None:
            offsets = [*self._extremes, (now_s - then_s, then_s)]
            self._extremes = [min(offsets), max(offsets)]

    def wrong(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:
        """Return what is wrong when the pictures are `shift_s` later."""
        for offset_s, then_s in self._extremes:
            off_s = offset_s - shift_s
            if abs(off_s) > allowed_s:
                late = "late" if off_s > 0 else "early"
                return f"is {abs(float(off_s)) * 1000:.1f} ms too {late} at {float(then_s):.3f} s"
        return None


class WaveDiff:
    """A re-encoded track, decoded on both sides; what the other side has not reached yet is buffered."""

    def __init__(self, before: AudioDecoder, after: AudioDecoder, shift: Callable[[], Fraction | None]) -> None:
        """`shift`: how much later OUTPUT is, once that is known."""
        self._sides = (DecodedTrack(before), DecodedTrack(after))
        self._rate = min(before.rate, after.rate)
        self._shift = shift
        self._at_s: Fraction | None = None  # of INPUT; what comes before was compared
        self._wrong: str | None = None

    def add(self, side: int, packet: CopiedPacket) -> None:
        """Take one more packet."""
        self._sides[side].add(packet)
        shift_s = self._shift()
        if shift_s is not None and all(each.start_s is not None for each in self._sides):
            self._compare(shift_s, BLOCK_S)

    def finish(self, shift_s: Fraction, allowed_s: Fraction) -> str | None:  # noqa: ARG002 (a TrackDiff)
        """Return what is wrong; a shift by a few samples cannot be told from what a codec does."""
        for side in self._sides:
            side.add(None)
        before, after = self._sides
        if before.start_s is None or after.start_s is None:
            return None if before.start_s is after.start_s else "is empty on one side"
        # What comes before 0 is a decoder's run-up, which a container may leave out.
        for what, then_s, now_s, sign in (
            ("begins", max(before.start_s, Fraction(0)), max(after.start_s - shift_s, Fraction(0)), 1),
            ("ends", before.end_s, after.end_s - shift_s, -1),
        ):
            if not -EDGE_S <= (now_s - then_s) * sign <= TOLERANCE_S:
                return f"{what} at {float(now_s):.3f} s instead of {float(then_s):.3f} s"
        if abs(after.gaps_s - before.gaps_s) > TOLERANCE_S:
            return f"has holes of {float(after.gaps_s):.3f} s instead of {float(before.gaps_s):.3f} s"
        self._compare(shift_s, BLOCK_S)
        self._compare(shift_s, LAST_BLOCK_S)
        return self._wrong

    def _compare(self, shift_s: Fraction, length_s: Fraction) -> None:
        """Compare all that both sides have, in blocks of `length_s`."""
        before, after = self._sides
        assert before.start_s is not None and after.start_s is not None
        if self._at_s is None:
            self._at_s = max(before.start_s, after.start_s - shift_s, Fraction(0))
        while self._at_s + length_s <= min(before.end_s, after.end_s - shift_s):
            one, other = (
                side.samples(at_s, self._rate, int(length_s * self._rate))
                for side, at_s in ((before, self._at_s), (after, self._at_s + shift_s))
            )
            if self._wrong is None and not correlate(one, other, self._rate):
                self._wrong = f"is other audio at {float(self._at_s):.3f} s"
            self._at_s += length_s
            before.forget(self._at_s - EDGE_S)
            after.forget(self._at_s + shift_s - EDGE_S)
