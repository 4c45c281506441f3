"""Finds faces and licence plates: frames in, one `Detections` a frame out. The only room that knows torch."""

from blurscene_stream.detect.detector import Detector
from blurscene_stream.detect.load import load_detector

__all__ = ["Detector", "load_detector"]
