"""The preview: draws boxes, scores and zones instead of covering them. For judging a detector, never for publishing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections, Origin
from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.frames import ColorModel, Frame, PictureInfo, Plane, RedactedFrame
from blurscene_stream.redact.plane_views import BLACK, WHITE, PlaneView, Rect, plane_views, to_full_range
from blurscene_stream.redact.redactor import class_configs, release
from blurscene_stream.redact.regions import Region, cover_regions, full_region
from blurscene_stream.redact.zones import Zones

PALETTE = ((145, 54, 34), (210, 16, 146), (106, 202, 222), (170, 166, 16), (81, 90, 240))
"""Y, Cb, Cr as in 8-bit video of limited range: green, yellow, magenta, cyan, red; by class id, over and over."""

PALETTE_GBR = ((1, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 0, 1))
"""The same colours as shares of green, blue and red."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
ZONE_COLORS = {"roi": 3, "exclude": 2, "always": 4}  # indices into PALETTE
LINES_PER_ZONE_BLOCK = 1080  # rounded up: the outline of a zone is thinner than that of a box
MIN_OUTLINE_PX = 2
LINES_PER_OUTLINE_PX = 360  # rounded up to whole blocks: 4 px at 1080 lines, 6 px at 2160
LINES_PER_FONT_SCALE = 1600  # capitals of about 15 px at 1080 lines
MIN_FONT_SCALE = 0.4  # smaller cannot be read


class Preview:
    """Draws boxes with class and score, thinly the regions that would be covered, and the zones; covers nothing."""

    def __init__(self, settings: Settings, class_names: tuple[str, ...]) -> None:
        """Prepare what to draw.

        class_names: the detector's class names in the order of its class ids
        Raises ConfigError for a class without settings.
        """
        self._covers = class_configs(settings, class_names)
        self._min_margin_px = settings.redact.min_margin_px
        self._class_names = class_names
        self._zones = Zones(settings.areas)
        self._classes = [ClassConfig(margin=0) for _ in class_names]  # boxes as they were detected

    def __call__(self, frame: Frame, detections: Detections) -> RedactedFrame:
        """Draw the detections that would be covered into the planes of `frame`, in place.

        Raises RedactionError, ConfigError for a zone that lies outside the picture.
        """
        return release(frame, detections, self._class_names, self._draw)

    def _draw(self, frame: Frame, detections: Detections) -> Detections:
        kept, frame = self._zones.filter(frame.picture, detections), frame.owned()
        for zone, regions in self._zones.regions(frame.picture).items():
            for region in regions:
                _draw_zone(frame, region, ZONE_COLORS[zone])
                _draw_label(frame, region, zone, ZONE_COLORS[zone])
        if frame.corrupt:
            _draw_box(frame, whole := full_region(frame.picture), ZONE_COLORS["always"])
            _draw_label(frame, whole, "corrupt frame, covered whole", ZONE_COLORS["always"])
        for covered in cover_regions(frame.picture, kept, self._covers, self._min_margin_px):
            _draw_zone(frame, covered, int(kept.class_ids[covered.index]) % len(PALETTE))
        for region in cover_regions(frame.picture, kept, self._classes, 0):
            class_id = int(kept.class_ids[region.index])
            color = class_id % len(PALETTE)
            _draw_box(frame, region, color)
            _draw_label(frame, region, f"{self._class_names[class_id]} {_score_text(kept, region.index)}", color)
        return kept


def _draw_zone(frame: Frame, region: Region, color: int) -> None:
    """Draw the outer blocks of a zone or of a covered region, along its edges."""
    blocks = np.ones(_block_count(frame, region), np.uint8)
    if region.block_mask is not None:
        blocks = region.block_mask.view(np.uint8)
    width = -(-frame.picture.height // LINES_PER_ZONE_BLOCK)
    core = cv2.erode(blocks, np.ones((3, 3), np.uint8), iterations=width, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    for view in plane_views(frame, region.rect):
        line = np.broadcast_to(_color_sample(view, color), view.samples.shape)
        view.write(np.ascontiguousarray(line), blocks > core)


def _block_count(frame: Frame, region: Region) -> tuple[int, int]:
    """Count the rows and columns of blocks of a region."""
    pixel_format = frame.picture.pixel_format
    x0, y0, x1, y1 = region.rect
    return -(y0 - y1 >> pixel_format.shift_y), -(x0 - x1 >> pixel_format.shift_x)  # rounded up


def _draw_box(frame: Frame, region: Region, color: int) -> None:
    pixel_format, height = frame.picture.pixel_format, frame.picture.height
    thickness = max(MIN_OUTLINE_PX, _round_up_to_even(height // LINES_PER_OUTLINE_PX))
    x0, y0, x1, y1 = region.rect
    inner_x = max(x0, x1 - thickness >> pixel_format.shift_x << pixel_format.shift_x)
    inner_y = max(y0, y1 - thickness >> pixel_format.shift_y << pixel_format.shift_y)
    sides = (
        (x0, y0, x1, min(y0 + thickness, y1)),
        (x0, inner_y, x1, y1),
        (x0, y0, min(x0 + thickness, x1), y1),
        (inner_x, y0, x1, y1),
    )
    for side in sides:
        for view in plane_views(frame, side):
            view.samples[...] = _color_sample(view, color)


def _score_text(detections: Detections, index: int) -> str:
    """Return the score of a detection, or the origin of a box that tracking added."""
    origin = Origin(detections.origins[index])
    return f"{detections.scores[index]:.2f}" if origin <= Origin.low_confidence else origin.name


def _draw_label(frame: Frame, region: Region, text: str, color: int) -> None:
    """Draw a label in the class's colour above the box, within it where there is no room; upright as the box."""
    picture = frame.picture
    scale = max(MIN_FONT_SCALE, picture.height / LINES_PER_FONT_SCALE)
    label = _render_text(text, scale)
    rect = _label_rect(label, region, picture)
    label = picture.orientation.stored(label)
    for view in plane_views(frame, rect):
        view.samples[...] = _color_sample(view, color)
        luma = BLACK if PALETTE[color][0] > 100 else WHITE
        if view.format.color_model is not ColorModel.yuv and not view.is_alpha:
            _blend(view, label, to_full_range(luma, view.format))
        elif view.plane == 0:
            _blend(view, label, luma << (view.format.bits - 8))


def _render_text(text: str, scale: float) -> NDArray[np.uint8]:
    """Return uint8 (H, W), both even: 255 where the letters are."""
    line_width = max(1, round(2 * scale))
    (width, height), baseline = cv2.getTextSize(text, FONT, scale, line_width)
    padding = 2 + baseline
    label = np.zeros((_round_up_to_even(height + 2 * padding), _round_up_to_even(width + 2 * padding)), np.uint8)
    cv2.putText(label, text, (padding, padding + height), FONT, scale, 255, line_width, cv2.LINE_AA)
    return label


def _label_rect(label: NDArray[np.uint8], region: Region, picture: PictureInfo) -> Rect:
    """Return where a label goes in the stored picture: above the region as it is seen."""
    orientation = picture.orientation
    width, height = orientation.upright_size(picture.width, picture.height)
    box = np.array([region.rect], np.float32)
    left, top = orientation.to_upright(box, width, height)[0, :2]
    rows, columns = label.shape
    y0 = top - rows if top >= rows else top
    x0 = max(0, min(left, width - columns))
    upright = np.array([[x0, y0, x0 + columns, y0 + rows]], np.float32)
    x0, y0 = (max(0, int(edge) & ~1) for edge in orientation.to_stored(upright, width, height)[0, :2])
    rows, columns = orientation.stored(label).shape
    return x0, y0, min(x0 + columns, picture.width), min(y0 + rows, picture.height)


def _round_up_to_even(length: int) -> int:
    """Round up to whole blocks of every format."""
    return length + 1 & ~1


def _blend(view: PlaneView, opacity: Plane, value: int) -> None:
    """Blend `value` into the samples with an opacity of 0..255."""
    rows, columns = view.samples.shape[:2]
    share = opacity[:rows, :columns] / 255
    view.samples[...] = view.samples * (1 - share) + value * share


def _color_sample(view: PlaneView, color: int) -> Plane:
    """Return the sample of a colour in this plane: one, or two where chroma is interleaved."""
    pixel_format, top = view.format, (1 << view.format.bits) - 1
    if view.is_alpha:
        sample = np.array([top])
    elif pixel_format.color_model is ColorModel.gbr:
        sample = np.array([PALETTE_GBR[color][view.plane] * top])
    elif pixel_format.color_model is ColorModel.gray:
        sample = np.array([to_full_range(PALETTE[color][0], pixel_format)])
    else:
        ycbcr = PALETTE[color]
        components = ycbcr[1:] if view.samples.ndim == 3 else ycbcr[view.plane : view.plane + 1]
        sample = np.array(components) << (pixel_format.bits - 8)
    return sample.astype(np.uint8) if pixel_format.bits == 8 else sample.astype(np.uint16)
