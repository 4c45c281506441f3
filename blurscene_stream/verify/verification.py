"""Verification that one video is another one, redacted: both are read in step, and each check sees each frame pair."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import AudioMode, EncodeConfig, Settings, SourceConfig
from blurscene_stream.errors import ConfigError, CorruptInputError, SourceError
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, SourceItem
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.detection import DetectionSource, LoadDetector, load_configured_detector, prefix_errors
from blurscene_stream.pipeline.stages import DetectorSource
from blurscene_stream.redact import Redactor
from blurscene_stream.sidecar import DetectionsFile
from blurscene_stream.source import Source, open_source
from blurscene_stream.source.inspection.output_metadata import ForeignMetadata, find_foreign_metadata
from blurscene_stream.source.scrub.hidden_audio import hidden_audio_s
from blurscene_stream.streams import StreamInfo
from blurscene_stream.verify.audio_diff import INPUT, OUTPUT, AudioDiff
from blurscene_stream.verify.contact_sheet import Suspect
from blurscene_stream.verify.container import account_bytes
from blurscene_stream.verify.frame_pair import FramePairer
from blurscene_stream.verify.picture_diff import PictureDiff
from blurscene_stream.verify.redetect import Redetect
from blurscene_stream.verify.report import Check, Grade
from blurscene_stream.verify.residual import Residual
from blurscene_stream.verify.stream_diff import FrameOrder, FrameTimes, LeftoverMetadata, compare_streams

EXACT_SUFFIXES = (".mp4", ".m4v", ".mov")  # containers that hold every start


@dataclass(frozen=True, slots=True)
class VerifyJob:
    """A verification to be done.

    source:        INPUT
    target:        OUTPUT
    settings:      of the run
    detections:    the file of what a run has covered; None: it is detected again
    audio_dropped: the run was to drop the audio
    every:         the detector runs on each so many frames of OUTPUT; 0: on none
    stop_token:    stops it
    load_detector: makes a detector
    progress:      called with the number of frames that are done, and of all
    """

    source: Address
    target: Address
    settings: Settings
    detections: Path | None = None
    audio_dropped: bool = False
    every: int = 1
    stop_token: StopToken = field(default_factory=StopToken)
    load_detector: LoadDetector = load_configured_detector
    progress: Callable[[int, int], None] = lambda _done, _all: None


@dataclass(frozen=True, slots=True)
class Findings:
    """Results of the checks, and what the detector found in OUTPUT."""

    checks: tuple[Check, ...]
    suspects: tuple[Suspect, ...] = ()


def verify_video(job: VerifyJob) -> Findings:
    """Check that OUTPUT is INPUT, redacted.

    Raises SourceError when one of them cannot be opened at all, CorruptInputError when INPUT cannot be decoded; what
    the detection and the redaction of INPUT raise; StoppedError.
    """
    with ExitStack() as stack:
        settings = replace(job.settings, encode=EncodeConfig())  # both with their audio, unless it was dropped
        dropped = EncodeConfig(audio=AudioMode.drop)  # else an error in what the run itself has not read
        read_by_run = replace(settings, encode=dropped) if job.audio_dropped else settings
        before = stack.enter_context(open_source(job.source, read_by_run))
        try:
            foreign = find_foreign_metadata(job.target.path, settings.keep.tags)
        except CorruptInputError as error:
            return _unreadable(job.target.path, error)
        try:
            first = SourceConfig(video_stream=foreign.videos[0] if foreign.videos else None)
            after = stack.enter_context(open_source(job.target, replace(settings, source=first)))
        except SourceError as error:  # it can be opened, but holds no video that can be verified
            return _unreadable(job.target.path, error)
        detection_source = _detection_source(job, stack)
        if isinstance(detection_source, DetectionsFile):
            job = replace(job, settings=detection_source.with_areas(job.settings))
        with prefix_errors(before.info.name, ConfigError):
            return _Verification(job, before, after, foreign, detection_source).findings()


def _detection_source(job: VerifyJob, stack: ExitStack) -> DetectionSource:
    if job.detections is None:
        return DetectorSource(job.load_detector(job.settings), job.settings)
    return stack.enter_context(DetectionsFile(job.detections, job.settings))


def _unreadable(path: Path, error: SourceError) -> Findings:
    return Findings((_undecodable(Check("frames"), error), account_bytes(path).check))


def _undecodable(check: Check, error: SourceError) -> Check:
    check.summary = "OUTPUT cannot be decoded"
    check.add(Grade.fail, str(error).removesuffix("; nothing was written"))
    return check


class _Verification:
    """Two opened videos and the checks."""

    def __init__(
        self, job: VerifyJob, before: Source, after: Source, foreign: ForeignMetadata, detection_source: DetectionSource
    ) -> None:
        self._job, self._before, self._after = job, before, after
        self._detected: Generator[DetectedItem] = detection_source.detected(before.items(), before.info)
        one, other = before.info, after.info
        recorded = job.detections is not None
        self._times = FrameTimes(one, other, job.target.path.suffix.lower() in EXACT_SUFFIXES)
        self._streams, self._metadata = compare_streams(one, other), LeftoverMetadata(other, foreign)
        self._audio = AudioDiff(one, other, job.audio_dropped, lambda: self._times.shift_s)
        self._pairer = FramePairer(Redactor(job.settings, detection_source.class_names))
        self._picture = PictureDiff(Grade.fail if recorded else Grade.review, other.codec)
        noise = self._picture.noise
        self._residual = Residual(self._picture.cover, recorded, noise, job.settings.redact)
        self._order = FrameOrder(self._times.check, noise)
        self._redetect = Redetect(job.settings, job.every, job.load_detector, other.time_base) if job.every else None
        self._damage: SourceError | None = None

    def findings(self) -> Findings:
        """Read both to their ends."""
        same_size = _size(self._before.info) == _size(self._after.info)
        total, stop_token = self._before.info.frame_count, self._job.stop_token
        with closing(self._inputs()) as inputs, closing(self._outputs()) as outputs, stop_token.defer():
            for number, (known, shown) in enumerate(zip_longest(inputs, outputs)):
                if known is None or shown is None:
                    self._times.add_unpaired(output=known is None)
                elif self._times.add_pair(known[0].pts, shown.pts) and same_size:
                    self._add(known[0], known[1], shown)
                self._job.progress(number + 1, max(total, number + 1))
                stop_token.raise_if_stopped()
        return self._finished()

    def _inputs(self) -> Generator[tuple[Frame, Detections]]:
        with closing(self._detected):
            for item in self._detected:
                if isinstance(item, CopiedPacket):
                    self._audio.add(INPUT, item)
                else:
                    yield item

    def _outputs(self) -> Generator[Frame]:
        """Yield its frames up to the first that cannot be decoded."""
        try:
            with closing(self._after.items()) as items:
                yield from self._frames(items)
        except SourceError as error:
            self._damage = error

    def _frames(self, items: Generator[SourceItem]) -> Generator[Frame]:
        for item in items:
            if isinstance(item, CopiedPacket):
                self._audio.add(OUTPUT, item)
            else:
                self._metadata.add(item)
                yield item

    def _add(self, frame: Frame, detections: Detections, shown: Frame) -> None:
        time_s = float(frame.pts * self._before.info.time_base)
        pair = self._pairer(frame, detections, time_s, shown)
        self._picture.add(pair)  # first: it learns the codec noise that the others need
        self._residual.add(pair)
        self._order.add(pair)
        if self._redetect:
            self._redetect.add(pair)

    def _finished(self) -> Findings:
        self._order.finish()
        self._picture.finish()
        self._residual.finish()
        self._times.finish()
        self._metadata.finish(self._after.scrubbed_packets)
        self._audio.finish(self._times.shift_s or Fraction(0), self._times.allowed_s)
        if self._damage:
            _undecodable(self._times.check, self._damage)
        elif hidden_s := hidden_audio_s(self._job.target.path):
            self._audio.check.add(Grade.fail, f"OUTPUT holds {float(hidden_s):.2f} s of audio that was cut away")
        account = account_bytes(self._job.target.path)
        account.finish(self._times.shown)
        checks: tuple[Check, ...] = (self._times.check, self._streams, account.check, self._metadata.check)
        checks += (self._audio.check,)
        checks += (self._picture.picture, self._picture.cover, self._residual.hidden)
        if self._redetect is None:
            return Findings(checks)
        self._redetect.finish()
        return Findings((*checks, self._redetect.check), tuple(self._redetect.suspects))


def _size(info: StreamInfo) -> tuple[int, int]:
    return info.picture.width, info.picture.height
