"""Makes videos of which is known where every object is, out of labelled pictures.

    python -m scripts.make_truth_video DATASET FOLDER [--clips 4] [--seconds 4] [--width 1280] [--height 720]
                                       [--rate 25] [--seed 0]

DATASET is what `blurscene-stream evaluate` reads. Each clip shows one picture over its own strong blur, which moves,
shakes and zooms so that one of its objects grows from 12 to 300 pixels or shrinks (as far as the picture's own
sharpness goes), with motion blur, while a bar passes in front. FOLDER gets NAME.mp4 (H.264, crf 30) and
NAME.truth.jsonl (blurscene_stream/evaluate/truth.py): the labels moved by the same transform, at the middle of each
exposure and cut to what neither the bar nor the border hides, with the share that is left. Objects under 12 pixels
are left out of it, and so is what need not be found. Pictures are read as by `evaluate`: upright. Real people may be in
such clips: keep them where the data set is kept.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import BlurSceneError, SourceError
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.labels import Labelled
from blurscene_stream.evaluate.names import Names
from blurscene_stream.evaluate.pictures import read_labelled
from scripts.truth_views import Movement, Picture, Scene, Shape, View, truth_line

SHUTTER = 0.5  # share of a frame's time that it is exposed
EXPOSURES = 8  # that are laid over each other for the motion blur
CRF = 30


class Painter:
    """Paints views of one picture, uint8 (H, W, 3)."""

    def __init__(self, picture: Picture, shape: Shape) -> None:
        self._shape = shape
        self._full = picture.shape[1], picture.shape[0]
        self._levels = [picture]
        while min(self._levels[-1].shape[:2]) > 8:  # each half as large, so that shrinking does not leave out pixels
            height, width = self._levels[-1].shape[:2]
            self._levels.append(_scaled(self._levels[-1], (width + 1) // 2, (height + 1) // 2))
        tiny = _scaled(self._levels[-1], 4, 3)  # nobody is to be found in the background
        self._background = _scaled(tiny, shape.width, shape.height, cv2.INTER_CUBIC)

    def paint(self, views: Sequence[View]) -> Picture:
        """All views laid over each other, as a shutter does."""
        total = np.zeros((self._shape.height, self._shape.width, 3), np.float32)
        for view in views:
            total += self._one(view)
        return (total / len(views) + 0.5).astype(np.uint8)

    def _one(self, view: View) -> NDArray[np.float32]:
        wide = view.scale * self._full[0]
        level = next((each for each in self._levels[::-1] if each.shape[1] >= wide), self._levels[0])
        along_x = view.scale * self._full[0] / level.shape[1]
        along_y = view.scale * self._full[1] / level.shape[0]
        # OpenCV counts from the middle of the first pixel, boxes from its edge: half a pixel each way.
        matrix = np.array(
            [[along_x, 0, view.left + along_x / 2 - 0.5], [0, along_y, view.top + along_y / 2 - 0.5]], np.float64
        )
        size = self._shape.width, self._shape.height
        shown = self._background.copy()
        cv2.warpAffine(level, matrix, size, dst=shown, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
        left, right = (min(max(round(edge), 0), self._shape.width) for edge in view.bar)
        shown[:, left:right] = self._background[:, left:right] // 2 + 40
        return shown.astype(np.float32)


def _scaled(picture: Picture, width: int, height: int, method: int = cv2.INTER_AREA) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)


def scene_of(labelled: Labelled) -> Scene:
    """The picture with what is to be found in it.

    Raises SourceError.
    """
    picture, truth = read_labelled(labelled)
    frame = picture.frames()[0]
    rgb = frame.scale_rgb(frame.picture.width, frame.picture.height)
    boxes = truth.boxes[truth.counts].astype(np.float64)
    return Scene(np.ascontiguousarray(rgb[..., ::-1]), boxes, truth.labels[truth.counts])


def frames_of(picture: Picture, path: Movement, shape: Shape) -> Iterator[tuple[View, Picture]]:
    """Every frame, and the view in the middle of its exposure."""
    painter = Painter(picture, shape)
    moments = ((np.arange(EXPOSURES) + 0.5) / EXPOSURES - 0.5) * SHUTTER / shape.rate
    for number in range(shape.frames):
        time_s = number / shape.rate
        yield path.at(time_s), painter.paint([path.at(time_s + moment) for moment in moments.tolist()])


def write_clip(target: Path, scene: Scene, names: Sequence[str], shape: Shape, seed: Sequence[int]) -> None:
    """Write `target` (.mp4) and its truth beside it; an object by chance is the one that is followed."""
    chance = np.random.default_rng(seed)
    path = Movement(scene.boxes[chance.integers(len(scene.boxes))].tolist(), shape, chance)
    lines = []
    with av.open(str(target), "w", options={"fflags": "+bitexact"}) as container:
        options = {"crf": str(CRF), "preset": "medium", "threads": "1"}
        video = container.add_stream("libx264", rate=shape.rate, options=options)
        video.width, video.height, video.pix_fmt = shape.width, shape.height, "yuv420p"
        for number, (view, shown) in enumerate(frames_of(scene.pixels, path, shape)):
            lines.append(json.dumps(truth_line(number, view, scene, names, shape)))
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, shape.rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    target.with_suffix(".truth.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_clips(place: Path, folder: Path, shape: Shape, clips: int, seed: int) -> Iterator[Path]:
    """Write up to so many clips of the data set at `place`, of pictures by chance, and name each that is done.

    Raises BlurSceneError when the data set or a picture cannot be read, SourceError when no picture is of use.
    """
    names = Settings().model.classes
    pictures = [each for each in read_dataset(place, Names(names, ["*="])).pictures if each.counts.any()]
    made: set[Path] = set()
    for number in np.random.default_rng(seed).permutation(len(pictures)).tolist():
        if len(made) == clips:
            break
        scene = scene_of(pictures[number])
        if len(scene.boxes):
            target = folder / f"{place.name}_{pictures[number].file.stem}.mp4"
            if target in made:  # pictures in several folders may have one name
                target = target.with_stem(f"{target.stem}_{number}")
            write_clip(target, scene, names, shape, (seed, zlib.crc32(target.name.encode())))
            made.add(target)
            yield target
    if not made:
        raise SourceError(f"{place}: nothing that is labelled lies inside its picture; no clip was made")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make some clips of a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("folder", type=Path)
    for name, default in (("clips", 4), ("width", 1280), ("height", 720), ("rate", 25), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args(arguments)
    shape = Shape(given.width, given.height, given.rate, round(given.seconds * given.rate))
    if min(given.clips, shape.width, shape.height, shape.rate, shape.frames) < 1:
        parser.error("--clips, --width, --height, --rate and --seconds must give at least one of each")
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        for target in write_clips(given.dataset, given.folder, shape, given.clips, given.seed):
            print(target)
    except BlurSceneError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
