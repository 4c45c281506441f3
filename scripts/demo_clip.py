"""Make the demo clip: a picture of an astronaut behind a drawn car with a drawn licence plate, and a tone.

demo_clip.py FILE

Nothing of a private person is in it. The picture is NASA's portrait of Eileen Collins (public domain), which comes with
scikit-image (the extra "demo"); car, plate and street are drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3), RGB

SECONDS, FRAME_RATE = 4, 25
WIDTH, HEIGHT = 1280, 720
SCENE_WIDTH, SCENE_HEIGHT = 1600, 900
LEAST_VIEW = 0.8  # share of the scene that the camera sees when it is closest
GROUND = 640  # the scene's row where the street begins
CAR_LEFT, CAR_TOP, CAR_WIDTH = 820, 330, 640
PLATE_WIDTH, PLATE_HEIGHT = 208, 44  # 520 mm x 110 mm
PLATE_TEXT = "DE-MO 2026"
TONE_HZ, AUDIO_RATE_HZ, AUDIO_FRAME = 440, 48_000, 1024


def street() -> Picture:
    """An empty street under a grey sky, with the grain of a camera."""
    noise = np.random.default_rng(0).normal(0, 4, (SCENE_HEIGHT, SCENE_WIDTH, 1))
    rows = np.linspace(205, 165, SCENE_HEIGHT)[:, None, None]
    made: Picture = np.clip(rows + noise + np.array([-8, 0, 8]), 0, 255).astype(np.uint8)
    made[GROUND:] = np.clip(95 + noise[GROUND:], 0, 255).astype(np.uint8)
    return made


def scene() -> Picture:
    """The whole street, of which each frame shows a part."""
    made = street()
    portrait = cv2.resize(skimage.data.astronaut(), (640, 640), interpolation=cv2.INTER_CUBIC)
    made[GROUND - 560 : GROUND + 80, 100:740] = portrait
    cv2.rectangle(made, (96, GROUND - 564), (743, GROUND + 83), (40, 40, 40), 8)
    draw_car(made)
    return made


def draw_car(scene: Picture) -> None:
    """The back of a car that stands in the street."""
    left, top, right = CAR_LEFT, CAR_TOP, CAR_LEFT + CAR_WIDTH
    middle, paint, shade = (left + right) // 2, (38, 66, 112), (26, 46, 80)
    cv2.ellipse(scene, (middle, 790), (CAR_WIDTH // 2 + 20, 26), 0, 0, 360, (55, 55, 55), -1, cv2.LINE_AA)
    for wheel in (left + 40, right - 140):
        cv2.rectangle(scene, (wheel, 690), (wheel + 100, 790), (22, 22, 22), -1)
    roof = [(left + 120, top), (right - 120, top), (right - 40, top + 160), (left + 40, top + 160)]
    cv2.fillPoly(scene, [np.array(roof, np.int32)], paint, cv2.LINE_AA)
    glass = [(left + 140, top + 22), (right - 140, top + 22), (right - 82, top + 145), (left + 82, top + 145)]
    cv2.fillPoly(scene, [np.array(glass, np.int32)], (52, 60, 66), cv2.LINE_AA)
    cv2.rectangle(scene, (left + 10, top + 158), (right - 10, 660), paint, -1)
    cv2.rectangle(scene, (left, 650), (right, 735), shade, -1)
    cv2.line(scene, (left + 10, top + 175), (right - 10, top + 175), shade, 3, cv2.LINE_AA)
    for lamp in (left + 22, right - 122):
        cv2.rectangle(scene, (lamp, top + 190), (lamp + 100, top + 250), (168, 26, 30), -1)
        cv2.circle(scene, (lamp + 50, top + 220), 20, (206, 90, 60), -1, cv2.LINE_AA)
    draw_plate(scene, middle - PLATE_WIDTH // 2, top + 222)


def draw_plate(scene: Picture, left: int, top: int) -> None:
    """A white plate with a blue field, in its recess."""
    right, bottom = left + PLATE_WIDTH, top + PLATE_HEIGHT
    cv2.rectangle(scene, (left - 30, top - 18), (right + 30, bottom + 18), (24, 42, 74), -1)
    cv2.rectangle(scene, (left - 3, top - 3), (right + 3, bottom + 3), (16, 16, 16), -1)
    cv2.rectangle(scene, (left, top), (right, bottom), (240, 240, 236), -1)
    cv2.rectangle(scene, (left, top), (left + 16, bottom), (20, 60, 160), -1)
    (width, height), _ = cv2.getTextSize(PLATE_TEXT, cv2.FONT_HERSHEY_SIMPLEX, 0.95, 3)
    start = (left + 16 + (PLATE_WIDTH - 16 - width) // 2, top + (PLATE_HEIGHT + height) // 2)
    cv2.putText(scene, PLATE_TEXT, start, cv2.FONT_HERSHEY_SIMPLEX, 0.95, (14, 14, 14), 3, cv2.LINE_AA)


def view(scene: Picture, moment: float) -> Picture:
    """What the camera sees at `moment`, 0 at the beginning and 1 at the end: it comes closer and swings to the car."""
    share = 1 - (1 - LEAST_VIEW) * moment
    width, height = SCENE_WIDTH * share, SCENE_HEIGHT * share
    left, top = (SCENE_WIDTH - width) * moment * 0.9, (SCENE_HEIGHT - height) * moment * 0.55
    shift = np.array([[WIDTH / width, 0, -left * WIDTH / width], [0, HEIGHT / height, -top * HEIGHT / height]])
    return np.asarray(cv2.warpAffine(scene, shift, (WIDTH, HEIGHT), flags=cv2.INTER_AREA), np.uint8)


def write_clip(path: Path) -> None:
    """Write the clip: H.264 and AAC."""
    street = scene()
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "18"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=AUDIO_RATE_HZ)
        audio.codec_context.layout = "mono"
        frames = SECONDS * FRAME_RATE
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(view(street, number / (frames - 1)), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        write_tone(container, audio)


def write_tone(container: OutputContainer, audio: AudioStream) -> None:
    """A quiet tone, as long as the video."""
    for start in range(0, SECONDS * AUDIO_RATE_HZ, AUDIO_FRAME):
        angle = (start + np.arange(AUDIO_FRAME)) * (2 * np.pi * TONE_HZ / AUDIO_RATE_HZ)
        frame = av.AudioFrame.from_ndarray((np.sin(angle) * 3000).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the clip to the file that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    write_clip(parser.parse_args(arguments).file)


if __name__ == "__main__":
    main()
