"""The scene that the product draws, with one face and one licence plate, and frames made of pictures."""

from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.detect import Detector
from blurscene_stream.detect.backends.check_picture import HEIGHT, WIDTH, draw_scene
from blurscene_stream.detect.backends.network import Maps, Network, Pictures
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo

__all__ = [
    "FACE",
    "HEIGHT",
    "PLATE",
    "WIDTH",
    "Picture",
    "WatchedNetwork",
    "draw_scene",
    "frame_of",
    "shown_to",
    "stored_as",
]

Picture = NDArray[np.uint8]

PLATE = (49.0, 89.0, 81.0, 98.5)
FACE = (145.0, 33.0, 185.0, 91.0)


def stored_as(upright: Picture, orientation: Orientation) -> Picture:
    """The stored picture that `orientation` turns into `upright`."""
    flipped = upright[:: -1 if orientation.flip_y else 1, :: -1 if orientation.flip_x else 1]
    return np.ascontiguousarray(flipped.swapaxes(0, 1) if orientation.transposed else flipped)


def frame_of(
    stored: Picture, orientation: Orientation = UPRIGHT, pixel_aspect: Fraction = Fraction(1), number: int = 0
) -> Frame:
    """A frame whose stored picture is `stored`; only `scale_rgb` shows it."""
    height, width = stored.shape[:2]

    def scale_rgb(to_width: int, to_height: int) -> Picture:
        return np.asarray(cv2.resize(stored, (to_width, to_height), interpolation=cv2.INTER_AREA), np.uint8)

    picture = PictureInfo(width, height, PIXEL_FORMATS["yuv444p"], orientation, pixel_aspect)
    return Frame(number, number, picture, (), scale_rgb, None)


@dataclass
class WatchedNetwork:
    """A network, and the sizes (width, height) of all pictures that it is shown."""

    network: Network
    sizes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def device_name(self) -> str:
        return self.network.device_name

    def __call__(self, images: Pictures) -> Maps:
        self.sizes.extend([(images.shape[3], images.shape[2])] * len(images))
        return self.network(images)


def shown_to(detector: Detector) -> list[tuple[int, int]]:
    """The sizes of all pictures that its network will be shown, as they come."""
    (model,) = detector._models
    assert isinstance(model, FacePlateModel)
    model.network = watched = WatchedNetwork(model.network)
    return watched.sizes
