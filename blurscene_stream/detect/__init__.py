"""Detection of faces and licence plates: frames in, one `Detections` per frame out. The only room that knows torch."""

from blurscene_stream.detect.detector import Detector, load_detector

__all__ = ["Detector", "load_detector"]
