"""One honest run, of which every test breaks something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from blurscene_stream.config.schema import Settings
from blurscene_stream.verify import Findings
from tests.detectors import SquareDetector
from tests.settings import changed
from tests.verify.runs import anonymized, checked, settings_of
from tests.verify.scenes import Scene, make_scene

ENCODERS = {"mp4": "h264", "mkv": "h264", "ts": "h264", "hevc.mp4": "hevc", "av1.mp4": "av1", "vp9.webm": "vp9"}
ENCODERS |= {"ffv1.mkv": "ffv1"}


@dataclass(frozen=True)
class Honest:
    """A video, its anonymized copy and the file of its detections, in a folder of their own."""

    folder: Path
    source: Path
    target: Path
    file: Path

    def verify(self, target: Path, settings: Settings | None = None) -> Findings:
        """Check another copy."""
        return checked(self.source, target, self.file, settings)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scene(tmp_path_factory.mktemp("scene") / "in.mp4")


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    folder = tmp_path_factory.mktemp("honest")
    source = make_scene(folder / "in.mp4", Scene())
    target, file = folder / "out.mp4", folder / "found.jsonl"
    anonymized(source, target, file)
    return Honest(folder, source, target, file)


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small output of each kind."""
    folder = tmp_path_factory.mktemp("outputs")
    source = make_scene(folder / "in.mkv", Scene(frames=3, width=64, height=48, audio=("libopus",)))
    settings = {
        name: changed(settings_of(), {"encode.codec": codec, "encode.crf": None}) for name, codec in ENCODERS.items()
    }
    return {
        name: anonymized(source, folder / f"out.{name}", None, settings[name], SquareDetector()) for name in ENCODERS
    }
