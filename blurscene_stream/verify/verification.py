"""Reads both videos in step, and has every check look at each pair of frames."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import EncodeConfig, Settings, SourceConfig
from blurscene_stream.errors import ConfigError, CorruptInputError, SourceError
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, SourceItem
from blurscene_stream.pipeline import Interruption
from blurscene_stream.pipeline.judge import LoadDetector, load_torch_detector, named
from blurscene_stream.pipeline.judgement import ByDetector, Judgement
from blurscene_stream.redact import Redactor
from blurscene_stream.sidecar import DetectionsFile
from blurscene_stream.source import Source, open_source
from blurscene_stream.source.beyond import hidden_sound_s
from blurscene_stream.source.foreign import Holdings, holdings
from blurscene_stream.streams import StreamInfo
from blurscene_stream.verify.gaps import Gaps
from blurscene_stream.verify.hiding import Hiding
from blurscene_stream.verify.moment import Redaction
from blurscene_stream.verify.order import Order
from blurscene_stream.verify.private import Private
from blurscene_stream.verify.report import Check, Grade
from blurscene_stream.verify.sameness import Sameness
from blurscene_stream.verify.second_look import SecondLook, Suspect
from blurscene_stream.verify.shape import compare_shapes
from blurscene_stream.verify.sound import INPUT, OUTPUT, Sound
from blurscene_stream.verify.timing import Timing

EXACT = (".mp4", ".m4v", ".mov")  # containers that hold every start


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be proved, and how.

    detections: the file that tells what a run has covered; None: it is found anew
    silent:     the run was to drop the sound
    every:      each so many frames the detector looks at OUTPUT again; 0: never
    progress:   called with the frames that are done, and with all that there are
    """

    source: Address
    target: Address
    settings: Settings
    detections: Path | None = None
    silent: bool = False
    every: int = 1
    interruption: Interruption = field(default_factory=Interruption)
    load_detector: LoadDetector = load_torch_detector
    progress: Callable[[int, int], None] = lambda _done, _all: None


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: by each check, and by the detector in OUTPUT."""

    checks: tuple[Check, ...]
    suspects: tuple[Suspect, ...] = ()


def verify_video(proof: Proof) -> Findings:
    """Check that OUTPUT is INPUT, redacted.

    Raises SourceError when one of them cannot be opened at all, CorruptInputError when INPUT cannot be decoded; what
    the judgement and the redaction of INPUT raise; StoppedError.
    """
    with ExitStack() as stack:
        settings = replace(proof.settings, encode=EncodeConfig())  # both with their sound
        before = stack.enter_context(open_source(proof.source, settings))
        try:
            held = holdings(proof.target.path, settings.keep.tags)
        except CorruptInputError as error:
            return Findings((_undecodable(Check("frames"), error),))
        try:
            first = SourceConfig(video=held.videos[0] if held.videos else None)
            after = stack.enter_context(open_source(proof.target, replace(settings, source=first)))
        except SourceError as error:  # it can be opened, but nobody can judge it
            return Findings((_undecodable(Check("frames"), error),))
        judgement = _judgement(proof, stack)
        if isinstance(judgement, DetectionsFile):
            proof = replace(proof, settings=judgement.obeyed(proof.settings))
        with named(before.info.name, ConfigError):
            return _Run(proof, before, after, held, judgement).findings()


def _judgement(proof: Proof, stack: ExitStack) -> Judgement:
    if proof.detections is None:
        return ByDetector(proof.load_detector(proof.settings), proof.settings)
    return stack.enter_context(DetectionsFile(proof.detections, proof.settings))


def _undecodable(check: Check, error: SourceError) -> Check:
    check.summary = "OUTPUT cannot be decoded"
    check.add(Grade.fail, str(error).removesuffix("; nothing was written"))
    return check


class _Run:
    """Two opened videos and the checks."""

    def __init__(self, proof: Proof, before: Source, after: Source, held: Holdings, judgement: Judgement) -> None:
        self._proof, self._before, self._after = proof, before, after
        self._judged: Generator[DetectedItem] = judgement.judged(before.items(), before.info)
        one, other = before.info, after.info
        recorded = proof.detections is not None
        self._timing = Timing(one, other, proof.target.path.suffix.lower() in EXACT)
        self._shape, self._private = compare_shapes(one, other), Private(other, held)
        self._sound = Sound(one, other, proof.silent, lambda: self._timing.shift_s)
        self._redaction = Redaction(Redactor(proof.settings, judgement.classes))
        self._sameness = Sameness(Grade.fail if recorded else Grade.review, other.codec)
        self._gaps = Gaps(self._sameness.cover, Grade.fail if recorded else Grade.review, self._sameness.loss)
        self._hiding = Hiding(recorded, self._sameness.loss)
        self._order = Order(self._timing.check, self._sameness.loss)
        self._second = SecondLook(proof.settings, proof.every, proof.load_detector) if proof.every else None
        self._damage: SourceError | None = None

    def findings(self) -> Findings:
        """Read both to their ends."""
        same_size = _size(self._before.info) == _size(self._after.info)
        total, interruption = self._before.info.frame_count, self._proof.interruption
        with closing(self._inputs()) as inputs, closing(self._outputs()) as outputs, interruption.between_steps():
            for number, (known, shown) in enumerate(zip_longest(inputs, outputs)):
                if known is None or shown is None:
                    self._timing.alone(output=known is None)
                elif self._timing.step(known[0].pts, shown.pts) and same_size:
                    self._look(known[0], known[1], shown)
                self._proof.progress(number + 1, max(total, number + 1))
                interruption.check()
        return self._finished()

    def _inputs(self) -> Generator[tuple[Frame, Detections]]:
        with closing(self._judged):
            for item in self._judged:
                if isinstance(item, CopiedPacket):
                    self._sound.hear(INPUT, item)
                else:
                    yield item

    def _outputs(self) -> Generator[Frame]:
        """Its frames up to the first that cannot be decoded."""
        try:
            with closing(self._after.items()) as items:
                yield from self._heard(items)
        except SourceError as error:
            self._damage = error

    def _heard(self, items: Generator[SourceItem]) -> Generator[Frame]:
        for item in items:
            if isinstance(item, CopiedPacket):
                self._sound.hear(OUTPUT, item)
            else:
                self._private.look(item)
                yield item

    def _look(self, frame: Frame, detections: Detections, shown: Frame) -> None:
        time_s = float(frame.pts * self._before.info.time_base)
        moment = self._redaction.moment(frame, detections, time_s, shown)
        checks = (self._sameness, self._gaps, self._hiding, self._order)
        for check in checks:
            check.look(moment)
        if self._second:
            self._second.look(moment)

    def _finished(self) -> Findings:
        self._order.finish()
        self._sameness.finish()
        self._hiding.finish()
        self._timing.finish()
        self._private.finish(self._after.cleaned)
        self._sound.finish(self._timing.shift_s or Fraction(0), self._timing.allowed_s)
        if self._damage:
            _undecodable(self._timing.check, self._damage)
        elif hidden_s := hidden_sound_s(self._proof.target.path):
            self._sound.check.add(Grade.fail, f"OUTPUT holds {float(hidden_s):.2f} s of sound that was cut away")
        checks = [self._timing.check, self._shape, self._private.check, self._sound.check]
        checks += [self._sameness.picture, self._sameness.cover, self._hiding.check]
        if self._second is None:
            return Findings(tuple(checks))
        self._second.finish()
        return Findings((*checks, self._second.check), tuple(self._second.suspects))


def _size(info: StreamInfo) -> tuple[int, int]:
    return info.picture.width, info.picture.height
