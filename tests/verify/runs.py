"""Runs and verifications with a detector that knows where the object is."""

from __future__ import annotations

from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.config.schema import Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from blurscene_stream.verify import Check, Findings, Grade, VerifyJob, verify_video
from tests.detectors import SquareDetector
from tests.settings import changed
from tests.verify.scenes import ObjectDetector


def settings_of(crf: int = 20) -> Settings:
    """With a margin that leaves enough of so small a scene to tell one frame from the next at any crf."""
    return changed(Settings(), {"classes.face.margin": 0.3, "encode.crf": crf, "encode.threads": 1})


def anonymized(
    source: Path,
    target: Path,
    file: Path | None = None,
    settings: Settings | None = None,
    detector: SquareDetector | None = None,
) -> Path:
    """An honest run, as far as `settings` and `detector` are."""
    job = Job(Address(str(source)), Address(str(target)), True, detections=Address(str(file)) if file else None)
    anonymize_video(job, settings or settings_of(), Callbacks(), StopToken(), (detector or ObjectDetector()).load)
    return target


def checked(
    source: Path,
    target: Path,
    file: Path | None,
    settings: Settings | None = None,
    audio_dropped: bool = False,
    detector: SquareDetector | None = None,
    every: int = 0,
) -> Findings:
    job = VerifyJob(
        source=Address(str(source)),
        target=Address(str(target)),
        settings=settings or settings_of(),
        detections=file,
        audio_dropped=audio_dropped,
        every=every,
        load_detector=(detector or ObjectDetector()).load,
    )
    return verify_video(job)


def failed(findings: Findings) -> set[str]:
    """The names of the checks that are not ok."""
    return {check.name for check in findings.checks if check.grade is not Grade.ok}


def report_text(findings: Findings) -> str:
    """All that was found, in words."""
    return "\n".join(line for check in findings.checks for line in check.lines())


def check_of(findings: Findings, name: str) -> Check:
    return next(check for check in findings.checks if check.name == name)
