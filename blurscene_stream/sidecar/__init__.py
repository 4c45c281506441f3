"""Files of detections: the boxes covered in each frame, as lines of JSON that people and programs can read and edit."""

from blurscene_stream.sidecar.line_format import Header
from blurscene_stream.sidecar.reader import DetectionsFile
from blurscene_stream.sidecar.writer import DetectionsWriter, PairedSink

__all__ = ["DetectionsFile", "DetectionsWriter", "Header", "PairedSink"]
