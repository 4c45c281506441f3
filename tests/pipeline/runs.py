"""Runs of the whole pipeline with a detector that needs no weights, and what must hold after one that failed."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from blurscene_stream.address import Address
from blurscene_stream.config.schema import ClassConfig, RedactConfig, RedactMethod, Settings
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video
from tests.detectors import CLASSES, SquareDetector
from tests.settings import changed

PLAIN = Settings()
NO_CALLBACKS = Callbacks()


def solid() -> Settings:
    """One colour over each box and a tenth of it beyond, as little loss as the encoder can."""
    classes = {name: ClassConfig(margin=0.1) for name in CLASSES}
    return changed(Settings(redact=RedactConfig(method=RedactMethod.solid), classes=classes), {"encode.crf": 0})


def anonymize(
    source: Path | str,
    target: Path | str,
    settings: Settings = PLAIN,
    detector: SquareDetector | None = None,
    overwrite: bool = False,
    callbacks: Callbacks = NO_CALLBACKS,
) -> Summary:
    job = Job(Address(str(source)), Address(str(target)), overwrite)
    return anonymize_video(job, settings, callbacks, StopToken(), (detector or SquareDetector()).load)


def fails(
    error_type: type[BlurSceneError],
    source: Path,
    target: Path,
    settings: Settings = PLAIN,
    detector: SquareDetector | None = None,
    overwrite: bool = False,
) -> str:
    """Run, expect exactly `error_type`, and return its message.

    Asserts: one line that names the input or the output, the same files with the same bytes as before, in the
    folders of both, and no thread more.
    """
    before = _contents(source, target), threading.active_count()
    with pytest.raises(BlurSceneError) as caught:
        anonymize(source, target, settings, detector, overwrite)
    assert type(caught.value) is error_type, f"{type(caught.value).__name__}: {caught.value}"
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert str(source) in message or str(target) in message, message
    assert (_contents(source, target), threading.active_count()) == before
    return message


def _contents(*paths: Path) -> dict[Path, str]:
    """The files beside each path, and a checksum of each."""
    folders = {path.parent for path in paths if path.parent.is_dir() and path.parent != Path("/proc")}
    files = {file for folder in folders for file in folder.iterdir() if file.is_file()}
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
