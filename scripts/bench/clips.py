"""Clips to measure with: a street with faces and licence plates that move, of any size; nobody private is in them.

The face is that of scripts/demo_clip.py, NASA's portrait of Eileen Collins (public domain); cars and plates are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data

from scripts.demo_clip import CAR_LEFT, CAR_TOP, CAR_WIDTH, Picture, draw_car, street
from scripts.truth_views import Shape

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
FRAME_RATE = 25
CAR = (slice(CAR_TOP + 150, CAR_TOP + 450), slice(CAR_LEFT + 120, CAR_LEFT + CAR_WIDTH - 120))  # of it: round the plate
FACE = (slice(0, 280), slice(80, 360))  # of the portrait: head and shoulders
# With these a frame of 720p takes as many bits as one of a dash-cam on a motorway (150 kbit), and nearly as much time.
NOISE = 4.0  # standard deviation of what a sensor adds to each frame
OPTIONS = {"crf": "23", "preset": "fast"}


@dataclass(frozen=True)
class Clip:
    """A file to measure with.

    objects: faces and plates in it; None where that is not known
    single:  its first frame alone, as a file of its own: what a run takes beside its frames
    """

    name: str
    path: Path
    frames: int
    single: Path
    objects: int | None = None


def make_clip(folder: Path, size: str, objects: int, frames: int) -> Clip:
    """Write a clip with `objects` objects that move, faces and plates by turns.

    size: one of SIZES, or WIDTHxHEIGHT
    """
    width, height = SIZES.get(size) or map(int, size.split("x"))
    name = f"{size}_{objects}_objects_{frames}_frames"
    path = folder / f"{name}.mp4"
    write_video(path, width, height, pictures(Shape(width, height, FRAME_RATE, frames), objects))
    return Clip(name, path, frames, _first_frame(path, folder), objects)


def given_clip(path: Path, folder: Path) -> Clip:
    """Return a clip for a file; its first frame is written into `folder`.

    Raises OSError when the file cannot be read.
    """
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    if frames < 2:
        raise ValueError(f"{path}: has {frames} frames; at least 2 are needed to be measured")
    return Clip(path.stem, path.absolute(), frames, _first_frame(path, folder))


def pictures(shape: Shape, objects: int) -> Iterator[Picture]:
    """Yield the frames of a clip, RGB: the camera pans, each object circles in a place of its own."""
    scene = cv2.resize(street(), (shape.width * 5 // 4, shape.height * 5 // 4), interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(1)
    grain = rng.normal(0, NOISE, (shape.height + 64, shape.width + 64, 1)).round().astype(np.int16)
    places = _places(shape, objects)
    sprites = _sprites(round(places[0].side)) if places else []
    for number in range(shape.frames):
        left = (scene.shape[1] - shape.width) * number // max(shape.frames, 2 * shape.rate)
        down, across = rng.integers(0, 64, 2).tolist()
        shown = scene[: shape.height, left : left + shape.width].astype(np.int16)
        for index, place in enumerate(places):
            place.put(sprites[index % 2], shown, number / shape.rate)
        shown += grain[down : down + shape.height, across : across + shape.width]
        yield np.clip(shown, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class _Place:
    """The middle of an object's circle in pixels, its radius, where on it the object begins, and the object's side."""

    x: float
    y: float
    radius: float
    phase: float
    side: float

    def put(self, sprite: Picture, shown: np.ndarray, time_s: float) -> None:
        """Draw the object into a picture."""
        angle = self.phase + math.pi * time_s  # one turn in two seconds
        top = round(self.y + self.radius * math.sin(angle) - sprite.shape[0] / 2)
        left = round(self.x + self.radius * math.cos(angle) - sprite.shape[1] / 2)
        shown[top : top + sprite.shape[0], left : left + sprite.shape[1]] = sprite


def _places(shape: Shape, objects: int) -> list[_Place]:
    """Return a place for each object, on a grid over the whole picture."""
    if not objects:
        return []
    columns = max(1, round(math.sqrt(objects * shape.width / shape.height)))
    rows = -(-objects // columns)
    across, down = shape.width / columns, shape.height / rows
    side = min(0.8 * across, 0.8 * down, shape.height / 6)
    radius = min((min(across, down) - side) / 2, side / 2)
    return [
        _Place((index % columns + 0.5) * across, (index // columns + 0.5) * down, radius, index, side)
        for index in range(objects)
    ]


def _sprites(side: int) -> list[Picture]:
    """Return the face and the car, each at most `side` pixels wide and high."""
    canvas = street()
    draw_car(canvas)
    return [_resized(skimage.data.astronaut()[FACE], side), _resized(canvas[CAR], side)]


def _resized(picture: Picture, side: int) -> Picture:
    height, width = picture.shape[:2]
    factor = side / max(width, height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def write_video(path: Path, width: int, height: int, frames: Iterator[Picture]) -> None:
    """Write pictures, RGB, as H.264."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE, options=OPTIONS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _first_frame(path: Path, folder: Path) -> Path:
    """Write the first frame of a video into `folder`, as a video; return its path."""
    single = folder / f"{path.stem}.first_frame.mp4"
    with av.open(str(path)) as container:
        shown = np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)
    even = shown[: shown.shape[0] // 2 * 2, : shown.shape[1] // 2 * 2]  # as 4:2:0 needs it
    write_video(single, even.shape[1], even.shape[0], iter([np.ascontiguousarray(even)]))
    return single
