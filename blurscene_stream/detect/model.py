"""The interface between detector and model, and the candidate boxes that a model gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Scores
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.frames import PictureInfo

if TYPE_CHECKING:
    from blurscene_stream.detect.preprocessor import Drawer  # it imports OpenCV

NOT_FINITE = "the network gave numbers that are not finite; try --set detect.precision=fp32"
"""Message for an overflow inside a network, which must not pass for "nothing there"."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidate boxes of a batch of images, before overlapping ones are merged.

    images:    int64 (N,), index into the batch
    class_ids: int64 (N,), index into the classes
    scores:    float32 (N,), in [0, 1]
    boxes:     float32 (N, 4), x0 y0 x1 y1 in network pixels, in stored ones once they are mapped back
    """

    images: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    scores: Scores
    boxes: Boxes

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Candidates:
        return Candidates(self.images[chosen], self.class_ids[chosen], self.scores[chosen], self.boxes[chosen])

    @classmethod
    def concatenate(cls, parts: Sequence[Candidates]) -> Candidates:
        """Concatenate `parts`, of which there is at least one, in order."""
        each = [(part.images, part.class_ids, part.scores, part.boxes) for part in parts]
        return cls(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))


class Model(Protocol):
    """A network on its device, with its pre- and postprocessing."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of its classes, by class id."""

    @property
    def pad_rgb(self) -> tuple[int, int, int]:
        """The colour of the padding beside the picture."""

    @property
    def device_name(self) -> str:
        """Device, library and precision, such as "cpu, torch, bf16"."""

    def letterbox(self, picture: PictureInfo, scale: float) -> Letterbox:
        """Return how it takes a whole picture, at `scale` times the size that it has otherwise."""

    @property
    def preprocessor(self) -> Callable[[], Drawer]:
        """What makes its input, for one thread; models that have the same share it."""

    def __call__(self, images: Any, thresholds: Sequence[float]) -> Candidates:
        """Return all boxes with a score above their class's threshold, in pixels of the images.

        images: uint8 RGB (B, 3, H, W), as its preprocessor drew them; in memory channels come last

        Raises DetectionError when it gives numbers that are not finite, RuntimeError when its library fails.
        """
