"""Detection of faces and licence plates: frames in, one `Detections` per frame out.

backends/:  the libraries that run the built-in networks: OpenVINO, ONNX Runtime, torch
torchvision_model and what it imports: models of one's own, which need torch; everything else does without
"""

from blurscene_stream.detect.detector import Detector, load_detector

__all__ = ["Detector", "load_detector"]
