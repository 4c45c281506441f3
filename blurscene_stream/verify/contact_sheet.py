"""Contact sheet: a PNG of all suspects, each covered in its surroundings, with frame, time and score."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Detections
from blurscene_stream.config.schema import AreasConfig, RedactConfig, Settings
from blurscene_stream.frames import Frame
from blurscene_stream.image import DecodedImage, encode
from blurscene_stream.redact import Redactor

Rgb = NDArray[np.uint8]

TILE_PX = 176
SURROUNDINGS = 4.0  # times as wide as the suspect
MIN_SURROUNDINGS_PX = 96  # of the picture, however small the suspect
COLUMNS = 8
GAP_PX, LINE_PX = 6, 15
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
BACKGROUND, INK = 32, 230
PNG_HEAD_BYTES = 33  # signature and IHDR
TEXT_CHUNK = b"tEXt" + b"Software\0blurscene-stream verify"
MARK = struct.pack(">I", len(TEXT_CHUNK) - 4) + TEXT_CHUNK + struct.pack(">I", zlib.crc32(TEXT_CHUNK))
"""Follows the head of each sheet: one of an earlier check is told from a picture of somebody's own by it."""


@dataclass(slots=True, eq=False)
class Suspect:
    """Something in OUTPUT that may have to be covered, over time.

    frame, time_s, label, score, box: at its highest score; box in stored pixels
    frames: number of checked frames in which it was detected
    tile:   its surroundings there; None when there are too many suspects
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
    """Cuts suspects out of frames, with their surroundings."""

    def __init__(self, settings: Settings, classes: tuple[str, ...]) -> None:
        """`classes`: of the detector. A suspect is covered by a mosaic, wherever it lies."""
        plain = replace(settings, areas=AreasConfig(), redact=RedactConfig())
        self._redact = Redactor(plain, classes, still=True)

    def __call__(self, frame: Frame, found: Detections, index: int) -> Rgb:
        """Return the surroundings of the `index`-th of `found`, upright, RGB (TILE_PX, TILE_PX, 3).

        All of `found` is covered in them: a suspect may have another one beside it.
        """
        picture = frame.picture
        turn = picture.orientation
        width, height = turn.upright_size(picture.width, picture.height)
        upright = turn.upright(frame.scale_rgb(picture.width, picture.height))
        boxes = turn.to_upright(found.xyxy, width, height)
        x0, y0, x1, y1 = _surroundings(boxes[index].tolist(), width, height)
        part = DecodedImage(np.ascontiguousarray(upright[y0:y1, x0:x1]), "png", lossless=True)
        moved = boxes - np.array([x0, y0, x0, y0], np.float32)
        redacted = self._redact(part.frames()[0], replace(found, xyxy=moved))
        covered = DecodedImage.of(redacted).frames()[0]
        scale = TILE_PX / max(x1 - x0, y1 - y0)
        columns, rows = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        tile = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
        tile[:rows, :columns] = covered.scale_rgb(columns, rows)
        return tile


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
    columns = min(COLUMNS, len(tiled))
    rows = -(-len(tiled) // columns)
    across, down = TILE_PX + GAP_PX, TILE_PX + GAP_PX + 2 * LINE_PX
    sheet = np.full((rows * down + GAP_PX, columns * across + GAP_PX, 3), BACKGROUND, np.uint8)
    for place, one in enumerate(tiled):
        assert one.tile is not None
        x, y = GAP_PX + place % columns * across, GAP_PX + place // columns * down
        sheet[y : y + TILE_PX, x : x + TILE_PX] = one.tile
        for number, text in enumerate(_caption(one), 1):
            line = (x, y + TILE_PX + number * LINE_PX - 3)
            cv2.putText(sheet, text, line, FONT, FONT_SCALE, (INK,) * 3, 1, cv2.LINE_AA)
    # Each tile is covered already: the sheet as a whole has no objects, and no area is meant for it.
    plain, classes = replace(settings, areas=AreasConfig()), tuple(settings.classes)
    frame = DecodedImage(sheet, "png", lossless=True).frames()[0]
    made = encode(Redactor(plain, classes, still=True)(frame, Detections.empty(classes)), "png")
    return made[:PNG_HEAD_BYTES] + MARK + made[PNG_HEAD_BYTES:]


def is_sheet(path: Path) -> bool:
    """Return True for a file that `sheet_png` has made."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(PNG_HEAD_BYTES + len(MARK)).endswith(MARK)
    return False


def _caption(one: Suspect) -> tuple[str, str]:
    times = f"{one.frames} frame{'' if one.frames == 1 else 's'}"
    return f"frame {one.frame}, {one.time_s:.3f} s", f"{one.label} {one.score:.2f}, {times}"
