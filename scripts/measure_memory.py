"""Peak memory for a short and a long clip: they must be alike, since nothing is held longer than the queues.

python -m scripts.measure_memory --minutes 1 10
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from scripts.compare_speed import run

WIDTH, HEIGHT, RATE = 1920, 1080, 10
LOOP_S = 4


def make_clip(path: Path, minutes: float) -> None:
    """1080p, H.264: a few seconds of moving noise, again and again."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        noise = np.random.default_rng(0).integers(60, 200, (HEIGHT * 3 // 2 // 4, WIDTH // 4), dtype=np.uint8)
        picture = noise.repeat(4, axis=0).repeat(4, axis=1)
        for number in range(round(minutes * 60 * RATE)):
            moved = np.roll(picture, number % (LOOP_S * RATE) * 4, axis=1)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def main() -> int:
    """Print one line a clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 10])
    parser.add_argument("--command", default="blurscene-stream -y --quiet --size 320 {input} {output}")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, output = Path(folder) / "clip.mp4", Path(folder) / "out.mp4"
        for minutes in chosen.minutes:
            make_clip(clip, minutes)
            cost = run(chosen.command, clip, output)
            frames = round(minutes * 60 * RATE)
            print(f"{minutes:g} min, {frames} frames: peak {cost.peak_mib:.0f} MiB, {cost.wall_s:.0f} s")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
