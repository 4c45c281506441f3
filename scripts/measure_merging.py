"""Measure how long each merge method takes for the candidate boxes of one class in one frame.

    python scripts/measure_merging.py [--boxes 2000] [--repeat 20]

The crowds differ in how many boxes show the same object: 1, 6 (what mirrored, whole and enlarged pictures give), 60.
The methods `ensemble_*` need the extra `ensemble`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from blurscene_stream.boxes import Boxes, Scores
from blurscene_stream.config.schema import AreaMethod, MergeConfig, MergeMethod
from blurscene_stream.detect.merge import merge

VIEWS = 6
CROWDS = {"all apart": 1, "6 an object": 6, "60 an object": 60}


def crowd(count: int, an_object: int, seed: int = 0) -> tuple[Boxes, Scores]:
    """`count` boxes in a picture of 1920 x 1080, `an_object` of them around the same place, with random scores."""
    random = np.random.default_rng(seed)
    objects = -(-count // an_object)
    middle = random.uniform(0, (1920, 1080), (objects, 2)).repeat(an_object, axis=0)[:count]
    half = (random.uniform(4, 40, (objects, 1)) * (1, 0.6)).repeat(an_object, axis=0)[:count]
    corners = np.concatenate([middle - half, middle + half], axis=1)
    shaken = corners + random.normal(0, 0.08, (count, 4)) * np.tile(half, 2)
    order = random.permutation(count)
    return shaken[order].astype(np.float32), random.uniform(0.05, 1, count).astype(np.float32)


def best_ms(boxes: Boxes, scores: Scores, config: MergeConfig, repeat: int) -> tuple[float, int]:
    """The shortest time of `repeat` calls, and how many boxes are left."""
    took, left = [], 0
    for _ in range(repeat):
        start = time.perf_counter()
        left = len(merge(boxes, scores, config, VIEWS).boxes)
        took.append(1000 * (time.perf_counter() - start))
    return min(took), left


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=20)
    chosen = parser.parse_args(arguments)
    print(f"{chosen.boxes} boxes: milliseconds (boxes left), the best of {chosen.repeat}")
    print(f"{'':24}" + "".join(f"{name:>20}" for name in CROWDS))
    for method in MergeMethod:
        for area in [AreaMethod.float] if method.name.startswith("ensemble") else AreaMethod:
            config = MergeConfig(method=method, area_method=area)
            crowds = (crowd(chosen.boxes, an_object) for an_object in CROWDS.values())
            results = [best_ms(*each, config, chosen.repeat) for each in crowds]
            cells = "".join(f"{f'{ms:.1f} ({left})':>20}" for ms, left in results)
            print(f"{f'{method.name} {area.name}':24}{cells}")


if __name__ == "__main__":
    main()
