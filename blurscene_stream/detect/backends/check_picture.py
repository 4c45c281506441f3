"""The picture that every network is checked on when it is loaded: a drawn street scene, the same to the bit everywhere.

A car seen from behind with its licence plate, and a person: both built-in networks find them. All of it is calculated
in whole numbers, for the networks' files hold what they must give here.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.detect.backends.network import Pictures

WIDTH, HEIGHT = 224, 144
"""Of the scene, in pixels."""

_PARTS = 20  # of a level
_PADDED = 192, 320  # height, width: a reduced view of 1280x720 has them too, and OpenVINO prepares each size anew

_GLYPHS = {
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "7": (31, 1, 2, 4, 8, 8, 8),
}


def check_picture(height: int = _PADDED[0], width: int = _PADDED[1]) -> Pictures:
    """Return the scene as a network takes it: at the top left, black beside and below; in larger pictures repeated."""
    times = -(-height // _PADDED[0]), -(-width // _PADDED[1])
    picture = np.ascontiguousarray(np.tile(_padded_scene(), (*times, 1))[None, :height, :width])
    return picture.transpose(0, 3, 1, 2)


@cache  # each file's reference asks for it, and each network
def _padded_scene() -> NDArray[np.uint8]:
    scene = np.zeros((*_PADDED, 3), np.uint8)
    scene[:HEIGHT, :WIDTH] = draw_scene()
    return scene


def draw_scene() -> NDArray[np.uint8]:
    """Draw the scene: RGB (HEIGHT, WIDTH, 3)."""
    canvas = _Canvas()
    canvas.box(0, 201, 448, 288, 70, 70, 72)
    _draw_car(canvas)
    _draw_person(canvas)
    rows = canvas.pixels[0::2] + canvas.pixels[1::2]
    means = (rows[:, 0::2] + rows[:, 1::2]) / (4 * _PARTS)  # a half is exact, and goes to the even level everywhere
    return np.asarray(np.rint(means), np.uint8)


class _Canvas:
    """Shapes at twice the size of the picture that they become, in parts of a level: int16 (H, W, 3)."""

    def __init__(self) -> None:
        sky = np.arange(2 * HEIGHT)[:, None] * (4, 4, 3) + np.multiply((90, 100, 110), _PARTS)  # brighter further down
        self.pixels = sky[:, None].astype(np.int16).repeat(2 * WIDTH, 1)

    def box(self, x0: int, y0: int, x1: int, y1: int, *colour: int) -> None:
        self.pixels[y0:y1, x0:x1] = np.multiply(colour, _PARTS)

    def oval(self, x: int, y: int, across: int, down: int, *colour: int) -> None:
        rows, columns = np.mgrid[-down : down + 1, -across : across + 1]
        inside = (columns * down) ** 2 + (rows * across) ** 2 < (across * down) ** 2
        self.pixels[y - down : y + down + 1, x - across : x + across + 1][inside] = np.multiply(colour, _PARTS)

    def text(self, x: int, y: int, words: str) -> None:
        rows = [[row >> bit & 1 for letter in words for row in [_GLYPHS[letter][line]] for bit in range(5, -1, -1)]
                for line in range(7)]  # fmt: skip
        ink = np.repeat(np.array(rows, bool), 2, 0)
        self.pixels[y : y + ink.shape[0], x : x + ink.shape[1]][ink] = np.multiply((20, 20, 25), _PARTS)


def _draw_car(canvas: _Canvas) -> None:
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


def _draw_person(canvas: _Canvas) -> None:
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
