"""Put one frame of a video and of its anonymized copy side by side: the picture in README.md.

before_after.py BEFORE AFTER PICTURE [--second 1.0] [--width 560]

    scripts/run && .venv/bin/python scripts/before_after.py demo/demo.mp4 demo/demo_anonymized.mp4 docs/before_after.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3), BGR

GAP_PX = 8
CROP = (0.04, 0.06, 0.98, 0.94)  # left, top, right and bottom of what is shown, as shares of the frame
WHITE = 255


def frame_at(path: Path, second: float) -> Picture:
    """The first frame of a video at or after `second`, cut to CROP."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= second:
                picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                height, width = picture.shape[:2]
                left, top, right, bottom = CROP
                return picture[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    raise SystemExit(f"{path}: has no frame at {second} s")


def side_by_side(pictures: Sequence[Picture], width: int) -> Picture:
    """The pictures from left to right, each `width` pixels wide, with a white gap between them."""
    height = round(width * pictures[0].shape[0] / pictures[0].shape[1])
    gap = np.full((height, GAP_PX, 3), WHITE, np.uint8)
    parts: list[Picture] = []
    for picture in pictures:
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        parts += [gap, np.asarray(small, np.uint8)]
    return np.hstack(parts[1:])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--second", type=float, default=1.0)
    parser.add_argument("--width", type=int, default=560)
    chosen = parser.parse_args(arguments)
    made = side_by_side([frame_at(path, chosen.second) for path in (chosen.before, chosen.after)], chosen.width)
    if not cv2.imwrite(str(chosen.picture), made, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise SystemExit(f"{chosen.picture}: cannot be written")


if __name__ == "__main__":
    main()
