"""Noise frames of every pixel format, strategies for boxes and settings, and masks of regions in each plane."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import ClassConfig, RedactConfig, RedactMethod, Settings, Shape
from blurscene_stream.frames import PICTURE_FORMATS, PIXEL_FORMATS, ColorModel, Frame, PictureInfo, Plane
from blurscene_stream.redact import Region

CLASSES = ("face", "license_plate")
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]
FORMATS = PIXEL_FORMATS | PICTURE_FORMATS
formats = st.sampled_from(sorted(FORMATS))
methods = st.sampled_from(list(RedactMethod))
shapes = st.sampled_from(list(Shape))
sizes = st.tuples(st.integers(1, 67), st.integers(1, 67))
edges = st.one_of(st.floats(-30, 100, width=32), st.integers(-4, 70).map(float), st.sampled_from([-1e30, 1e30]))
corners = st.tuples(edges, edges, edges, edges)


def frame_of_noise(
    width: int, height: int, pixel_format: str = "yuv420p", seed: int = 0, padding: int = 0, low: int = 0
) -> Frame:
    """Return samples in low..top; `padding` rows and columns of other samples follow each plane in memory."""
    form = FORMATS[pixel_format]
    rng = np.random.default_rng(seed)
    chroma = (-(-height >> form.shift_y), -(-width >> form.shift_x))
    shapes = [(height, width), (*chroma, 2)] if form.interleaved else [(height, width), chroma, chroma]
    if form.color_model is not ColorModel.yuv:
        shapes = [(height, width)] * form.plane_count
    planes: list[Plane] = []
    for rows, columns, *rest in shapes:
        memory = rng.integers(low, 1 << form.bits, (rows + padding, columns + padding, *rest))
        whole: Plane = memory.astype(np.uint8) if form.bits == 8 else memory.astype(np.uint16)
        planes.append(whole[:rows, :columns])
    picture = PictureInfo(width, height, form, sample_aspect_ratio=Fraction(1))
    return Frame(7, 4200, picture, tuple(planes), _no_rgb, object())


def _no_rgb(width: int, height: int) -> NDArray[np.uint8]:
    raise AssertionError(f"redaction asked for a {width} x {height} RGB picture")


def detections_at(*boxes: Box, class_id: int = 0, track_ids: Sequence[int] = ()) -> Detections:
    """Return detections of these boxes, all of one class; without tracks when `track_ids` is left out."""
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(count, 4),
        np.full(count, 0.5, np.float32),
        np.full(count, class_id, np.int64),
        CLASSES,
        track_ids=np.array(track_ids, np.int64),
    )


def settings_of(
    method: RedactMethod = RedactMethod.mosaic,
    shape: Shape = Shape.rectangle,
    margin: float = 0.1,
    min_margin_px: int = 2,
    cells: int = 6,
    solid_luma: int = 16,
) -> Settings:
    return Settings(
        classes={name: ClassConfig(shape=shape, margin=margin) for name in CLASSES},
        redact=RedactConfig(method=method, min_margin_px=min_margin_px, cells=cells, solid_luma=solid_luma),
    )


def samples_of(frame: Frame) -> list[Plane]:
    """Return copies of the planes."""
    return [plane.copy() for plane in frame.planes]


def covered_luma(picture: PictureInfo, regions: list[Region]) -> Mask:
    """Return the luma samples that `regions` cover, (height, width); calculated apart from `cover_mask`."""
    form = picture.pixel_format
    mask = np.zeros((picture.height, picture.width), bool)
    for region in regions:
        part = mask[region.y0 : region.y1, region.x0 : region.x1]
        if region.block_mask is None:
            part[:] = True
        else:
            wide = np.kron(region.block_mask, np.ones((1 << form.shift_y, 1 << form.shift_x), bool))
            part |= wide[: part.shape[0], : part.shape[1]]
    return mask


def on_plane(frame: Frame, plane: int, luma: Mask) -> Mask:
    """Return the samples of a plane that share a pixel with the luma samples of a mask."""
    form = frame.picture.pixel_format
    if plane == 0:
        return luma
    step_y, step_x = 1 << form.shift_y, 1 << form.shift_x
    rows, columns = frame.planes[plane].shape[:2]
    whole = np.zeros((rows * step_y, columns * step_x), bool)
    whole[: luma.shape[0], : luma.shape[1]] = luma
    return np.asarray(whole.reshape(rows, step_y, columns, step_x).any(axis=(1, 3)))
