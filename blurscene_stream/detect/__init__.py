"""Detection of faces and licence plates: frames in, one `Detections` per frame out.

backends/:  the libraries that run the built-in networks: OpenVINO, ONNX Runtime, torch
torchvision_model and what it imports: models of one's own, which need torch; everything else does without

The names below are loaded when they are first used (PEP 562): a network can be loaded before OpenCV is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blurscene_stream.detect.detector import Detector
    from blurscene_stream.detect.loading import load_detector

__all__ = ["Detector", "load_detector"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "loading" if name == "load_detector" else "detector"
    return getattr(import_module(f"blurscene_stream.detect.{home}"), name)
