"""One honest run, of which every test breaks something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from blurscene_stream.config.schema import Settings
from blurscene_stream.verify import Findings
from tests.verify.runs import anonymized, checked
from tests.verify.scenes import Scene, make_scene


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
