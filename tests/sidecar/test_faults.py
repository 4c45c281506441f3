"""A video and its file of detections get their names together, or neither is left."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blurscene_stream.address import Address
from blurscene_stream.atomic_file import AtomicFile
from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import (
    BlurSceneError,
    DetectionError,
    RedactionError,
    SinkError,
    SinkLostError,
    StoppedError,
    UsageError,
)
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from blurscene_stream.redact import Redactor
from blurscene_stream.sidecar.writer import DetectionsWriter
from blurscene_stream.sink.video_encoder import VideoEncoder
from blurscene_stream.streams import StreamInfo
from tests.detectors import CLASSES, SquareDetector
from tests.pipeline.test_faults import at, breaking, files_up_to, raising
from tests.sidecar.doubles import lines, write


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "out.mp4"


@pytest.fixture
def file(target: Path) -> Path:
    return target.with_name("out.jsonl")


def fails(kind: type[BlurSceneError], run: Callable[[], object], folder: Path) -> str:
    """Expect exactly `kind`; its message is one line, `folder` is as it was, and there is no thread more."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}, threading.active_count()
    with pytest.raises(BlurSceneError) as caught:
        run()
    assert type(caught.value) is kind, f"{type(caught.value).__name__}: {caught.value}"
    assert (
        {path: path.read_bytes() for path in folder.iterdir() if path.is_file()},
        threading.active_count(),
    ) == before
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


DISK = OSError(5, "Input/output error")
READ_ONLY = OSError(30, "Read-only file system")
STAGES: dict[str, tuple[object, str, int, Exception, type[BlurSceneError], str]] = {
    # moment -> whose method fails, at which call, how; the error that comes out, a part of the message
    "redacting the first": (Redactor, "_redact", 0, IndexError("row 7"), RedactionError, "IndexError"),
    "redacting": (Redactor, "_redact", 13, IndexError("row 7"), RedactionError, "IndexError"),
    "encoding": (VideoEncoder, "encode", 13, SinkError("frame 13 cannot"), SinkError, "out.mp4: frame 13 cannot"),
    "flushing": (VideoEncoder, "flush", 0, SinkError("the end cannot"), SinkError, "out.mp4: the end cannot"),
    "the header": (DetectionsWriter, "_put", 0, SinkError("no room"), SinkError, "no room"),
    "a line": (DetectionsWriter, "_put", 14, SinkError("no room"), SinkError, "no room"),
    "syncing the file": (os, "fsync", 0, DISK, SinkError, "out.jsonl: cannot be completed: input/output error"),
    "syncing the video": (os, "fsync", 1, DISK, SinkError, "out.mp4: cannot be completed: input/output error"),
    "naming the video": (Path, "replace", 0, READ_ONLY, SinkError, "out.mp4: cannot be completed: read-only"),
    "syncing its folder": (os, "fsync", 2, DISK, SinkError, "out.mp4: cannot be completed: input/output error"),
    "syncing the file again": (os, "fsync", 3, DISK, SinkError, "out.jsonl: cannot be completed: input/output error"),
    "naming the file": (Path, "replace", 1, READ_ONLY, SinkError, "out.jsonl: cannot be completed: read-only"),
    "syncing the file's folder": (os, "fsync", 4, DISK, SinkError, "out.jsonl: cannot be completed: input/output"),
}  # fmt: skip


@pytest.mark.parametrize("moment", STAGES)
def test_a_fault_at_any_moment(
    moment: str, walker: Path, target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, method, number, error, kind, part = STAGES[moment]
    monkeypatch.setattr(owner, method, breaking(number, error, getattr(owner, method)))
    assert part in fails(kind, lambda: write(walker, target, file, SquareDetector()), target.parent)


@pytest.mark.parametrize("number", [0, 13, 24])
def test_the_detector_fails(number: int, walker: Path, target: Path, file: Path) -> None:
    detector = at(number, raising(RuntimeError("no more memory")))
    assert "no more memory" in fails(DetectionError, lambda: write(walker, target, file, detector), target.parent)


@pytest.mark.parametrize("moment", ["the video", "the file"])
def test_stopped_when_one_of_them_has_its_name(
    moment: str, walker: Path, target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = AtomicFile.commit

    def stopped(self: AtomicFile) -> None:
        commit(self)
        if ("jsonl" in self.path.name) == (moment == "the file"):
            raise StoppedError("stopped by SIGTERM; nothing was left", signal.SIGTERM)

    monkeypatch.setattr(AtomicFile, "commit", stopped)
    fails(StoppedError, lambda: write(walker, target, file), target.parent)


def test_the_disk_has_no_room_for_the_file(walker: Path, target: Path, file: Path) -> None:
    """The video alone would fit."""
    some = np.linspace(0, 100, 800, dtype=np.float32).reshape(-1, 4)
    many = Detections(some, np.ones(200, np.float32), np.zeros(200, np.int64), CLASSES)
    detector = SquareDetector(lambda frames: [many] * len(frames))
    write(walker, target, file, detector)
    room = target.stat().st_size + 1000
    assert file.stat().st_size > 2 * room
    for path in (target, file):
        path.unlink()
    for limit in (room, 2 * room):
        with files_up_to(limit):
            message = fails(SinkError, lambda: write(walker, target, file, detector), target.parent)
        assert message == f"{file}: cannot be written: file too large; nothing was left"


def test_old_files_stay_until_the_new_ones_are_complete(walker: Path, target: Path, file: Path) -> None:
    target.write_bytes(b"precious")
    file.write_text(json.dumps({"format": "blurscene-stream detections"}))
    detector = at(20, raising(RuntimeError()))
    fails(DetectionError, lambda: write(walker, target, file, detector, overwrite=True), target.parent)
    write(walker, target, file, overwrite=True)
    assert len(lines(file)) == 26
    assert target.read_bytes() != b"precious"


def test_a_file_that_was_made_in_the_meantime_is_not_replaced(walker: Path, target: Path, file: Path) -> None:
    def other_program(_: StreamInfo) -> None:
        file.write_text("theirs")

    callbacks = Callbacks(on_start=other_program)
    with pytest.raises(SinkError, match=r"out\.jsonl: was made by another program in the meantime"):
        write(walker, target, file, callbacks=callbacks)
    assert {path.name: path.read_text() for path in target.parent.iterdir()} == {"out.jsonl": "theirs"}


def test_neither_has_its_name_before_both_are_complete(walker: Path, target: Path, file: Path) -> None:
    seen: list[set[str]] = []
    callbacks = Callbacks(on_frame=lambda _: seen.append({path.name for path in target.parent.iterdir()}))
    write(walker, target, file, callbacks=callbacks)
    assert seen == [{"out.mp4.partial", "out.jsonl.partial"}] * 25
    assert {path.name for path in target.parent.iterdir()} == {"out.mp4", "out.jsonl"}


def test_two_runs_do_not_write_one_file(walker: Path, target: Path, file: Path) -> None:
    with AtomicFile(file, overwrite=False), pytest.raises(SinkError, match="another run is writing it"):
        write(walker, target, file)
    assert not list(target.parent.iterdir())


def _linked(folder: Path, walker: Path) -> Path:
    (folder / "link.jsonl").symlink_to(walker)
    return folder / "link.jsonl"


def _hard_link(folder: Path, walker: Path) -> Path:
    os.link(walker, folder / "linked.jsonl")
    return folder / "linked.jsonl"


def _in_the_way(folder: Path, _: Path) -> Path:
    """The output is a link to the name that the file has while it is not complete."""
    (folder / "out.mp4").symlink_to(folder / "x.jsonl.partial")
    return folder / "x.jsonl"


def _existing(folder: Path, _: Path) -> Path:
    (folder / "old.jsonl").touch()
    return folder / "old.jsonl"


def _foreign(folder: Path, _: Path) -> Path:
    (folder / "old.jsonl").write_text("{}")
    return folder / "old.jsonl"


REFUSED: dict[str, tuple[Callable[[Path, Path], Path | str], bool, str]] = {
    # what the file is -> how it is made, is there a -y, a part of the message
    "the input": (lambda _, walker: walker, True, "input and file of detections are the same"),
    "a link to the input": (_linked, True, "input and file of detections are the same"),
    "a hard link to the input": (_hard_link, True, "input and file of detections are the same"),
    "the output": (lambda folder, _: folder / "out.mp4", True, "file of detections and output are the same"),
    "the output by a detour": (lambda folder, _: f"{folder}/../out/out.mp4", True, "output are the same"),
    "the output's place": (lambda folder, _: folder / "out.mp4.partial", True, "output are the same"),
    "made where the output goes": (_in_the_way, True, "output and file of detections are the same"),
    "there": (_existing, False, "old.jsonl: exists already; use -y to replace it"),
    "somebody's": (_foreign, True, "is no file of detections of this program, and is not replaced"),
    "in no folder": (lambda folder, _: folder / "none" / "x.jsonl", False, "there is no folder"),
    "a folder": (lambda folder, _: folder, True, "is not a file"),
    "live": (lambda *_: "rtsp://user:secret@host/x", True, "rtsp://host/x: detections are only written to a file"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_cannot_be_is_refused_before_any_work(what: str, walker: Path, target: Path) -> None:
    made, overwrite, part = REFUSED[what]
    file = made(target.parent, walker)
    detector = SquareDetector()
    job = Job(Address(str(walker)), Address(str(target)), overwrite, detections=Address(str(file)))
    message = fails(
        UsageError, lambda: anonymize_video(job, Settings(), Callbacks(), StopToken(), detector.load), target.parent
    )
    assert part in message and "secret" not in message
    assert not detector.frame_numbers


def test_a_live_target_that_is_not_there_leaves_no_file(walker: Path, target: Path, file: Path) -> None:
    job = Job(Address(str(walker)), Address("rtsp://127.0.0.1:9/x"), detections=Address(str(file)))
    load = SquareDetector().load
    fails(SinkLostError, lambda: anonymize_video(job, Settings(), Callbacks(), StopToken(), load), target.parent)
