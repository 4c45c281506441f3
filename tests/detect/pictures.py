"""A drawn street scene with one face and one licence plate that the network finds, and frames made of pictures."""

from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.detect import Detector
from blurscene_stream.detect.backends.network import Maps, Network, Pictures
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo

Picture = NDArray[np.uint8]

PLATE = (49.0, 89.0, 81.0, 98.5)
FACE = (145.0, 33.0, 185.0, 91.0)
WIDTH, HEIGHT = 224, 144

_GLYPHS = {
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "7": (31, 1, 2, 4, 8, 8, 8),
}


class Canvas:
    """Shapes at twice the size of the picture that they become."""

    def __init__(self) -> None:
        self.y, self.x = np.mgrid[0 : 2 * HEIGHT, 0 : 2 * WIDTH].astype(np.float32)
        self.pixels = np.stack([90 + 0.2 * self.y, 100 + 0.2 * self.y, 110 + 0.15 * self.y], -1)

    def box(self, x0: int, y0: int, x1: int, y1: int, *colour: int) -> None:
        self.pixels[y0:y1, x0:x1] = colour

    def oval(self, x: int, y: int, across: int, down: int, *colour: int) -> None:
        self.pixels[((self.x - x) / across) ** 2 + ((self.y - y) / down) ** 2 < 1] = colour

    def text(self, x: int, y: int, words: str) -> None:
        rows = [[row >> bit & 1 for letter in words for row in [_GLYPHS[letter][line]] for bit in range(5, -1, -1)]
                for line in range(7)]  # fmt: skip
        ink = np.kron(np.array(rows), np.ones((2, 1))) > 0
        self.pixels[y : y + ink.shape[0], x : x + ink.shape[1]][ink] = (20, 20, 25)


def draw_scene() -> Picture:
    """RGB (HEIGHT, WIDTH, 3): a car seen from behind with its plate, and a person."""
    canvas = Canvas()
    canvas.box(0, 201, 448, 288, 70, 70, 72)
    _draw_car(canvas)
    _draw_person(canvas)
    halves = canvas.pixels.reshape(HEIGHT, 2, WIDTH, 2, 3).mean(axis=(1, 3))
    return np.asarray(halves.round(), np.uint8)


def _draw_car(canvas: Canvas) -> None:
    canvas.box(40, 130, 220, 220, 150, 20, 25)
    canvas.box(60, 90, 200, 140, 150, 20, 25)
    canvas.box(72, 98, 188, 134, 30, 40, 50)
    canvas.box(40, 205, 220, 222, 25, 25, 25)
    for x0, tyre in ((40, 52), (198, 180)):
        canvas.box(x0, 150, x0 + 22, 170, 220, 60, 40)
        canvas.box(tyre, 215, tyre + 28, 240, 15, 15, 15)
    canvas.box(98, 178, 162, 196, 20, 20, 20)
    canvas.box(100, 180, 160, 196, 240, 240, 235)
    canvas.text(109, 181, "AB12KE7")


def _draw_person(canvas: Canvas) -> None:
    canvas.oval(330, 120, 52, 66, 60, 40, 25)
    canvas.oval(330, 128, 40, 54, 225, 180, 150)
    for side in (-1, 1):
        canvas.oval(330 + side * 16, 116, 9, 5, 250, 250, 250)
        canvas.oval(330 + side * 16, 116, 4, 4, 40, 25, 20)
        canvas.box(330 + side * 16 - 10, 103, 330 + side * 16 + 10, 107, 70, 45, 30)
        canvas.oval(330 + side * 5, 142, 3, 2, 150, 95, 80)
    canvas.oval(330, 135, 5, 10, 210, 160, 130)
    canvas.oval(330, 158, 15, 5, 175, 70, 70)
    canvas.box(270, 190, 392, 288, 40, 60, 120)
    canvas.box(318, 178, 342, 194, 215, 170, 140)


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
