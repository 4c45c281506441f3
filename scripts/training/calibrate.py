"""Calibration: make a score the probability that a box is right, alike for both classes.

Platt scaling (Platt, Probabilistic Outputs for Support Vector Machines, 1999): for each class a scale and a bias of the
logit, fitted on held-out images. Both are kept in the weights' `calibration` and folded into the last convolution when
the product loads them, so that nothing else knows of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blurscene_stream.errors import UsageError
from blurscene_stream.evaluate.image_results import MATCH_IOU, ClassResults

_STEPS = 50  # of Newton's method; it needs fewer than ten
_MIN_OF_EACH = 20
_CLIP = 1e-6  # of scores, whose logits must be finite
_BINS = 10


@dataclass(frozen=True)
class ScoredBoxes:
    """Detections of one class, in images with exhaustive annotations of it, without those on ignored objects.

    scores:         float64 (N,)
    true_positives: bool (N,), matched at MATCH_IOU
    sizes_px:       float64 (N,), longer side
    """

    scores: NDArray[np.float64]
    true_positives: NDArray[np.bool_]
    sizes_px: NDArray[np.float64]

    def calibrated(self, scale: float, bias: float) -> ScoredBoxes:
        """Return the boxes with calibrated scores."""
        return ScoredBoxes(_sigmoid(scale * logits(self.scores) + bias), self.true_positives, self.sizes_px)


def scored_boxes(results: ClassResults) -> ScoredBoxes:
    """Return the boxes of an evaluation."""
    found = results.predictions[MATCH_IOU]
    return ScoredBoxes(np.array(found.scores), np.array(found.true_positives, bool), np.array(found.sizes_px))


def concatenate(parts: Sequence[ScoredBoxes]) -> ScoredBoxes:
    """Concatenate the boxes of several evaluations, at least one."""
    return ScoredBoxes(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.true_positives for part in parts]),
        np.concatenate([part.sizes_px for part in parts]),
    )


def fit_platt(boxes: ScoredBoxes) -> tuple[float, float]:
    """Fit scale and bias of the logit by maximum likelihood, with Newton's method.

    Raises UsageError with fewer than 20 right or 20 wrong boxes.
    """
    right = int(boxes.true_positives.sum())
    if min(right, len(boxes.scores) - right) < _MIN_OF_EACH:
        raise UsageError(
            f"{right} right and {len(boxes.scores) - right} wrong boxes are too few to calibrate; "
            f"give more held-out pictures, until there are {_MIN_OF_EACH} of each"
        )
    features = np.stack([logits(boxes.scores), np.ones(len(boxes.scores))], axis=1)
    fitted = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        predicted = _sigmoid(features @ fitted)
        gradient = features.T @ (predicted - boxes.true_positives)
        curvature = (features * (predicted * (1 - predicted))[:, None]).T @ features
        fitted -= np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
    return float(fitted[0]), float(fitted[1])


def logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(score / (1 - score)), finite for scores of 0 and 1 too."""
    inside = np.clip(scores, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-values)), np.float64)


def expected_calibration_error(boxes: ScoredBoxes) -> float:
    """Return the mean difference of score and share of right boxes over ten bins of equal width (Naeini, 2015)."""
    bins = np.minimum((boxes.scores * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    scores = np.bincount(bins, boxes.scores, _BINS)
    right = np.bincount(bins, boxes.true_positives.astype(float), _BINS)
    return float(np.abs(scores - right).sum() / max(counts.sum(), 1))


def moved(usual: float, probability: float) -> tuple[float, float]:
    """Return the scale and the bias that make the score `usual` of what was `probability`."""
    wanted, given = logits(np.array([usual, probability]))
    return 1.0, float(wanted - given)


def with_calibration(state: Mapping[str, Tensor], fitted: Sequence[tuple[float, float]]) -> dict[str, Tensor]:
    """Return face_plate_v2's `state`, calibrated by what was fitted, for each class, on the scores that it gave."""
    scale, bias = state["calibration"].float().unbind(1)
    more_scale, more_bias = torch.tensor(fitted).unbind(1)
    return {**state, "calibration": torch.stack([scale * more_scale, bias * more_scale + more_bias], 1)}
