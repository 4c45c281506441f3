"""The built-in models: a `Network`, and CenterNet-style decoding of the heat maps that it gives.

An object is a local maximum of its class's heat map (Objects as Points, Zhou et al., 2019); the cell there also holds
the box's size and the offset of its centre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import DetectConfig, ModelConfig
from blurscene_stream.detect.backends.network import (
    CLASS_COUNT,
    MULTIPLES,
    STRIDE,
    Cells,
    DeviceNetwork,
    Maps,
    Network,
    Pictures,
    check_shape,
)
from blurscene_stream.detect.letterbox import Letterbox, letterbox_top_left
from blurscene_stream.detect.model import NOT_FINITE, Candidates
from blurscene_stream.detect.preprocessor import Drawer, Preprocessor
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.frames import PictureInfo

AnyNetwork = TypeVar("AnyNetwork", bound=Network | DeviceNetwork)

_MIN_LOG_SIZE, _MAX_LOG_SIZE = -3.0, 6.5  # as the network was trained: 0.2 to 2,660 network pixels
_ONE = np.float32(1)  # a plain 1 would do, but not for numpy's type hints
_LOGIT_SLACK, _MAX_EXACT = np.float32(1e-3), np.float32(0.999)  # up to that score its rounding moves a logit by less
_AROUND = [(down, across) for down in (0, 1, 2) for across in (0, 1, 2) if (down, across) != (1, 1)]


class _FacePlate(Generic[AnyNetwork]):
    """A built-in model's classes, its network, and how it takes a picture."""

    pad_rgb = (0, 0, 0)

    def __init__(self, model: ModelConfig, network: AnyNetwork, config: DetectConfig) -> None:
        """Raise ConfigError when the model has another number of classes than the network."""
        if len(model.classes) != CLASS_COUNT:
            raise ConfigError(f"model.classes must be {CLASS_COUNT} names for {model.name}, got {len(model.classes)}")
        self.class_names = tuple(model.classes)
        self.network = network
        self._multiple = MULTIPLES[model.network["_target_"]]
        self._config = config

    @property
    def device_name(self) -> str:
        """See `Model`."""
        return self.network.device_name

    def letterbox(self, picture: PictureInfo, scale: float) -> Letterbox:
        """At the top left; the input's size changes with `scale`."""
        return letterbox_top_left(picture, self._config.size_px, self._config.max_upscale, scale, self._multiple)


class FacePlateModel(_FacePlate[Network]):
    """`Model` with a built-in network, which takes pictures from main memory and gives its maps there."""

    preprocessor = Preprocessor

    def __call__(self, images: Pictures, thresholds: Sequence[float]) -> Candidates:
        """See `Model`."""
        maps = self.network(images)
        check_shape(maps.shape, images.shape)
        return decode_heat_maps(maps, thresholds)


class DeviceFacePlateModel(_FacePlate[DeviceNetwork]):
    """`Model` with a built-in network on a device of its own, where its input is made and its peaks are found."""

    @property
    def preprocessor(self) -> Callable[[], Drawer]:
        """See `Model`."""
        return self.network.preprocessor

    def __call__(self, images: Any, thresholds: Sequence[float]) -> Candidates:
        """See `Model`."""
        limits = np.asarray(thresholds, np.float32)
        return decode_cells(self.network.cells(images, lowest_logits(limits)), limits)


def decode_heat_maps(maps: Maps, thresholds: Sequence[float]) -> Candidates:
    """Return the local maxima whose score is above their class's threshold; all of them, however large the crowd.

    Raises DetectionError when any number in `maps` is not finite.
    """
    limits = np.asarray(thresholds, np.float32)
    return decode_cells(find_cells(maps, lowest_logits(limits)), limits)


def find_cells(maps: Maps, lowest: NDArray[np.float32]) -> Cells:
    """Return the local maxima whose logit is above `lowest` (C,), in the order of the maps. Raises DetectionError."""
    logits = maps[:, :, 0]
    with np.errstate(invalid="ignore"):  # an infinity less another
        # A sum is finite only if every term is: the whole output is checked in one pass, without a map of booleans.
        _check_finite(maps.sum())
    places = np.nonzero(logits > lowest[:, None, None])
    peaks = _is_peak(logits, places)
    image, class_id, row, column = (each[peaks] for each in places)
    return Cells(image, class_id, row, column, maps[image, class_id, :, row, column])


def decode_cells(cells: Cells, limits: NDArray[np.float32]) -> Candidates:
    """Return the candidates of cells whose score is above their class's limit (C,).

    Raises DetectionError when a box is not finite.
    """
    # An exponential for each cell takes long: almost all are told by their logit, which need not be exact for that.
    with np.errstate(over="ignore", invalid="ignore"):  # the exponential of what scores 0
        scores = _ONE / (_ONE + np.exp(-cells.values[:, 0]))
        chosen = np.flatnonzero(scores > limits[cells.class_ids])
        kept = cells[chosen]
        boxes = decode_boxes(kept.values[:, 1:], kept.rows, kept.columns).astype(np.float32)
    _check_finite(boxes)
    return Candidates(kept.images, kept.class_ids, scores[chosen], boxes)


def lowest_logits(thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (C,) that lie a little below those of `thresholds`; infinity for a class that is left out."""
    near_one = np.minimum(thresholds, _MAX_EXACT)
    with np.errstate(divide="ignore"):
        below = np.log(near_one / (_ONE - near_one)) - _LOGIT_SLACK
    return np.where(thresholds < 1, below, np.inf).astype(np.float32)


def _is_peak(logits: NDArray[np.float32], places: Sequence[NDArray[np.intp]]) -> NDArray[np.bool_]:
    """Whether no neighbour of a place in (B, C, H, W) is above it: (N,).

    Maxima are sought in the logits: large ones differ when their scores are equal. Beyond the border the nearest cell
    stands for the one that is not there: it is a neighbour too, or the place itself.
    """
    image, class_id, row, column = places
    bottom, right = (side - 1 for side in logits.shape[2:])
    rows = [np.maximum(row - 1, 0), row, np.minimum(row + 1, bottom)]
    columns = [np.maximum(column - 1, 0), column, np.minimum(column + 1, right)]
    here = logits[image, class_id, row, column]
    around = [logits[image, class_id, rows[down], columns[across]] <= here for down, across in _AROUND]
    found: NDArray[np.bool_] = np.all(around, axis=0)
    return found


def decode_boxes(values: Any, row: Any, column: Any, xp: Any = np) -> Any:
    """Return corners (N, 4) in network pixels, of log height, log width, offset down and right (N, 4) at cells (N,).

    xp: the library of the arrays, numpy or torch: training calculates the same with gradients
    """
    half = xp.exp(values[:, :2].clip(_MIN_LOG_SIZE, _MAX_LOG_SIZE)) * (STRIDE / 2)
    middle_y, middle_x = (row + 0.5 + values[:, 2]) * STRIDE, (column + 0.5 + values[:, 3]) * STRIDE
    height, width = half[:, 0], half[:, 1]
    return xp.stack([middle_x - width, middle_y - height, middle_x + width, middle_y + height], 1)


def _check_finite(values: NDArray[np.float32] | np.float32) -> None:
    """Raise DetectionError when a number that the network gave is not finite."""
    if not np.isfinite(values).all():
        raise DetectionError(NOT_FINITE)
