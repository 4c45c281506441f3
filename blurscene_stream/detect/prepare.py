"""Makes network input of frames, and knows the way back for boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, scale
from blurscene_stream.detect.network import MULTIPLE
from blurscene_stream.frames import Frame, PictureInfo


@dataclass(frozen=True, slots=True)
class Layout:
    """How the upright picture lies in the network's input: at the top left, the rest is padding.

    picture:        the shape of the frames
    content_width:  network pixels that the upright picture takes
    content_height: likewise
    width, height:  of the network's input, multiples of MULTIPLE
    """

    picture: PictureInfo
    content_width: int
    content_height: int
    width: int
    height: int

    def to_stored(self, boxes: Boxes) -> Boxes:
        """Boxes (N, 4) in network pixels, mapped to stored pixels of the frame."""
        picture = self.picture
        width, height = picture.orientation.upright_size(picture.width, picture.height)
        upright = scale(boxes, width / self.content_width, height / self.content_height)
        return picture.orientation.to_stored(upright, width, height)


def plan_layout(picture: PictureInfo, size_px: int, enlarge: float) -> Layout:
    """Show the whole picture upright, with square pixels and its longer side at `size_px`.

    A picture smaller than that is enlarged `enlarge` times at most. The input never exceeds `size_px` (rounded up to
    MULTIPLE) on either side, however odd the picture.
    """
    orientation = picture.orientation
    stretched = picture.width * picture.sample_aspect_ratio
    across, down = (stretched, picture.height) if not orientation.transposed else (picture.height, stretched)
    factor = min(size_px / float(max(across, down)), enlarge)
    content_width, content_height = (max(1, round(float(side) * factor)) for side in (across, down))
    return Layout(picture, content_width, content_height, _padded(content_width), _padded(content_height))


def _padded(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE


def draw_frames(frames: Sequence[Frame], layout: Layout, out: NDArray[np.uint8]) -> None:
    """Write the upright pictures of `frames` into `out`, uint8 (len(frames), height, width, 3), RGB; padding is left.

    Raises ValueError when a frame has another shape than the layout was made for.
    """
    orientation = layout.picture.orientation
    size = orientation.upright_size(layout.content_width, layout.content_height)
    for frame, target in zip(frames, out, strict=True):
        if frame.picture != layout.picture:
            raise ValueError(f"frame {frame.number} is {frame.picture}, the others are {layout.picture}")
        upright = orientation.upright(frame.scale_rgb(*size))
        target[: layout.content_height, : layout.content_width] = upright
