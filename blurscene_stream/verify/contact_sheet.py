"""Contact sheet: a PNG of all suspects, each large and covered, the whole frame beside it, with time and score."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.schema import AreasConfig, RedactConfig, Settings, Shape
from blurscene_stream.frames import Frame
from blurscene_stream.image import DecodedImage, encode
from blurscene_stream.own_files import SHEET
from blurscene_stream.redact import Redactor

Rgb = NDArray[np.uint8]

TILE_PX = 320  # of the surroundings of a suspect; the frame beside it is as high
FRAME_PX = 568  # width of the whole frame: 16 to 9
SURROUNDINGS = 4.0  # times as wide as the suspect
MIN_SURROUNDINGS_PX = 96  # of the picture, however small the suspect
ROWS = 8  # in a column
GAP_PX, LINE_PX = 6, 15
MARKER = (255, 220, 0)  # of the suspect in the whole frame, RGB
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
BACKGROUND, INK = 32, 230
PNG_HEAD_BYTES = 33  # signature and IHDR
TEXT_CHUNK = b"tEXt" + SHEET.png_text
MARK = struct.pack(">I", len(TEXT_CHUNK) - 4) + TEXT_CHUNK + struct.pack(">I", zlib.crc32(TEXT_CHUNK))
"""Follows the head of each sheet: one of an earlier check is told from a picture of somebody's own by it."""


@dataclass(slots=True, eq=False)
class Suspect:
    """Something in OUTPUT that may have to be covered, over time.

    frame, time_s, label, score, box: at its highest score; box in stored pixels
    frames: number of checked frames in which it was detected
    tile:   its surroundings there and the whole frame; None when there are too many suspects
    """

    frame: int
    time_s: float
    label: str
    score: float
    box: Boxes
    frames: int
    tile: Rgb | None

    def as_dict(self) -> dict[str, object]:
        """Return the suspect for a JSON report."""
        return {
            "frame": self.frame,
            "time_s": round(self.time_s, 6),
            "label": self.label,
            "score": round(self.score, 4),
            "xyxy": [round(float(edge), 1) for edge in self.box],
            "frames": self.frames,
        }


class TileCutter:
    """Cuts suspects out of frames, with their surroundings and the whole frame beside them."""

    def __init__(self, settings: Settings, classes: tuple[str, ...]) -> None:
        """`classes`: of the detector. A suspect is covered by a mosaic without a margin, wherever it lies."""
        tight = {
            name: replace(one, enabled=True, margin=0.0, shape=Shape.rectangle)
            for name, one in settings.classes.items()
        }
        redact = RedactConfig(min_margin_px=0)
        self._redact = Redactor(
            replace(settings, areas=AreasConfig(), redact=redact, classes=tight), classes, still=True
        )

    def __call__(self, frame: Frame, suspects: Detections, index: int) -> Rgb:
        """Return the `index`-th of `suspects`, upright, RGB (TILE_PX, TILE_PX + GAP_PX + FRAME_PX, 3).

        All `suspects` of the frame are covered; everything else is as it is in OUTPUT.
        """
        picture = frame.picture
        turn = picture.orientation
        width, height = turn.upright_size(picture.width, picture.height)
        upright = turn.upright(frame.scale_rgb(picture.width, picture.height))
        boxes = turn.to_upright(suspects.xyxy, width, height)
        shown = DecodedImage(np.ascontiguousarray(upright), "png", lossless=True).frames()[0]
        redacted = self._redact(shown, replace(suspects, xyxy=boxes))
        covered = DecodedImage.of(redacted).frames()[0].scale_rgb(width, height)
        x0, y0, x1, y1 = _surroundings(boxes[index].tolist(), width, height)
        tile = np.full((TILE_PX, TILE_PX + GAP_PX + FRAME_PX, 3), BACKGROUND, np.uint8)
        _paste(tile[:, :TILE_PX], covered[y0:y1, x0:x1])
        scale = _paste(tile[:, TILE_PX + GAP_PX :], covered)
        left, top, right, bottom = (round(edge * scale) for edge in boxes[index].tolist())
        left, right = left + TILE_PX + GAP_PX, right + TILE_PX + GAP_PX
        cv2.rectangle(tile, (left - 3, top - 3), (right + 3, bottom + 3), MARKER, 1)
        return tile


def _paste(place: Rgb, picture: Rgb) -> float:
    """Scale `picture` to fit into the upper left of `place`; return the scale."""
    height, width = picture.shape[:2]
    scale = float(min(place.shape[0] / height, place.shape[1] / width))
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    place[:rows, :columns] = cv2.resize(np.ascontiguousarray(picture), (columns, rows), interpolation=method)
    return scale


def _surroundings(box: list[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Return corners in whole pixels, inside the picture."""
    x0, y0, x1, y1 = box
    side = max(MIN_SURROUNDINGS_PX, round(SURROUNDINGS * max(x1 - x0, y1 - y0)))
    left = min(max(0, round((x0 + x1 - side) / 2)), max(0, width - side))
    top = min(max(0, round((y0 + y1 - side) / 2)), max(0, height - side))
    return left, top, min(left + side, width), min(top + side, height)


def sheet_png(suspects: Sequence[Suspect], settings: Settings) -> bytes:
    """Return a PNG of all suspects that have a tile; there must be one at least.

    Raises SinkError.
    """
    tiled = [one for one in suspects if one.tile is not None]
    rows, columns = min(ROWS, len(tiled)), -(-len(tiled) // ROWS)
    height, width = tiled[0].tile.shape[:2] if tiled[0].tile is not None else (0, 0)
    across, down = width + GAP_PX, height + GAP_PX + LINE_PX
    sheet = np.full((rows * down + GAP_PX, columns * across + GAP_PX, 3), BACKGROUND, np.uint8)
    for place, one in enumerate(tiled):
        assert one.tile is not None
        x, y = GAP_PX + place // ROWS * across, GAP_PX + place % ROWS * down
        sheet[y : y + height, x : x + width] = one.tile
        line = (x, y + height + LINE_PX - 3)
        cv2.putText(sheet, _caption(one), line, FONT, FONT_SCALE, (INK,) * 3, 1, cv2.LINE_AA)
    # Each tile is covered already: the sheet as a whole has no objects, and no area is meant for it.
    plain, classes = replace(settings, areas=AreasConfig()), tuple(settings.classes)
    frame = DecodedImage(sheet, "png", lossless=True).frames()[0]
    made = encode(Redactor(plain, classes, still=True)(frame, Detections.empty(classes)), "png")
    return made[:PNG_HEAD_BYTES] + MARK + made[PNG_HEAD_BYTES:]


def _caption(one: Suspect) -> str:
    times = f"{one.frames} frame{'' if one.frames == 1 else 's'}"
    return f"frame {one.frame}, {one.time_s:.3f} s: {one.label} {one.score:.2f}, in {times}"
