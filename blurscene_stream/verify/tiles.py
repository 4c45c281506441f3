"""The surroundings of a suspect as a small picture, in which it is covered."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import AreasConfig, RedactConfig, Settings
from blurscene_stream.frames import Frame
from blurscene_stream.image import Picture
from blurscene_stream.redact import Redactor

TILE_PX = 176
TIMES = 4.0  # as wide as the suspect
LEAST_PX = 96  # of the picture, however small the suspect

Rgb = NDArray[np.uint8]


class Cutter:
    """Cuts suspects out of frames."""

    def __init__(self, settings: Settings, classes: tuple[str, ...]) -> None:
        """`classes`: of the detector. A suspect is covered by a mosaic, wherever it lies."""
        plain = replace(settings, areas=AreasConfig(), redact=RedactConfig())
        self._redact = Redactor(plain, classes, still=True)

    def cut(self, frame: Frame, found: Detections, index: int) -> Rgb:
        """What is around the `index`-th of `found`, upright, TILE_PX in each direction.

        All of `found` is covered in it: a suspect may have another one beside it.
        """
        picture = frame.picture
        turn = picture.orientation
        width, height = turn.upright_size(picture.width, picture.height)
        upright = turn.upright(frame.scale_rgb(picture.width, picture.height))
        boxes = turn.to_upright(found.xyxy, width, height)
        x0, y0, x1, y1 = _surroundings(boxes[index].tolist(), width, height)
        part = Picture(np.ascontiguousarray(upright[y0:y1, x0:x1]), "png", lossless=True)
        moved = boxes - np.array([x0, y0, x0, y0], np.float32)
        hidden = self._redact(part.frames()[0], replace(found, xyxy=moved))
        tile = cast(Picture, hidden.native).frames()[0]
        scale = TILE_PX / max(x1 - x0, y1 - y0)
        wide, high = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        made = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
        made[:high, :wide] = tile.scale_rgb(wide, high)
        return made


def _surroundings(box: list[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Corners in whole pixels, inside the picture."""
    x0, y0, x1, y1 = box
    side = max(LEAST_PX, round(TIMES * max(x1 - x0, y1 - y0)))
    left = min(max(0, round((x0 + x1 - side) / 2)), max(0, width - side))
    top = min(max(0, round((y0 + y1 - side) / 2)), max(0, height - side))
    return left, top, min(left + side, width), min(top + side, height)
