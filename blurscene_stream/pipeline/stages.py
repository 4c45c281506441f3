"""Stages of a run as generators: mark cuts, detect, track and redact; in order, one frame out for one in."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings, TrackConfig, class_configs
from blurscene_stream.crash_report import unforeseen_errors
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, SinkItem, SourceItem
from blurscene_stream.pipeline.auto_rotation import with_auto_rotation
from blurscene_stream.pipeline.detection import (
    Detect,
    Detector,
    LoadDetectionSource,
    LoadDetector,
    Redact,
    detect_frames,
)
from blurscene_stream.pipeline.faint_frames import with_faint_frames
from blurscene_stream.streams import StreamInfo
from blurscene_stream.track import ShotDetector, Tracker, UncertaintyLimits, uncertainty_limits

MAX_PACKETS_WITHOUT_FRAME = 1024  # 20 s of audio: then no frame waits for a next one any longer
UNTRACKED = "objects could not be tracked over time"


class DetectorSource:
    """Detections of a detector, followed over time by the tracker; a `DetectionSource`."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._detect = detector
        self._settings = settings
        self.class_names = detector.class_names
        self.device_name = detector.device_name
        self.description = f"on {detector.device_name}"

    def detected(self, items: Generator[SourceItem], info: StreamInfo) -> Generator[DetectedItem]:
        """Yield every frame with what must be covered in it; live frames are detected one by one, without batching."""
        batch = 1 if info.live else self._settings.detect.batch_size
        first = _first_batch(batch, self._settings.track, info)
        look = with_faint_frames(self._detect, info.name)
        detect = with_auto_rotation(look, self._settings.detect.variants, info.name, info.time_base)
        found = detected(with_cuts(items), detect, batch, first)
        thresholds = [one.threshold for one in class_configs(self._settings, self.class_names)]
        uncertainty = uncertainty_limits(thresholds, info.picture)
        return tracked(found, self._settings.track, self.class_names, info.time_base, uncertainty)


def detector_source(load_detector: LoadDetector) -> LoadDetectionSource:
    """Return a function that loads the detector when its detections are needed."""
    return lambda settings: DetectorSource(load_detector(settings), settings)


def _first_batch(batch: int, config: TrackConfig, info: StreamInfo) -> int:
    """Return how many frames the first batch has: so many that the frame for which the first one waits ends a batch."""
    if not config.enabled or info.frame_rate is None:
        return batch
    waited_for = math.ceil(config.lookahead_s * info.frame_rate) + 1
    return waited_for % batch or batch


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


def detected(
    items: Generator[SourceItem], detect: Detect, batch: int, first: int | None = None
) -> Generator[DetectedItem]:
    """Yield every frame with its detections; packets keep their place between them.

    detect: called with at most `batch` frames, returns one Detections for each
    first:  frames in the first batch; None: as many as in the others
    Raises DetectionError when it fails or does not.
    """
    with closing(items):
        for group in _batches(items, batch, first or batch):
            frames = [item for item in group if isinstance(item, Frame)]
            detections = iter(detect_frames(frames, detect) if frames else ())
            for item in group:
                yield (item, next(detections)) if isinstance(item, Frame) else item


def _batches(items: Generator[SourceItem], batch: int, first: int) -> Generator[list[SourceItem]]:
    """Runs of items with `batch` frames in each, and `first` in the first one; the last one may have fewer."""
    group: list[SourceItem] = []
    frames, full = 0, first
    for item in items:
        group.append(item)
        frames += isinstance(item, Frame)
        if frames == full:
            yield group
            group, frames, full = [], 0, batch
    if group:
        yield group


def tracked(
    items: Generator[DetectedItem],
    config: TrackConfig,
    class_names: tuple[str, ...],
    time_base: Fraction,
    uncertainty: UncertaintyLimits,
) -> Generator[DetectedItem]:
    """Yield every frame with the boxes that the tracker adds, from the frames before and after it; see `Tracker`.

    class_names: by class id
    time_base:   seconds a tick of Frame.pts
    uncertainty: the objects whose pre-roll and post-roll are short
    Every track ends at a frame that is marked as a cut.
    A corrupt frame is covered whole anyway; it says nothing about the frames around it.
    A frame waits for `config.lookahead_s`, and everything behind it with it. Without `config.enabled` nothing is
    tracked.
    Raises DetectionError when tracking fails.
    """
    if not config.enabled:
        yield from items
        return
    tracker = Tracker(config, class_names, uncertainty)
    waiting, packets = deque[SourceItem](), 0
    with closing(items):
        for item in items:
            if isinstance(item, CopiedPacket):
                waiting.append(item)
                packets += 1
                with unforeseen_errors(DetectionError, UNTRACKED):
                    done = tracker.finish() if packets > MAX_PACKETS_WITHOUT_FRAME else []
            else:
                frame, detections = item
                waiting.append(frame)
                packets = 0
                with unforeseen_errors(DetectionError, f"frame {frame.number}: {UNTRACKED}"):
                    done = tracker.push(float(frame.pts * time_base), *_observed(frame, detections))
            yield from _released(waiting, done)
        with unforeseen_errors(DetectionError, UNTRACKED):
            done = tracker.finish()
        yield from _released(waiting, done)


def _observed(frame: Frame, detections: Detections) -> tuple[Detections, bool]:
    """Arguments of `Tracker.push` for a frame: no detections of a corrupt one."""
    if frame.corrupt:
        return Detections.empty(detections.class_names), False
    return detections, frame.cut


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
    """Yield every frame, redacted; packets as they are."""
    with closing(items):
        for item in items:
            yield item if isinstance(item, CopiedPacket) else redact(*item)
