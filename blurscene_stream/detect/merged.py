"""What merging gives, and the mean of groups that several methods take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blurscene_stream.boxes import Boxes
from blurscene_stream.detect.groups import Groups
from blurscene_stream.detect.overlap import Floats

_LEAST_WEIGHT = 1e-30  # a group whose weights are all 0 has a plain mean


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Merged boxes of one class.

    boxes:  float32 (N, 4)
    scores: float32 (N,), as the method calculates them
    best:   float32 (N,), the highest score that the network gave to a box of the group
    """

    boxes: Boxes
    scores: Floats
    best: Floats

    def best_first(self) -> Merged:
        """The same, sorted by score."""
        order = np.argsort(-self.scores, kind="stable")
        return Merged(self.boxes[order], self.scores[order], self.best[order])

    def above(self, threshold: float, post_merge_threshold: float) -> Merged:
        """Those in which the network was surer than `threshold`, and whose score is above `post_merge_threshold`.

        0 as the second asks for nothing: a merged score that has sunk below the class's threshold, as means and
        soft suppression make it do, hides no object that the network found.
        """
        kept = self.best > np.float32(threshold)
        if post_merge_threshold > 0:
            kept &= self.scores > np.float32(post_merge_threshold)
        return Merged(self.boxes[kept], self.scores[kept], self.best[kept])


def weighted_mean(values: Floats, weights: Floats, groups: Groups) -> Floats:
    """The mean of `values` (N, K) within each group, weighted by `weights` (N,), not negative: (G, K)."""
    if not len(values):
        return values
    least = np.maximum(weights[groups.members].astype(np.float64), _LEAST_WEIGHT)
    sums = np.add.reduceat(values[groups.members] * least[:, None], groups.starts)
    return np.asarray(sums / np.add.reduceat(least, groups.starts)[:, None], np.float32)
