"""Synthesize videos with ground truth tracks from annotated images.

    python -m scripts.make_truth_video DATASET FOLDER [--clips 4] [--seconds 4] [--width 1280] [--height 720]
                                       [--rate 25] [--seed 0]

DATASET is a data set or its annotation file, as for `blurscene-stream evaluate`. Each clip shows one image over its own
strong blur; it moves, shakes and zooms so that one of its objects grows from 12 to 300 pixels or shrinks (as far as the
image's own sharpness goes), with motion blur, while a bar passes in front. FOLDER gets NAME.mp4 (H.264, crf 30) and
NAME.truth.jsonl (blurscene_stream/evaluate/datasets/jsonl.py): the annotations moved by the same transform, at the
middle of each exposure and clipped to what neither the bar nor the border occludes, with the visible share. Objects
under 12 pixels and ignored objects are left out. Images are read as by `evaluate`: upright. Real people may be in such
clips: keep them where the data set is kept.
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
from blurscene_stream.evaluate.annotations import AnnotatedImage, read_annotated_image
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.options import ClassMapping
from scripts.truth_views import CameraPath, Picture, Scene, Shape, View, truth_line

SHUTTER = 0.5  # exposure time as a share of the frame's duration
EXPOSURES = 8  # averaged for the motion blur
CRF = 30


class Renderer:
    """Renders views of one image, uint8 (H, W, 3)."""

    def __init__(self, picture: Picture, shape: Shape) -> None:
        self._shape = shape
        self._full = picture.shape[1], picture.shape[0]
        self._levels = [picture]
        while min(self._levels[-1].shape[:2]) > 8:  # image pyramid, against aliasing
            height, width = self._levels[-1].shape[:2]
            self._levels.append(_scaled(self._levels[-1], (width + 1) // 2, (height + 1) // 2))
        tiny = _scaled(self._levels[-1], 4, 3)  # too small for a face or plate to be detected
        self._background = _scaled(tiny, shape.width, shape.height, cv2.INTER_CUBIC)

    def render(self, views: Sequence[View]) -> Picture:
        """Render the mean of all views, as an open shutter does."""
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


def scene_of(image: AnnotatedImage) -> Scene:
    """Read an image with the objects that must be found in it.

    Raises SourceError.
    """
    decoded, truth = read_annotated_image(image)
    frame = decoded.frames()[0]
    rgb = frame.scale_rgb(frame.picture.width, frame.picture.height)
    required = ~truth.ignored
    boxes = truth.boxes[required].astype(np.float64)
    return Scene(np.ascontiguousarray(rgb[..., ::-1]), boxes, truth.class_ids[required])


def frames_of(picture: Picture, path: CameraPath, shape: Shape) -> Iterator[tuple[View, Picture]]:
    """Yield every frame with the view in the middle of its exposure."""
    renderer = Renderer(picture, shape)
    moments = ((np.arange(EXPOSURES) + 0.5) / EXPOSURES - 0.5) * SHUTTER / shape.rate
    for number in range(shape.frames):
        time_s = number / shape.rate
        yield path.at(time_s), renderer.render([path.at(time_s + moment) for moment in moments.tolist()])


def write_clip(target: Path, scene: Scene, names: Sequence[str], shape: Shape, seed: Sequence[int]) -> None:
    """Write `target` (.mp4) and its ground truth beside it; the camera follows a random object."""
    rng = np.random.default_rng(seed)
    path = CameraPath(scene.boxes[rng.integers(len(scene.boxes))].tolist(), shape, rng)
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
    """Write up to `clips` clips of random images of the data set at `place`, and yield the path of each.

    Raises BlurSceneError when the data set or an image cannot be read, SourceError when no image is of use.
    """
    names = Settings().model.classes
    dataset = read_dataset(place, ClassMapping(names, ["*="]))
    images = [each for each in dataset.images if not each.ignored.all()]
    made: set[Path] = set()
    for number in np.random.default_rng(seed).permutation(len(images)).tolist():
        if len(made) == clips:
            break
        scene = scene_of(images[number])
        if len(scene.boxes):
            target = folder / f"{place.name}_{images[number].file.stem}.mp4"
            if target in made:  # images in several folders may have one name
                target = target.with_stem(f"{target.stem}_{number}")
            write_clip(target, scene, names, shape, (seed, zlib.crc32(target.name.encode())))
            made.add(target)
            yield target
    if not made:
        raise SourceError(f"{place}: no annotated object lies inside its image; no clip was made")


def main(arguments: Sequence[str] | None = None) -> None:
    """Synthesize clips of a data set."""
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
