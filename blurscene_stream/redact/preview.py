"""Draws what was found instead of hiding it: for looking at a detector, never for publishing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.frames import ColorModel, Frame, PictureInfo, Plane, RedactedFrame
from blurscene_stream.redact.areas import Areas
from blurscene_stream.redact.redactor import in_label_order
from blurscene_stream.redact.regions import Region, covered, whole_picture
from blurscene_stream.redact.release import release
from blurscene_stream.redact.windows import BLACK, WHITE, Area, Window, full_range, windows

COLOURS = ((145, 54, 34), (210, 16, 146), (106, 202, 222), (170, 166, 16), (81, 90, 240))
"""Y, Cb, Cr as in 8-bit video of limited range: green, yellow, magenta, cyan, red; by label, over and over."""

PURE = ((1, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 0, 1))
"""The same colours as shares of green, blue and red."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
AREA_COLOURS = {"roi": 3, "exclude": 2, "always": 4}
LINES_PER_AREA_BLOCK = 1080  # rounded up: the outline of an area is thinner than that of a box
LEAST_OUTLINE_PX = 2
LINES_PER_OUTLINE_PX = 360  # rounded up to whole blocks: 4 px at 1080 lines, 6 px at 2160
LINES_PER_FONT_SCALE = 1600  # capitals of about 15 px at 1080 lines
LEAST_FONT_SCALE = 0.4  # smaller cannot be read


class Preview:
    """Draws a frame around every box that would be covered, with its class and score, and the areas; hides nothing."""

    def __init__(self, settings: Settings, classes: tuple[str, ...]) -> None:
        """`classes`: the detector's class names in the order of its labels.

        Raises ConfigError for a class without settings.
        """
        in_label_order(settings, classes)
        self._names = classes
        self._areas = Areas(settings.areas)
        self._classes = [ClassConfig(margin=0) for _ in classes]  # the boxes as they were found

    def __call__(self, frame: Frame, detections: Detections) -> RedactedFrame:
        """Draw what would be covered of `detections` into the planes of `frame`, in place.

        Raises RedactionError, ConfigError for an area that lies outside the picture.
        """
        return release(frame, detections, self._names, self._draw)

    def _draw(self, frame: Frame, detections: Detections) -> Detections:
        kept = self._areas.kept(frame.picture, detections)
        for kind, regions in self._areas.regions(frame.picture).items():
            for region in regions:
                _trace(frame, region, AREA_COLOURS[kind])
                _caption(frame, region, kind, AREA_COLOURS[kind])
        if frame.corrupt:
            _outline(frame, whole := whole_picture(frame.picture), AREA_COLOURS["always"])
            _caption(frame, whole, "damaged, covered whole", AREA_COLOURS["always"])
        for region in covered(frame.picture, kept, self._classes, 0):
            label = int(kept.class_ids[region.index])
            colour = label % len(COLOURS)
            _outline(frame, region, colour)
            _caption(frame, region, f"{self._names[label]} {_why(kept, region.index)}", colour)
        return kept


def _trace(frame: Frame, region: Region, colour: int) -> None:
    """The outer blocks of an area, along its edges."""
    blocks = np.ones(_blocks(frame, region), np.uint8) if region.mask is None else region.mask.view(np.uint8)
    wide = -(-frame.picture.height // LINES_PER_AREA_BLOCK)
    core = cv2.erode(blocks, np.ones((3, 3), np.uint8), iterations=wide, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    for window in windows(frame, region.area):
        line = np.broadcast_to(_sample(window, colour), window.samples.shape)
        window.write(np.ascontiguousarray(line), blocks > core)


def _blocks(frame: Frame, region: Region) -> tuple[int, int]:
    """Rows and columns of blocks of a region."""
    form = frame.picture.pixel_format
    x0, y0, x1, y1 = region.whole
    return y1 - y0 >> form.shift_y, x1 - x0 >> form.shift_x


def _outline(frame: Frame, region: Region, colour: int) -> None:
    form, height = frame.picture.pixel_format, frame.picture.height
    thick = max(LEAST_OUTLINE_PX, _even(height // LINES_PER_OUTLINE_PX))
    x0, y0, x1, y1 = region.x0, region.y0, region.x1, region.y1
    inner_x = max(x0, x1 - thick >> form.shift_x << form.shift_x)
    inner_y = max(y0, y1 - thick >> form.shift_y << form.shift_y)
    sides = (
        (x0, y0, x1, min(y0 + thick, y1)),
        (x0, inner_y, x1, y1),
        (x0, y0, min(x0 + thick, x1), y1),
        (inner_x, y0, x1, y1),
    )
    for side in sides:
        for window in windows(frame, side):
            window.samples[...] = _sample(window, colour)


def _why(detections: Detections, index: int) -> str:
    """How sure the detector was, or what tracking did instead."""
    origin = Origin(detections.origins[index])
    return f"{detections.scores[index]:.2f}" if origin <= Origin.low_confidence else origin.name


def _caption(frame: Frame, region: Region, text: str, colour: int) -> None:
    """A plate in the class's colour above the box, below its upper edge where there is no room; upright as the box."""
    picture = frame.picture
    scale = max(LEAST_FONT_SCALE, picture.height / LINES_PER_FONT_SCALE)
    plate = _plate(text, scale)
    area = _room_for(plate, region, picture)
    plate = picture.orientation.stored(plate)
    for window in windows(frame, area):
        window.samples[...] = _sample(window, colour)
        luma = BLACK if COLOURS[colour][0] > 100 else WHITE
        if window.format.color_model is not ColorModel.yuv and not window.is_alpha:
            _ink(window, plate, full_range(luma, window.format))
        elif window.plane == 0:
            _ink(window, plate, luma << (window.format.bits - 8))


def _plate(text: str, scale: float) -> NDArray[np.uint8]:
    """uint8 (H, W), both even: 255 where the letters are."""
    line_width = max(1, round(2 * scale))
    (width, height), below = cv2.getTextSize(text, FONT, scale, line_width)
    pad = 2 + below
    plate = np.zeros((_even(height + 2 * pad), _even(width + 2 * pad)), np.uint8)
    cv2.putText(plate, text, (pad, pad + height), FONT, scale, 255, line_width, cv2.LINE_AA)
    return plate


def _room_for(plate: NDArray[np.uint8], region: Region, picture: PictureInfo) -> Area:
    """Where a plate goes, in the stored picture: above a region as it is seen."""
    turn = picture.orientation
    width, height = turn.upright_size(picture.width, picture.height)
    box = np.array([[region.x0, region.y0, region.x1, region.y1]], np.float32)
    left, top = turn.to_upright(box, width, height)[0, :2]
    rows, columns = plate.shape
    y0 = top - rows if top >= rows else top
    x0 = max(0, min(left, width - columns))
    place = np.array([[x0, y0, x0 + columns, y0 + rows]], np.float32)
    x0, y0 = (max(0, int(edge) & ~1) for edge in turn.to_stored(place, width, height)[0, :2])
    rows, columns = turn.stored(plate).shape
    return x0, y0, min(x0 + columns, picture.width), min(y0 + rows, picture.height)


def _even(length: int) -> int:
    """Rounded up to whole blocks of every format."""
    return length + 1 & ~1


def _ink(window: Window, letters: Plane, value: int) -> None:
    """Mix `value` into the samples as far as `letters` (0..255) say."""
    rows, columns = window.samples.shape[:2]
    share = letters[:rows, :columns] / 255
    window.samples[...] = window.samples * (1 - share) + value * share


def _sample(window: Window, colour: int) -> Plane:
    """The samples of a colour in this plane: one, or two where chroma is interleaved."""
    form, top = window.format, (1 << window.format.bits) - 1
    if window.is_alpha:
        deep = np.array([top])
    elif form.color_model is ColorModel.gbr:
        deep = np.array([PURE[colour][window.plane] * top])
    elif form.color_model is ColorModel.gray:
        deep = np.array([full_range(COLOURS[colour][0], form)])
    else:
        parts = COLOURS[colour]
        chosen = parts[1:] if window.samples.ndim == 3 else parts[window.plane : window.plane + 1]
        deep = np.array(chosen) << (form.bits - 8)
    return deep.astype(np.uint8) if form.bits == 8 else deep.astype(np.uint16)
