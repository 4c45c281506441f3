"""BlurScene's own settings: what works as it does there, and what is refused because it cannot be run yet."""

from __future__ import annotations

from blurscene_stream.config.layers import Layers, Value
from blurscene_stream.errors import ConfigError

_MODEL_KEYS = (
    "face_model_conf",
    "face_model_weights",
    "license_plate_model_conf",
    "license_plate_model_weights",
)
_NEEDED = {  # key -> the one value that can be run, and how it is written
    "merging_method": "nms",
    "area_method": "float",
    "mirror_image": "false",
    "enlarged_regions_n": "0",
}
_THRESHOLDS = ("processing.pre_merge_score_threshold", "processing.post_merge_score_threshold")
_IOU = "processing.merge_iou_threshold"


def apply_blurscene(layers: Layers) -> None:
    """Refuse what cannot be run, and let `processing` set the detector's values when it is in use.

    A value that was set in the same place as `processing`, or in one that wins over it, stays.
    Raises ConfigError.
    """
    for key in _MODEL_KEYS:
        if (found := layers.values[key]).value is not None:
            raise ConfigError(
                f"{found.source}: {key}: BlurScene's own models cannot be run yet; "
                "remove the key to use the built-in model"
            )
    if layers.values["processing.use"].value:
        _refuse_unbuilt(layers)
        _map_values(layers)


def _refuse_unbuilt(layers: Layers) -> None:
    for name, needed in _NEEDED.items():
        found = layers.values[f"processing.{name}"]
        written = str(getattr(found.value, "name", found.value)).lower()
        if written != needed:
            raise ConfigError(
                f"{found.source}: processing.{name} must be {needed} when processing.use is true, got {written}; "
                "variants and the other ways of merging come in a later release"
            )


def _map_values(layers: Layers) -> None:
    iou = layers.values[_IOU]
    if iou.value == 0:
        raise ConfigError(f"{iou.source}: {_IOU} must be above 0 when processing.use is true, got {iou.value!r}")
    _hand_on(layers, iou, "detect.merge_iou")
    threshold = max((layers.values[key] for key in _THRESHOLDS), key=lambda found: found.value)
    if threshold.value >= 1:
        raise ConfigError(f"{threshold.source}: processing's score thresholds must be below 1, else nothing is covered")
    if threshold.value > 0:  # 0 adds nothing to the model's own threshold, as in BlurScene
        for name in layers.classes:
            _hand_on(layers, threshold, f"classes.{name}.threshold")


def _hand_on(layers: Layers, found: Value, key: str) -> None:
    by = max(layers.values["processing.use"], found, key=lambda value: value.rank)
    if key not in layers.values or layers.values[key].rank < by.rank:
        layers.put(key, found.value, f"{by.source} (processing)", by.rank)
