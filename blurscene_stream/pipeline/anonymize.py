"""The middle of a run: what a source gives is judged, followed over time and redacted, in order, one for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import TrackConfig
from blurscene_stream.errors import BlurSceneError, DetectionError
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, ScanMode, SinkItem, SourceItem
from blurscene_stream.pipeline.judge import Detect, Redact, judge
from blurscene_stream.track import Cuts, Tracker

MOST_SILENT = 1024  # packets without a frame between them, 20 s of sound: then no frame waits for a next one any longer


def judged(items: Generator[SourceItem], detect: Detect, batch: int) -> Generator[DetectedItem]:
    """Every frame with what `detect` says of it; packets keep their place between them.

    detect: called with at most `batch` frames, gives one Detections for each
    Raises DetectionError when it fails or does not.
    """
    with closing(items):
        for group in _groups(items, batch):
            frames = [item for item in group if isinstance(item, Frame)]
            found = iter(judge(frames, detect) if frames else ())
            for item in group:
                yield (item, next(found)) if isinstance(item, Frame) else item


def followed(
    items: Generator[DetectedItem], config: TrackConfig, classes: tuple[str, ...], time_base: Fraction
) -> Generator[DetectedItem]:
    """Every frame with what must be covered in it, as the frames before and after it tell; see `Tracker`.

    classes:   the names that labels stand for
    time_base: seconds a tick of Frame.pts
    A damaged frame is covered whole anyway; it tells nothing of the frames around it.
    A frame waits for `config.lookahead_s`, and everything behind it with it. Without `config.enabled` nothing is
    followed.
    Raises DetectionError when that fails.
    """
    if not config.enabled:
        yield from items
        return
    tracker, cuts = Tracker(config, classes), Cuts()
    waiting, silent = deque[SourceItem](), 0
    with closing(items):
        for item in items:
            if isinstance(item, CopiedPacket):
                waiting.append(item)
                silent += 1
                with _told():
                    done = tracker.finish() if silent > MOST_SILENT else []
            else:
                frame, found = item
                waiting.append(frame)
                silent = 0
                with _told(f"frame {frame.number}: "):
                    done = tracker.push(float(frame.pts * time_base), *_seen(frame, found, cuts))
            yield from _released(waiting, done)
        with _told():
            done = tracker.finish()
        yield from _released(waiting, done)


def _seen(frame: Frame, found: Detections, cuts: Cuts) -> tuple[Detections, bool, ScanMode]:
    """What the tracker may know of a frame: of a damaged one nothing."""
    if frame.corrupt:
        return Detections.empty(found.class_names), False, frame.scan_mode
    return found, cuts.cut(frame), frame.scan_mode


@contextmanager
def _told(where: str = "") -> Generator[None]:
    """An error that nobody foresaw in following objects; its text stays out: nobody knows what it holds."""
    try:
        yield
    except BlurSceneError:
        raise
    except Exception as error:
        raise DetectionError(f"{where}objects could not be followed over time, {type(error).__name__}") from error


def _released(waiting: deque[SourceItem], done: Sequence[Detections]) -> Generator[DetectedItem]:
    """The frames that `done` is for, and all packets up to the first frame that must wait on."""
    for detections in done:
        while not isinstance(item := waiting.popleft(), Frame):
            yield item
        yield item, detections
    while waiting and not isinstance(packet := waiting[0], Frame):
        waiting.popleft()
        yield packet


def redacted(items: Generator[DetectedItem], redact: Redact) -> Generator[SinkItem]:
    """Every frame, redacted."""
    with closing(items):
        for item in items:
            yield item if isinstance(item, CopiedPacket) else redact(*item)


def _groups(items: Generator[SourceItem], batch: int) -> Generator[list[SourceItem]]:
    """Runs of items with `batch` frames in each; the last one may have fewer."""
    group: list[SourceItem] = []
    frames = 0
    for item in items:
        group.append(item)
        frames += isinstance(item, Frame)
        if frames == batch:
            yield group
            group, frames = [], 0
    if group:
        yield group
