"""A loop as one would script it: YuNet finds faces, HyperLPR3 plates, and each box is blurred; a peer to measure.

python -m scripts.bench.loop --faces YUNET.onnx --plates HYPERLPR.onnx INPUT OUTPUT

YuNet is `models/face_detection_yunet` of opencv/opencv_zoo (MIT licence), in OpenCV's FaceDetectorYN; for HyperLPR3 see
scripts/training/teachers.py. It decodes and encodes as this program does, so that what is between makes the difference.
It follows nothing over time, copies no audio, and checks nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame

from blurscene_stream.address import Address
from blurscene_stream.config import load_settings
from blurscene_stream.detect.preprocessor import Rgb
from blurscene_stream.source import open_source
from scripts.bench.floor import decoded, encode, stream_info
from scripts.training.teachers import load_onnx, plates_in

MIN_FACE = 0.6  # FaceDetectorYN's own default is 0.9
BLUR_SHARE = 2  # a box is this many times as large as the kernel


def anonymized(frames: Generator[VideoFrame], faces: Any, plates: Any) -> Generator[VideoFrame]:
    """Yield every frame, with a blur over each box that is found in it; faces: a FaceDetectorYN, plates: a session."""
    for frame in frames:
        picture = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
        faces.setInputSize((frame.width, frame.height))
        found = faces.detect(picture)[1]
        boxes = [] if found is None else [[x, y, x + across, y + down] for x, y, across, down in found[:, :4].tolist()]
        boxes += plates_in(plates, picture[..., ::-1])[:, :4].tolist()
        for box in boxes:
            _blur(picture, box)
        made = VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=frame.format.name)
        made.pts, made.time_base = frame.pts, frame.time_base
        yield made


def _blur(picture: Rgb, box: Sequence[float]) -> None:
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in box)
    region = picture[y0:y1, x0:x1]
    if region.size:
        size = max(region.shape[:2]) // BLUR_SHARE + 1
        region[...] = cv2.blur(region, (size, size))


def main(arguments: Sequence[str] | None = None) -> None:
    """Anonymize one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, metavar="YUNET.onnx")
    parser.add_argument("--plates", type=Path, required=True, metavar="HYPERLPR.onnx")
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args(arguments)
    settings = load_settings()
    with open_source(Address(str(given.input)), settings) as source:
        info = stream_info(source)
    size = info.picture.width, info.picture.height
    faces, plates = cv2.FaceDetectorYN.create(str(given.faces), "", size, MIN_FACE), load_onnx(given.plates)
    encode(anonymized(decoded(given.input), faces, plates), given.output, info, settings)


if __name__ == "__main__":
    main()
