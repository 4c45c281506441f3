"""The contact sheet: suspects beside each other, each covered in its surroundings, with where and when it was seen."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import AreasConfig, Settings
from blurscene_stream.image import Picture, encode
from blurscene_stream.redact import Redactor
from blurscene_stream.verify.second_look import Suspect
from blurscene_stream.verify.tiles import TILE_PX

COLUMNS = 8
GAP_PX, LINE_PX = 6, 15
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
GROUND, INK = 32, 230
HEAD_BYTES = 33  # of a PNG: its signature, and IHDR
TEXT = b"tEXt" + b"Software\0blurscene-stream verify"
MARK = struct.pack(">I", len(TEXT) - 4) + TEXT + struct.pack(">I", zlib.crc32(TEXT))
"""Stands behind the head of each sheet: so one that was made before is told from a picture of somebody's own."""


def sheet_png(suspects: Sequence[Suspect], settings: Settings) -> bytes:
    """A PNG of all suspects that have a tile; there is one at least.

    Raises SinkError.
    """
    shown = [one for one in suspects if one.tile is not None]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    across, down = TILE_PX + GAP_PX, TILE_PX + GAP_PX + 2 * LINE_PX
    sheet = np.full((rows * down + GAP_PX, columns * across + GAP_PX, 3), GROUND, np.uint8)
    for place, one in enumerate(shown):
        assert one.tile is not None
        x, y = GAP_PX + place % columns * across, GAP_PX + place // columns * down
        sheet[y : y + TILE_PX, x : x + TILE_PX] = one.tile
        for number, text in enumerate(_caption(one), 1):
            line = (x, y + TILE_PX + number * LINE_PX - 3)
            cv2.putText(sheet, text, line, FONT, FONT_SCALE, (INK,) * 3, 1, cv2.LINE_AA)
    # Everything in it is covered: there is nothing more to cover in the sheet as a whole, and no area is meant for it.
    plain, classes = replace(settings, areas=AreasConfig()), tuple(settings.classes)
    frame = Picture(sheet, "png", lossless=True).frames()[0]
    made = encode(Redactor(plain, classes, still=True)(frame, Detections.empty(classes)), "png")
    return made[:HEAD_BYTES] + MARK + made[HEAD_BYTES:]


def is_sheet(path: Path) -> bool:
    """True for a file that `sheet_png` has made."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(HEAD_BYTES + len(MARK)).endswith(MARK)
    return False


def _caption(one: Suspect) -> tuple[str, str]:
    times = f"{one.frames} frame{'' if one.frames == 1 else 's'}"
    return f"frame {one.frame}, {one.time_s:.3f} s", f"{one.label} {one.score:.2f}, {times}"
