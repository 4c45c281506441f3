"""Which pictures of a frame the network looks at: the whole one, at several sizes, in regions, mirrored."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from blurscene_stream.config.schema import VariantsConfig
from blurscene_stream.detect.prepare import Layout, Region
from blurscene_stream.frames import PictureInfo

Plan = Callable[[PictureInfo, float], Layout]
"""How a model wants to see a whole picture, at so many times its size."""


def views_of(picture: PictureInfo, variants: VariantsConfig, plan: Plan) -> list[Layout]:
    """All that a model is shown of a frame.

    The whole picture at each of `scales`; n x n regions, each as large as the whole picture at scale 1, so that they
    share its batch; and with `mirror_image` all of these once more, mirrored.
    """
    views = [plan(picture, times) for times in dict.fromkeys(variants.scales)]
    if variants.enlarged_regions_n > 1:
        whole = plan(picture, 1.0)
        cuts = regions(picture.width, picture.height, variants.enlarged_regions_n, variants.region_overlap)
        views += [replace(whole, region=region) for region in cuts]
    if variants.mirror_image:
        views += [replace(view, mirrored=True) for view in views]
    return views


def regions(width: int, height: int, parts: int, overlap: float) -> list[Region]:
    """`parts` x `parts` regions of a picture, row by row; together they show every pixel."""
    columns, rows = tile_spans(width, parts, overlap), tile_spans(height, parts, overlap)
    return [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]


def tile_spans(length: int, parts: int, overlap: float) -> list[tuple[int, int]]:
    """`parts` spans of equal length that together cover 0..length, each with `overlap` of it in common with the next.

    In whole pixels, so that what is not longer than the overlap less one pixel is whole in one of them.
    """
    span = min(length, math.ceil(length / (parts - (parts - 1) * overlap)))
    starts = [index * (length - span) // max(parts - 1, 1) for index in range(parts)]
    return [(start, start + span) for start in starts]
