"""torchvision is an extra: without it the built-in model runs, and any other is refused with what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = """
import sys
sys.modules["torchvision"] = None  # importing it raises ImportError now
from blurscene_stream.config.schema import DetectConfig, ModelConfig, Settings, VariantsConfig
from blurscene_stream.detect import load_detector
from blurscene_stream.errors import ConfigError
assert load_detector(Settings(device="cpu")).class_names == ("face", "license_plate")
other = ModelConfig(name="mine", network={"_target_": "torchvision.models.detection.fcos_resnet50_fpn"})
try:
    detect = DetectConfig(variants=VariantsConfig(scales=[1.0]))
    load_detector(Settings(device="cpu", model=other, detect=detect))
except ConfigError as error:
    print(error)
"""


def test_a_model_of_torchvision_names_what_is_missing(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-c", SCRIPT], {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    (line,) = ran.stdout.splitlines()
    assert line.startswith("mine: needs torchvision, which cannot be imported; pip install torchvision, the one")
