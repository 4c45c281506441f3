"""BlurScene's settings: `processing` sets ours of the same meaning, its pair of models replaces the built-in one."""

from __future__ import annotations

import logging

from blurscene_stream.config.keys import expand_classes
from blurscene_stream.config.layers import Layers, Rank, Value
from blurscene_stream.config.schema import PAIR_KEYS, ClassConfig
from blurscene_stream.errors import ConfigError

log = logging.getLogger(__name__)

_EQUIVALENTS = {  # of `processing`: our setting of the same meaning
    "merge_iou_threshold": "detect.merge.iou_threshold",
    "merging_method": "detect.merge.method",
    "area_method": "detect.merge.area_method",
    "mirror_image": "detect.variants.mirror_image",
    "enlarged_regions_n": "detect.variants.enlarged_regions_n",
}
_PRE, _POST = "processing.pre_merge_score_threshold", "processing.post_merge_score_threshold"
_IOU = "processing.merge_iou_threshold"
_MIN_SCORE = 1e-6  # a score that every box has; 0 means the class's own threshold


def apply_blurscene(layers: Layers) -> None:
    """Set the detector's values by `processing` where it is in use, and by BlurScene's pair of models.

    A value that was set in the same place as `processing` or the pair, or in one that wins over it, stays.
    Raises ConfigError, for half a pair too.
    """
    if layers.has_pair:
        _apply_pair(layers)
    if layers.values["processing.use"].value:
        if (iou := layers.values[_IOU]).value == 0:
            raise ConfigError(f"{iou.source}: {_IOU} must be above 0 when processing.use is true, got {iou.value!r}")
        for name, key in _EQUIVALENTS.items():
            found = layers.values[f"processing.{name}"]
            _pass_on(layers, found, key, getattr(found.value, "name", found.value))
        _apply_thresholds(layers)


def _apply_pair(layers: Layers) -> None:
    """Accept every box that the models return, as in BlurScene, down to their own `box_score_thresh`, at one scale.

    One model of the pair alone is refused: its other class would come from another model than the one meant.
    """
    given = [layers.values[key] for key in PAIR_KEYS]
    for key, found in zip(PAIR_KEYS, given, strict=True):
        if found.value is None:
            by = next(other for other in given if other.value is not None)
            raise ConfigError(
                f"{by.source}: {key} is missing: BlurScene's pair is {', '.join(PAIR_KEYS)}; "
                "one model beside the built-in one is for extra_models"
            )
    for key, value in (("classes.*.threshold", 0.0), ("detect.variants.scales", [1.0])):
        for name in expand_classes(key, layers.classes):
            if name not in layers.values or layers.values[name].rank is Rank.DEFAULT:
                layers.put(name, value, f"{given[0].source} (the pair's own)", Rank.DEFAULT)


def _apply_thresholds(layers: Layers) -> None:
    """Set thresholds before and after merging; an object needs no higher score than the higher of both.

    0 stands for the model's own threshold, which is the class's. A class's threshold that wins over `processing` is
    not undone by them.
    """
    pre, post = layers.values[_PRE], layers.values[_POST]
    highest = max(pre, post, key=lambda found: found.value)
    if highest.value >= 1:
        raise ConfigError(f"{highest.source}: processing's score thresholds must be below 1, else nothing is covered")
    if highest.value == 0:
        return
    keys = [f"classes.{name}.threshold" for name in layers.classes]
    own = min(_threshold(layers, key) for key in keys)
    for key in keys:
        _pass_on(layers, highest, key, highest.value)
    lowest = min(_threshold(layers, key) for key in keys)
    _pass_on(layers, pre, "detect.merge.pre_merge_score_threshold", min(pre.value or own or _MIN_SCORE, lowest))
    _pass_on(layers, post, "detect.merge.post_merge_score_threshold", min(post.value, lowest))


def _threshold(layers: Layers, key: str) -> float:
    found = layers.values.get(key)
    return ClassConfig().threshold if found is None else float(found.value)


def _pass_on(layers: Layers, found: Value, key: str, value: object) -> None:
    """Set `key` by a value of `processing`, unless a higher layer has set it; a line tells which of two counts."""
    by = max(layers.values["processing.use"], found, key=lambda other: other.rank)
    own = layers.values.get(key)
    wins = own is None or own.rank < by.rank
    if own is not None and own.rank > Rank.DEFAULT and own.value != value:
        counts, other = (found, own) if wins else (own, found)
        log.warning("%s", f"{key} is set twice: {counts.source} counts, and not {other.source}")
    if wins:
        layers.put(key, value, f"{by.source} (processing)", by.rank)
