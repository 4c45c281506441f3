"""The check of a network when it is loaded: what it gives for a made picture, against what torch gave for it.

The values travel in the metadata of the network's ONNX file, from torch in float32 on the CPU, for the one in int8 too.
A library may make another network of it on some processor and say nothing: OpenVINO 2026.4 does, of face_plate_v2 in
int8, in a way of compiling that is not used here: its logits are 4 too low.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import Precision
from blurscene_stream.detect.backends.check_picture import check_picture
from blurscene_stream.detect.backends.network import CLASS_COUNT, STRIDE, VALUES, Maps, Network, Pictures, check_shape
from blurscene_stream.errors import DetectionError

Values = NDArray[np.float32]
"""(CLASS_COUNT, N, VALUES): what a network gives in N cells for each class."""

_STRONGEST, _STEP = 16, 61  # cells that are kept for each class: the strongest, and every so many; no divisor of a row
_NEAR = -2.0  # logits above that are near an object: scores from 0.12 on


class Differences(NamedTuple):
    """Mean absolute differences of a class's values; what may come of a number format.

    logits, near_logits: of all cells, and of those near objects
    geometry:            log sizes and offsets near objects
    """

    logits: float
    near_logits: float
    geometry: float


LIMITS = {
    Precision.fp32: Differences(0.05, 0.05, 0.01),
    Precision.bf16: Differences(0.3, 0.3, 0.03),
    Precision.int8: Differences(0.8, 0.8, 0.05),
}
"""Over twice what the shipped networks show: 0.006, 0.08 and 0.29 of logits; 0.0005, 0.007 and 0.010 of geometry."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What a network must give for the check picture.

    cells:  int64 (CLASS_COUNT, N), places in a class's map, row by row
    values: what is to be there
    """

    cells: NDArray[np.int64]
    values: Values

    @classmethod
    def of(cls, maps: Maps) -> Reference:
        """Keep some of what a network gives for the check picture."""
        flat = _flat(maps)
        strongest = np.argsort(-flat[:, :, 0], axis=1, kind="stable")[:, :_STRONGEST]
        others = np.arange(_STEP // 2, flat.shape[1], _STEP)
        cells = np.concatenate([strongest, np.tile(others, (CLASS_COUNT, 1))], axis=1)
        return cls(cells, _at(flat, cells))

    @classmethod
    def from_text(cls, text: str) -> Reference:
        """Read what `to_text` gave. Raises ValueError for anything else, and for values of another check picture."""
        try:
            read = json.loads(text)
            picture, found = read["picture"], cls(np.array(read["cells"]), np.array(read["values"], np.float32))
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError("reference values of another form") from error
        _, _, height, width = (shown := check_picture()).shape
        last = height * width // STRIDE**2 - 1
        if found.cells.dtype != np.int64 or found.cells.min(initial=0) < 0 or found.cells.max(initial=0) > last:
            raise ValueError("reference values of cells that are none")
        if found.cells.shape[0] != CLASS_COUNT or found.values.shape != (*found.cells.shape, VALUES):
            raise ValueError("reference values of another shape")
        if picture != _digest(shown):
            raise ValueError("reference values of another picture")
        return found

    def to_text(self) -> str:
        """Return it as JSON, of about 6,000 characters."""
        values = [[[round(float(each), 3) for each in cell] for cell in cells] for cells in self.values]
        kept = {"picture": _digest(check_picture()), "cells": self.cells.tolist(), "values": values}
        return json.dumps(kept, separators=(",", ":"))

    def check(self, network: Network, precision: Precision, name: str) -> None:
        """Run a network, in `precision`, on the check picture; `name`: of its model, for the message.

        Raises DetectionError when what it gives there is something else, RuntimeError when the library fails.
        """
        picture = check_picture()
        maps = network(picture)
        check_shape(maps.shape, picture.shape)
        _refuse_other(_at(_flat(maps), self.cells), self.values, precision, f"{name} on {network.device_name}")


def check_same(given: Maps, wanted: Maps, precision: Precision, where: str) -> None:
    """Compare what two networks give for one picture. Raises DetectionError, with `where` in front."""
    _refuse_other(_flat(given), _flat(wanted), precision, where)


def _refuse_other(given: Values, wanted: Values, precision: Precision, where: str) -> None:
    """Raise DetectionError when values differ by more than `precision` makes, or are not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        worst = Differences(*np.max([_differences(*each) for each in zip(given, wanted, strict=True)], axis=0))
    if all(off <= limit for off, limit in zip(worst, LIMITS[precision], strict=True)):
        return
    lower = "" if precision is Precision.fp32 else "--set detect.precision=fp32, or "
    raise DetectionError(
        f"{where} calculates something else than it was made to: logits are off by {max(worst[:2]):.2g}, "
        f"sizes by {worst.geometry:.2g}; try {lower}another detect.backend"
    )


def _differences(given: Values, wanted: Values) -> Differences:
    off = np.abs(given - wanted)
    near = off[wanted[:, 0] > _NEAR]
    return Differences(off[:, 0].mean(), *((near[:, 0].mean(), near[:, 1:].mean()) if len(near) else (0.0, 0.0)))


def _flat(maps: Maps) -> Values:
    """Maps (B, ...), whose first picture counts -> its values of all cells, row by row."""
    flat: Values = maps[0].reshape(CLASS_COUNT, VALUES, -1).transpose(0, 2, 1)
    return flat


def _at(flat: Values, cells: NDArray[np.int64]) -> Values:
    values: Values = np.take_along_axis(flat, cells[:, :, None], axis=1)
    return values


def _digest(picture: Pictures) -> str:
    return hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()[:16]
