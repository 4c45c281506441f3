"""A fault in any stage ends the run with its own error, and nothing is left that looks finished."""

from __future__ import annotations

import itertools
import os
import re
import resource
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import EncodeConfig, Settings
from blurscene_stream.errors import (
    BlurSceneError,
    ConfigError,
    DetectionError,
    DeviceError,
    ReadingError,
    RedactionError,
    SinkError,
    SourceError,
)
from blurscene_stream.frames import DetectedItem, Frame, RedactedFrame, SinkItem
from blurscene_stream.pipeline import Callbacks, video
from blurscene_stream.pipeline.detection import Redact
from blurscene_stream.pipeline.stages import redacted
from blurscene_stream.redact import Redactor
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.sink.video_encoder import VideoEncoder
from blurscene_stream.source.frames import frame_factory
from blurscene_stream.source.frames.frame_factory import FrameFactory
from blurscene_stream.track import ShotDetector, Tracker
from tests.detectors import CLASSES, SquareDetector
from tests.pipeline.runs import anonymize, fails

FRAMES = 25
Answer = list[Detections] | None


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "out.mp4"


def at(number: int, act: Callable[[Sequence[Frame]], Answer]) -> SquareDetector:
    """A detector that does something else in the batch that holds frame `number`."""
    return SquareDetector(lambda frames: act(frames) if number in [frame.number for frame in frames] else None)


def raising(error: BaseException) -> Callable[..., Answer]:
    def act(*_: object) -> Answer:
        raise error

    return act


def _odd_boxes(boxes: list[list[float]], label: int = 0, classes: tuple[str, ...] = CLASSES) -> Detections:
    scores, labels = np.ones(len(boxes), np.float32), np.full(len(boxes), label, np.int64)
    return Detections(np.array(boxes, np.float32), scores, labels, classes)


NONE = Detections.empty(CLASSES)
DETECTOR: dict[str, tuple[Callable[[Sequence[Frame]], Answer], type[BlurSceneError], str]] = {
    # what it does -> how, the error, a part of the message
    "fails": (raising(RuntimeError("no more\nmemory")), DetectionError, "the detector failed: RuntimeError: no more"),
    "fails without words": (raising(ZeroDivisionError()), DetectionError, "ZeroDivisionError: no reason given"),
    "is out of memory": (raising(MemoryError()), DetectionError, "MemoryError"),
    "ends by itself": (raising(StopIteration()), DetectionError, "StopIteration"),
    "answers for one too few": (
        lambda frames: [NONE] * (len(frames) - 1),
        DetectionError,
        "answered for 3 of 4 pictures",
    ),
    "answers for one too many": (
        lambda frames: [NONE] * (len(frames) + 1),
        DetectionError,
        "answered for 5 of 4",
    ),
    "answers for none": (lambda _: [], DetectionError, "answered for 0 of 4 pictures"),
    "finds what is no number": (lambda _: [_odd_boxes([[0, 0, np.nan, 9]])], DetectionError, "must be finite"),
    "finds no rectangles": (lambda _: [_odd_boxes([[0, 0, 9]])], DetectionError, "xyxy must be (N, 4)"),
    "finds an unknown class": (lambda _: [_odd_boxes([[0, 0, 9, 9]], 2)], DetectionError, "class ids must be in 0..1"),
    "has other classes": (
        lambda frames: [Detections.empty(("cat",))] * len(frames),
        DetectionError,
        "classes ('cat',)",
    ),
}


@pytest.mark.parametrize("number", [0, 13, FRAMES - 2])
@pytest.mark.parametrize("what", DETECTOR)
def test_the_detector(what: str, number: int, walker: Path, target: Path) -> None:
    act, error_type, part = DETECTOR[what]
    if "of 4" in part:  # pictures; the first batch has two, the last one a single one
        number = {0: 2, FRAMES - 2: 20}.get(number, number)
    message = fails(error_type, walker, target, detector=at(number, act))
    assert part in message


@pytest.mark.parametrize("error", [DeviceError("cuda:3 is not there"), ConfigError("model.weights: not a file")])
def test_the_detector_cannot_be_loaded(error: BlurSceneError, walker: Path, target: Path) -> None:
    detector = SquareDetector()
    object.__setattr__(detector, "load", raising(error))
    with pytest.raises(type(error), match=re.escape(str(error))):
        anonymize(walker, target, detector=detector)
    assert not list(target.parent.iterdir())


STAGES: dict[str, tuple[object, str, Exception, type[BlurSceneError], str]] = {
    # stage -> whose method is broken, its error; the error that comes out, a part of the message
    "reading": (frame_factory, "plane_views", av.error.InvalidDataError(1, "Bad picture"), SourceError, "bad picture"),
    "looking for cuts": (
        ShotDetector,
        "is_cut",
        IndexError("row 7"),
        DetectionError,
        "shot boundaries could not be detected: IndexError: row 7 (test_faults.py, line",
    ),
    "following": (Tracker, "push", ValueError("nan"), DetectionError, "tracked over time: ValueError: nan ("),
    "following to the end": (Tracker, "finish", KeyError("x"), DetectionError, "tracked over time: KeyError: 'x' ("),
    "redacting": (Redactor, "_redact", IndexError("row 7"), RedactionError, "be redacted: IndexError: row 7 ("),
    "reading, of a bug": (
        FrameFactory,
        "make",
        IndexError("rtsp://user:secret@host\nin array([1, 2])"),
        ReadingError,
        "could not be read: IndexError: rtsp://host (test_faults.py, line",
    ),
    "redacting, of samples": (Redactor, "_redact", ValueError("[[8 9]]"), RedactionError, "ValueError: [...] (test"),
    "encoding, of a bug": (VideoEncoder, "encode", KeyError(7), SinkError, "could not be encoded: KeyError: 7 (test"),
    "encoding": (VideoEncoder, "encode", SinkError("frame 7 cannot be encoded"), SinkError, "frame 7 cannot"),
    "flushing": (VideoEncoder, "flush", SinkError("the end cannot be encoded"), SinkError, "the end cannot"),
    "syncing": (os, "fsync", OSError(5, "Input/output error"), SinkError, "input/output error"),
    "naming": (Path, "replace", OSError(30, "Read-only file system"), SinkError, "read-only file system"),
}
ONCE = ("following to the end", "flushing", "syncing", "naming")


@pytest.mark.parametrize("number", [0, 13])
@pytest.mark.parametrize("stage", STAGES)
def test_any_other_stage(stage: str, number: int, walker: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, method, error, error_type, part = STAGES[stage]
    monkeypatch.setattr(owner, method, breaking(0 if stage in ONCE else number, error, getattr(owner, method)))
    message = fails(error_type, walker, target)
    assert part in message and "secret" not in message
    assert f"frame {number}" in message or stage in (*ONCE, "reading", "encoding")


def breaking(number: int, error: Exception, original: Callable[..., object]) -> Callable[..., object]:
    """`original`, which raises at its call `number`."""
    calls = itertools.count()

    def call(*args: object, **more: object) -> object:
        if next(calls) == number:
            raise error
        return original(*args, **more)

    return call


@pytest.mark.parametrize("number", [0, 13])
@pytest.mark.parametrize(
    "error",
    [
        av.error.BrokenPipeError(32, "Broken pipe", "rtsp://user:secret@host"),
        ValueError("secret"),
    ],
)
@pytest.mark.parametrize("what", ["_mux_packet", "encode"])
def test_libav_refuses(
    what: str, error: Exception, number: int, walker: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stub:
        """A stream of libav, which is compiled and cannot be patched."""

        def __init__(self, stream: VideoStream) -> None:
            self.encode = breaking(number, error, stream.encode)

    prepared = Muxer.start

    def start(self: Muxer) -> None:
        prepared(self)
        if what == "encode":
            setattr(self._video, "_stream", Stub(self._video._stream))  # noqa: B010
        else:
            setattr(self, "_mux_packet", breaking(number, error, self._mux_packet))  # noqa: B010

    monkeypatch.setattr(Muxer, "start", start)
    message = fails(SinkError, walker, target)
    assert "broken pipe" in message or "valueerror" in message
    assert "secret" not in message


@contextmanager
def files_up_to(size: int) -> Generator[None]:
    """Writing more fails, as on a full disk: Python ignores the signal, the write is refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.ts", "out.mov"])
def test_the_disk_is_full(name: str, walker: Path, target: Path) -> None:
    """Wherever it is full: an error and nothing left, or there was room for all of it."""
    # x264 writes the same bytes each time only with its fastest presets
    settings = Settings(encode=EncodeConfig(threads=1, preset="ultrafast"))
    target = target.with_name(name)
    anonymize(walker, target, settings)
    size = target.stat().st_size
    target.unlink()
    # at once, while the index is written and moved to the front, one byte before the end
    for limit in (0, 1, 5000, size // 2, size - 2500, size - 800, size - 30, size - 1):
        with files_up_to(limit):
            message = fails(SinkError, walker, target, settings)
        assert "file too large" in message, f"limit {limit} of {size}: {message}"
    with files_up_to(size):
        anonymize(walker, target, settings)
    assert target.stat().st_size == size


def test_an_old_file_stays_until_the_new_one_is_complete(walker: Path, target: Path) -> None:
    target.write_bytes(b"precious")
    seen = []

    def answer(_: Sequence[Frame]) -> Answer:
        seen.append(target.read_bytes())
        return None

    fails(DetectionError, walker, target, detector=at(20, raising(RuntimeError())), overwrite=True)
    assert target.read_bytes() == b"precious"
    anonymize(walker, target, detector=SquareDetector(answer), overwrite=True)
    assert set(seen) == {b"precious"}
    assert target.read_bytes() != b"precious"


def test_a_run_that_went_wrong_can_be_repeated(walker: Path, target: Path) -> None:
    fails(DetectionError, walker, target, detector=at(9, raising(RuntimeError())))
    assert anonymize(walker, target).frames == FRAMES


def test_no_frame_without_detections_is_written(walker: Path, target: Path) -> None:
    """At every moment, what went to the sink is part of what the detector has answered for."""
    detector = SquareDetector()
    written: list[int] = []

    def check(frame: RedactedFrame) -> None:
        assert frame.number in detector.frame_numbers
        written.append(frame.number)

    anonymize(walker, target, detector=detector, callbacks=Callbacks(on_frame=check))
    assert written == detector.frame_numbers == list(range(FRAMES))


def test_more_frames_than_were_read_or_fewer_are_no_success(
    walker: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that loses a picture is caught at the end."""

    def losing(items: Generator[DetectedItem], redact: Redact) -> Generator[SinkItem]:
        kept = original(items, redact)
        yield from (item for item in kept if not (isinstance(item, RedactedFrame) and item.number == 13))

    original = redacted
    monkeypatch.setattr(video, "redacted", losing)
    assert "25 frames were read but 24 written" in fails(DetectionError, walker, target)
