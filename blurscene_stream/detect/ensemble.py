"""ensemble-boxes behind `detect.merge.method`: its own WBF, NMW and soft-NMS, with its own meaning.

https://github.com/ZFTurbo/Weighted-Boxes-Fusion. It knows no `detect.merge.area_method`. It brings numba and pandas
along, hence the extra `ensemble`, and is imported when it is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.boxes import Boxes, Scores
from blurscene_stream.config.schema import MergeConfig, MergeMethod
from blurscene_stream.errors import ConfigError

Merged = tuple[Boxes, Scores, Scores]
"""Boxes (N, 4), their scores (N,), and the highest score of the boxes that became each of them (N,)."""

_Unit = NDArray[np.float64]
_Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
_METHODS = (MergeMethod.ensemble_wbf, MergeMethod.ensemble_nmw, MergeMethod.ensemble_soft_nms)


def require_ensemble_boxes(method: MergeMethod) -> None:
    """Raise ConfigError when `method` needs ensemble-boxes and it cannot be imported."""
    if method in _METHODS:
        _library()


@cache
def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numba and pandas warn of their own future
            import ensemble_boxes  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("detect.merge.method: ensemble_* needs ensemble-boxes; pip install ensemble-boxes") from error
    return ensemble_boxes


def wbf(boxes: Boxes, scores: Scores, config: MergeConfig, view_count: int) -> Merged:
    """`weighted_boxes_fusion`: each box joins the mean so far that it overlaps most.

    The score is the mean one, times the share of the views that support it.
    """

    def fuse(unit: _Unit, scores: Scores) -> _Arrays:
        # The number of lists is that of its "models"; how the boxes are spread over them does not matter to it.
        none: list[list[float]] = [[]] * (view_count - 1)
        lists = [unit, *none], [scores, *none], [np.zeros(len(unit)), *none]
        fused = [
            _library().weighted_boxes_fusion(*lists, iou_thr=config.iou_threshold, conf_type=confidence)[:2]
            for confidence in ("avg", "max")
        ]
        # Both are the same boxes, each sorted by scores of its own.
        (made, mean), (_, best) = (_sorted_by_corners(*each) for each in fused)
        return made, mean, best

    return _scaled(fuse, boxes, scores)


def nmw(boxes: Boxes, scores: Scores, config: MergeConfig, _: int) -> Merged:
    """`non_maximum_weighted`: means weighted by score and by the overlap with the best box, whose score they have."""

    def weigh(unit: _Unit, scores: Scores) -> _Arrays:
        made, best, _ = _library().non_maximum_weighted(
            [unit], [scores], [np.zeros(len(unit))], iou_thr=config.iou_threshold
        )
        return made, best, best

    return _scaled(weigh, boxes, scores)


def soft_nms(boxes: Boxes, scores: Scores, config: MergeConfig, _: int) -> Merged:
    """`soft_nms`, Gaussian: drops a box whose score, sunk by its overlap with better ones, is below the threshold.

    The threshold is `post_merge_score_threshold`. It gives the boxes that are left with the scores that they had.
    """

    def suppress(unit: _Unit, scores: Scores) -> _Arrays:
        kept, same, _ = _library().soft_nms(
            *([unit], [scores], [np.zeros(len(unit))]),
            sigma=config.soft_nms_sigma,
            thresh=config.post_merge_score_threshold,
        )
        return kept, same, same

    return _scaled(suppress, boxes, scores)


def _scaled(method: Callable[[_Unit, Scores], _Arrays], boxes: Boxes, scores: Scores) -> Merged:
    """Call `method` with the boxes scaled to 0..1 by their own extent: it would clip what lies beyond the picture.

    Boxes without area, which it would drop, stay as they are.
    """
    if not len(boxes):
        return boxes, scores, scores
    corner = np.tile(boxes[:, :2].min(axis=0), 2).astype(np.float64)
    extent = float((boxes - corner).max()) or 1.0
    unit = (boxes - corner) / extent
    solid = (unit[:, 2] - unit[:, 0]) * (unit[:, 3] - unit[:, 1]) > 0
    if not solid.any():
        return boxes, scores, scores
    made, made_scores, best = method(unit[solid], scores[solid])
    parts = ((made * extent + corner, boxes[~solid]), (made_scores, scores[~solid]), (best, scores[~solid]))
    merged, merged_scores, best_scores = (np.concatenate(each).astype(np.float32) for each in parts)
    return merged, merged_scores, best_scores


def _sorted_by_corners(boxes: _Unit, scores: Scores) -> tuple[_Unit, Scores]:
    order = np.lexsort((scores, *boxes.T))
    return boxes[order], scores[order]
