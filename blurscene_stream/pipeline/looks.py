"""Which frames of a stream get the full look, and which the small one that `detect.every` allows between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import Frame, ScanMode, SourceItem
from blurscene_stream.pipeline.anonymize import MOST_SILENT
from blurscene_stream.streams import StreamInfo
from blurscene_stream.track import Cuts


def check_looks(settings: Settings, info: StreamInfo) -> None:
    """Refuse `detect.every` when tracking does not span so many frames; where no rate is known, their times tell later.

    Raises ConfigError.
    """
    every, covered_gap_s = settings.detect.every, settings.track.covered_gap_s
    if every > 1 and info.frame_rate and (apart_s := float(every / info.frame_rate)) > covered_gap_s:
        most = int(covered_gap_s * info.frame_rate)
        raise ConfigError(
            f"{info.name}: detect.every must be {f'at most {most}' if most > 1 else 1}: {every} frames take "
            f"{apart_s:.2f} s, and track.max_gap_s, track.post_roll_s and track.pre_roll_s cover a gap of "
            f"{covered_gap_s:g} s"
        )


def warning_line(settings: Settings, info: StreamInfo) -> str:
    """What is to be said at the start of a run in which some frames get the small look."""
    every, scale = settings.detect.every, settings.detect.small_scan_scale
    return (
        f"{info.name}: detect.every is {every}: the full look is for one frame of {every}, the others are looked at "
        f"{scale:g} times as large: small objects that come and go between two full looks are missed"
    )


def with_looks(items: Generator[SourceItem], settings: Settings, time_base: Fraction) -> Generator[SourceItem]:
    """The same items, each frame with the look that it must get; a frame waits for the next one.

    time_base: seconds a tick of Frame.pts
    """
    if settings.detect.every == 1:
        yield from items
        return
    plan = _Plan(settings, time_base)
    waiting = deque[SourceItem]()  # one frame, and the packets after it
    with closing(items):
        for item in items:
            if isinstance(item, Frame):
                yield from plan.decided(waiting, item)
                waiting.append(item)
            elif waiting and len(waiting) <= MOST_SILENT:
                waiting.append(item)
            else:
                yield from plan.decided(waiting, None)
                yield item
        yield from plan.decided(waiting, None)


class _Plan:
    """Gives the small look only between two full ones of one scene that lie so near that tracking spans the gap.

    So a frame gets the full look that is the first or the last one of a scene, the n-th one after a full look, or one
    after which the next frame would come too late. A damaged frame is covered whole: the small look will do, and scenes
    end at it. It depends on the frames before it and on the next one alone.
    """

    def __init__(self, settings: Settings, time_base: Fraction) -> None:
        self._every, self._covered_gap_s = settings.detect.every, settings.track.covered_gap_s
        self._time_base = time_base
        self._cuts = Cuts()  # the tracker's own sees the same cuts, but only after detection
        self._begins = True  # the frame that waits is the first one of its scene
        self._full_s = 0.0  # when the last full look was
        self._small = 0  # how many small ones there were since

    def decided(self, waiting: deque[SourceItem], coming: Frame | None) -> Generator[SourceItem]:
        """What waits: a frame, if any, with its look, and packets; `coming`: the frame after it, if one is known."""
        damaged = coming is not None and coming.corrupt  # tells the tracker nothing: as if the scene ended there
        begins = coming is not None and not damaged and self._cuts.cut(coming)
        if waiting and isinstance(frame := waiting[0], Frame):
            waiting[0] = replace(frame, scan_mode=self._look(frame, None if begins or damaged else coming))
            self._begins = begins or coming is None or frame.corrupt
        while waiting:
            yield waiting.popleft()

    def _look(self, frame: Frame, following: Frame | None) -> ScanMode:
        """`following`: the next frame of the same scene."""
        if frame.corrupt:
            return ScanMode.small
        bridged = following is not None and self._time_s(following) - self._full_s <= self._covered_gap_s
        if bridged and not self._begins and self._small + 1 < self._every:
            self._small += 1
            return ScanMode.small
        self._small, self._full_s = 0, self._time_s(frame)
        return ScanMode.full

    def _time_s(self, frame: Frame) -> float:
        return float(frame.pts * self._time_base)
