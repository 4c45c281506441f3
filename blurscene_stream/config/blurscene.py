"""BlurScene's own settings: `processing` sets ours of the same meaning, its pair replaces the built-in model."""

from __future__ import annotations

from blurscene_stream.config.layers import Layers, Rank, Value
from blurscene_stream.config.models import PAIR_KEYS
from blurscene_stream.config.schema import ClassConfig
from blurscene_stream.config.tree import spelled_out
from blurscene_stream.errors import ConfigError

_SAME = {  # of `processing`: what means the same here
    "merge_iou_threshold": "detect.merge.iou_threshold",
    "merging_method": "detect.merge.method",
    "area_method": "detect.merge.area_method",
    "mirror_image": "detect.variants.mirror_image",
    "enlarged_regions_n": "detect.variants.enlarged_regions_n",
}
_PRE, _POST = "processing.pre_merge_score_threshold", "processing.post_merge_score_threshold"
_IOU = "processing.merge_iou_threshold"
_ANY = 1e-6  # a score that every box has; 0 means the class's own


def apply_blurscene(layers: Layers) -> None:
    """Let `processing` set the detector's values when it is in use, and the pair those that go with it.

    A value that was set in the same place as `processing` or the pair, or in one that wins over it, stays.
    Raises ConfigError, for half a pair too.
    """
    if layers.has_pair:
        _apply_pair(layers)
    if layers.values["processing.use"].value:
        if (iou := layers.values[_IOU]).value == 0:
            raise ConfigError(f"{iou.source}: {_IOU} must be above 0 when processing.use is true, got {iou.value!r}")
        for name, key in _SAME.items():
            found = layers.values[f"processing.{name}"]
            _hand_on(layers, found, key, getattr(found.value, "name", found.value))
        _hand_on_thresholds(layers)


def _apply_pair(layers: Layers) -> None:
    """What the models give counts, as in BlurScene, down to their own `box_score_thresh`; they have one scale.

    One model of the pair alone is refused: for its class another model than the one meant would be asked.
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
        for name in spelled_out(key, layers.classes):
            if name not in layers.values or layers.values[name].rank is Rank.DEFAULT:
                layers.put(name, value, f"{given[0].source} (the pair's own)", Rank.DEFAULT)


def _hand_on_thresholds(layers: Layers) -> None:
    """Both mean here what they mean there, and an object needs no higher score than the higher of them.

    0 stands for the model's own threshold, which is the class's. A class's threshold that wins over `processing` is
    not undone by them.
    """
    pre, post = layers.values[_PRE], layers.values[_POST]
    least = max(pre, post, key=lambda found: found.value)
    if least.value >= 1:
        raise ConfigError(f"{least.source}: processing's score thresholds must be below 1, else nothing is covered")
    if least.value == 0:
        return
    keys = [f"classes.{name}.threshold" for name in layers.classes]
    own = min(_threshold(layers, key) for key in keys)
    for key in keys:
        _hand_on(layers, least, key, least.value)
    lowest = min(_threshold(layers, key) for key in keys)
    _hand_on(layers, pre, "detect.merge.pre_merge_score_threshold", min(pre.value or own or _ANY, lowest))
    _hand_on(layers, post, "detect.merge.post_merge_score_threshold", min(post.value, lowest))


def _threshold(layers: Layers, key: str) -> float:
    found = layers.values.get(key)
    return ClassConfig().threshold if found is None else float(found.value)


def _hand_on(layers: Layers, found: Value, key: str, value: object) -> None:
    by = max(layers.values["processing.use"], found, key=lambda other: other.rank)
    if key not in layers.values or layers.values[key].rank < by.rank:
        layers.put(key, value, f"{by.source} (processing)", by.rank)
