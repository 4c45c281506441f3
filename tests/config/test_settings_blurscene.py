"""BlurScene's inference.yaml: the same names and meanings, and a refusal for what cannot be run yet."""

from pathlib import Path

import pytest

from blurscene_stream.config import Settings
from blurscene_stream.config.load import Loaded, load_settings
from blurscene_stream.config.options import overrides_from_options
from blurscene_stream.errors import ConfigError

MODELS = {
    "face_model_conf": "weights/faces.yaml",
    "face_model_weights": "weights/faces.pt",
    "license_plate_model_conf": "weights/lps.yaml",
    "license_plate_model_weights": "weights/lps.pt",
}
REST = """
device: cuda
processing:
  use: {use}
  pre_merge_score_threshold: {pre}
  post_merge_score_threshold: {post}
  merge_iou_threshold: {iou}
  merging_method: "{merge}"
  area_method: "{area}"
  mirror_image: {mirror}
  enlarged_regions_n: {regions}
logging:
  level: debug
  format: '%(asctime)s [%(levelname)s] %(name)s: %(message)s'
"""
DEFAULTS = {
    "use": "false",
    "pre": "0",
    "post": "0",
    "iou": "0.5",
    "merge": "wbf",
    "area": "int",
    "mirror": "false",
    "regions": "0",
}
RUNS = DEFAULTS | {"use": "true", "merge": "nms", "area": "float"}  # the least change that can be run


def load(folder: Path, values: dict[str, str], *overrides: str, more: str = "", **options: object) -> Loaded:
    file = folder / "inference.yaml"
    file.write_text(REST.format(**values) + more)
    return load_settings(file, overrides, overrides_from_options({f"--{name}": text for name, text in options.items()}))


def thresholds(loaded: Loaded) -> list[float]:
    return [found.threshold for found in loaded.settings.classes.values()]


def test_without_its_models_the_file_loads(tmp_path: Path) -> None:
    settings = load(tmp_path, DEFAULTS).settings
    assert settings.device == "cuda"
    assert settings.logging.level == "debug"
    assert settings.logging.format == "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
    assert settings.detect == Settings().detect


def test_models_set_to_null_load(tmp_path: Path) -> None:
    load(tmp_path, DEFAULTS, more="".join(f"{key}: null\n" for key in MODELS))


def test_the_file_as_it_comes_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, DEFAULTS, more="".join(f"{key}: {value}\n" for key, value in MODELS.items()))
    assert str(caught.value) == (
        f"{tmp_path}/inference.yaml: face_model_conf: BlurScene's own models cannot be run yet; "
        "remove the key to use the built-in model"
    )


@pytest.mark.parametrize("key", MODELS)
def test_each_model_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {key}=a.pt: {key}: BlurScene's own models cannot be run yet"):
        load_settings(None, [f"{key}=a.pt"])


def test_processing_that_is_not_in_use_has_no_effect(tmp_path: Path) -> None:
    odd = {"pre": "0.9", "post": "1", "iou": "0", "merge": "nmm", "mirror": "true", "regions": "4"}
    settings = load(tmp_path, DEFAULTS | odd).settings
    assert settings.classes == Settings().classes
    assert settings.detect == Settings().detect
    assert settings.processing.enlarged_regions_n == 4


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"merge": "wbf"}, "processing.merging_method must be nms when processing.use is true, got wbf"),
        ({"merge": "nmm"}, "processing.merging_method must be nms when processing.use is true, got nmm"),
        ({"area": "int"}, "processing.area_method must be float when processing.use is true, got int"),
        ({"mirror": "true"}, "processing.mirror_image must be false when processing.use is true, got true"),
        ({"regions": "2"}, "processing.enlarged_regions_n must be 0 when processing.use is true, got 2"),
        ({"iou": "0"}, "processing.merge_iou_threshold must be above 0 when processing.use is true, got 0.0"),
        ({"post": "1"}, "processing's score thresholds must be below 1, else nothing is covered"),
    ],
)
def test_processing_that_cannot_be_run_is_refused(tmp_path: Path, values: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, RUNS | values)
    assert str(caught.value).startswith(f"{tmp_path}/inference.yaml: {reason}")


@pytest.mark.parametrize(("pre", "post", "expected"), [("0.1", "0.3", 0.3), ("0.4", "0.3", 0.4), ("0.05", "0", 0.05)])
def test_processing_in_use_sets_the_detector(tmp_path: Path, pre: str, post: str, expected: float) -> None:
    loaded = load(tmp_path, RUNS | {"pre": pre, "post": post, "iou": "0.7"})
    assert thresholds(loaded) == [expected, expected]
    assert loaded.settings.detect.merge_iou == 0.7
    assert loaded.sources["detect.merge_iou"] == f"{tmp_path}/inference.yaml (processing)"


def test_thresholds_of_0_add_nothing_to_the_models_own(tmp_path: Path) -> None:
    assert thresholds(load(tmp_path, RUNS)) == [0.2, 0.2]


def test_our_own_key_in_the_same_file_stays(tmp_path: Path) -> None:
    loaded = load(tmp_path, RUNS | {"post": "0.6"}, more="classes: {face: {threshold: 0.1}}\n")
    assert thresholds(loaded) == [0.1, 0.6]


def test_an_option_wins_over_processing(tmp_path: Path) -> None:
    assert thresholds(load(tmp_path, RUNS | {"post": "0.6"}, thresh=0.1)) == [0.1, 0.1]


def test_processing_in_an_override_wins_over_the_file(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        RUNS,
        "processing.post_merge_score_threshold=0.7",
        more="classes: {face: {threshold: 0.1}}\n",
    )
    assert thresholds(loaded) == [0.7, 0.7]
    assert loaded.sources["classes.face.threshold"] == "--set processing.post_merge_score_threshold=0.7 (processing)"
