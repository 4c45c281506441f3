"""Files of detections: what was covered in each frame, as lines of JSON that people and programs can read and edit.

The first line is the header, see `header`; then comes one line for each frame, see `rows`.
"""

from blurscene_stream.sidecar.reading import DetectionsFile
from blurscene_stream.sidecar.writing import DetectionsWriter, Pair

__all__ = ["DetectionsFile", "DetectionsWriter", "Pair"]
