"""Scan schedule: which frames of a stream begin a shot, which get the full scan or the small one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

from blurscene_stream.config.schema import Settings
from blurscene_stream.crash_report import unforeseen_errors
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.frames import Frame, ScanMode, SourceItem
from blurscene_stream.streams import StreamInfo
from blurscene_stream.track import ShotDetector

MAX_PACKETS_WITHOUT_FRAME = 1024  # 20 s of audio: then no frame waits for a next one any longer


def check_scan_interval(settings: Settings, info: StreamInfo) -> None:
    """Refuse `detect.every` when tracking cannot bridge so many frames; without a frame rate, their times decide later.

    Raises ConfigError.
    """
    every, covered_gap_s = settings.detect.every, settings.track.covered_gap_s
    if every > 1 and info.frame_rate and (apart_s := float(every / info.frame_rate)) > covered_gap_s:
        max_every = int(covered_gap_s * info.frame_rate)
        raise ConfigError(
            f"{info.name}: detect.every must be {f'at most {max_every}' if max_every > 1 else 1}: {every} frames take "
            f"{apart_s:.2f} s, and track.max_gap_s, track.post_roll_s and track.pre_roll_s cover a gap of "
            f"{covered_gap_s:g} s"
        )


def scan_warning(settings: Settings, info: StreamInfo) -> str:
    """Return the line to log at the start of a run in which some frames get the small scan."""
    every, scale = settings.detect.every, settings.detect.small_scan_scale
    return (
        f"{info.name}: detect.every is {every}: one frame of {every} gets the full scan, the others are scanned "
        f"{scale:g} times as large: small objects that come and go between two full scans are missed"
    )


def with_cuts(items: Generator[SourceItem]) -> Generator[SourceItem]:
    """Yield the same items, and mark the frames that begin a new shot; none that is corrupt does.

    Raises DetectionError.
    """
    shots = ShotDetector()
    with closing(items):
        for item in items:
            yield _marked(item, shots) if isinstance(item, Frame) and not item.corrupt else item


def _marked(frame: Frame, shots: ShotDetector) -> Frame:
    with unforeseen_errors(DetectionError, f"frame {frame.number}: shot boundaries could not be detected"):
        return replace(frame, cut=True) if shots.is_cut(frame) else frame


def with_scan_modes(items: Generator[SourceItem], settings: Settings, time_base: Fraction) -> Generator[SourceItem]:
    """Yield the same items, cuts marked, each frame with its scan mode; a frame waits for the next one.

    time_base: seconds a tick of Frame.pts
    """
    if settings.detect.every == 1:
        yield from items
        return
    schedule = _Schedule(settings, time_base)
    waiting = deque[SourceItem]()  # one frame, and the packets after it
    with closing(items):
        for item in items:
            if isinstance(item, Frame):
                yield from schedule.release(waiting, item)
                waiting.append(item)
            elif waiting and len(waiting) <= MAX_PACKETS_WITHOUT_FRAME:
                waiting.append(item)
            else:
                yield from schedule.release(waiting, None)
                yield item
        yield from schedule.release(waiting, None)


class _Schedule:
    """Allows the small scan only between two full scans of one scene that are near enough for tracking to bridge.

    So the first and the last frame of a scene get the full scan, the n-th one after a full scan, and one after which
    the next frame would come too late. A corrupt frame is covered whole: the small scan will do, and scenes end at it.
    Depends on the frames before it and on the next one alone.
    """

    def __init__(self, settings: Settings, time_base: Fraction) -> None:
        self._every, self._covered_gap_s = settings.detect.every, settings.track.covered_gap_s
        self._time_base = time_base
        self._scene_start = True  # the waiting frame is the first one of its scene
        self._full_s = 0.0  # time of the last full scan
        self._small_scans = 0  # since then

    def release(self, waiting: deque[SourceItem], following: Frame | None) -> Generator[SourceItem]:
        """Yield what waits: a frame, if any, with its scan mode, and packets; `following`: the next frame, if known."""
        corrupt = following is not None and following.corrupt  # as if the scene ended there
        cut = following is not None and following.cut
        if waiting and isinstance(frame := waiting[0], Frame):
            waiting[0] = replace(frame, scan_mode=self._scan_mode(frame, None if cut or corrupt else following))
            self._scene_start = cut or following is None or frame.corrupt
        while waiting:
            yield waiting.popleft()

    def _scan_mode(self, frame: Frame, following: Frame | None) -> ScanMode:
        """Choose the scan mode of `frame`; `following` is the next frame of the same scene."""
        if frame.corrupt:
            return ScanMode.small
        bridged = following is not None and self._time_s(following) - self._full_s <= self._covered_gap_s
        if bridged and not self._scene_start and self._small_scans + 1 < self._every:
            self._small_scans += 1
            return ScanMode.small
        self._small_scans, self._full_s = 0, self._time_s(frame)
        return ScanMode.full

    def _time_s(self, frame: Frame) -> float:
        return float(frame.pts * self._time_base)
