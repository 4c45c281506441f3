"""BlurScene's inference.yaml: the same names and meanings; its pair of models takes the place of ours."""

from pathlib import Path

import pytest

from blurscene_stream.config.load import ResolvedSettings, resolve_settings
from blurscene_stream.config.overrides import overrides_from_options
from blurscene_stream.config.schema import MergeMethod, Settings
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
RUNS = DEFAULTS | {"use": "true"}


def load(folder: Path, values: dict[str, str], *overrides: str, more: str = "", **options: object) -> ResolvedSettings:
    file = folder / "inference.yaml"
    file.write_text(REST.format(**values) + more)
    return resolve_settings(
        overrides, config=file, options=overrides_from_options({f"--{name}": text for name, text in options.items()})
    )


def thresholds(loaded: ResolvedSettings) -> list[float]:
    return [found.threshold for found in loaded.settings.classes.values()]


def merging_thresholds(loaded: ResolvedSettings) -> tuple[float, float]:
    merge = loaded.settings.detect.merge
    return merge.pre_merge_score_threshold, merge.post_merge_score_threshold


def test_without_its_models_the_file_loads(tmp_path: Path) -> None:
    settings = load(tmp_path, DEFAULTS).settings
    assert settings.device == "cuda"
    assert settings.logging.level == "debug"
    assert settings.logging.format == "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
    assert settings.detect == Settings().detect


def test_models_set_to_null_load(tmp_path: Path) -> None:
    load(tmp_path, DEFAULTS, more="".join(f"{key}: null\n" for key in MODELS))


ALL = "".join(f"{key}: {value}\n" for key, value in MODELS.items())


def test_the_file_as_it_comes_loads_and_everything_that_its_models_give_counts(tmp_path: Path) -> None:
    loaded = load(tmp_path, DEFAULTS, more=ALL)
    assert {key: getattr(loaded.settings, key) for key in MODELS} == MODELS
    assert list(loaded.settings.classes) == ["face", "license_plate"]
    assert thresholds(loaded) == [0, 0]
    assert loaded.settings.detect.variants.scales == (1.0,)
    assert loaded.sources["classes.face.threshold"] == f"{tmp_path}/inference.yaml (the pair's own)"


def test_what_else_is_set_stays_with_the_pair(tmp_path: Path) -> None:
    more = ALL + "classes: {face: {threshold: 0.3}}\ndetect: {variants: {scales: [1, 0.5]}}\n"
    loaded = load(tmp_path, DEFAULTS, more=more)
    assert thresholds(loaded) == [0.3, 0]
    assert loaded.settings.detect.variants.scales == (1, 0.5)
    assert thresholds(load(tmp_path, DEFAULTS, more=ALL, thresh=0.4)) == [0.4, 0.4]


@pytest.mark.parametrize(
    ("pre", "post", "threshold", "merge"),
    [
        ("0.1", "0.3", 0.3, (0.1, 0.3)),
        ("0", "0.6", 0.6, (1e-6, 0.6)),
        ("0", "0", 0, (0, 0)),
        ("0.4", "0", 0.4, (0.4, 0)),
    ],
)
def test_processings_thresholds_with_the_pair(
    tmp_path: Path, pre: str, post: str, threshold: float, merge: tuple[float, float]
) -> None:
    """Without a least score every box takes part, as there."""
    loaded = load(tmp_path, RUNS | {"pre": pre, "post": post}, more=ALL)
    assert thresholds(loaded) == [threshold, threshold]
    assert merging_thresholds(loaded) == merge


def test_the_classes_of_the_section_model_do_not_matter_to_the_pair(tmp_path: Path) -> None:
    loaded = load(tmp_path, DEFAULTS, more=ALL + "model: {classes: [dog]}\n")
    assert list(loaded.settings.classes) == ["face", "license_plate"]


@pytest.mark.parametrize("key", MODELS)
def test_half_a_pair_is_refused_with_what_is_missing(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, DEFAULTS, more=ALL.replace(f"{key}: {MODELS[key]}\n", ""))
    assert str(caught.value) == (
        f"{tmp_path}/inference.yaml: {key} is missing: BlurScene's pair is {', '.join(MODELS)}; "
        "one model beside the built-in one is for extra_models"
    )


def test_one_model_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="license_plate_model_conf is missing"):
        resolve_settings(["face_model_conf=a.yaml", "face_model_weights=a.pt"])


def test_processing_that_is_not_in_use_has_no_effect(tmp_path: Path) -> None:
    odd = {"pre": "0.9", "post": "1", "iou": "0", "merge": "nmm", "mirror": "true", "regions": "4"}
    settings = load(tmp_path, DEFAULTS | odd).settings
    assert settings.classes == Settings().classes
    assert settings.detect == Settings().detect
    assert settings.processing.enlarged_regions_n == 4


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"iou": "0"}, "processing.merge_iou_threshold must be above 0 when processing.use is true, got 0.0"),
        ({"post": "1"}, "processing's score thresholds must be below 1, else nothing is covered"),
    ],
)
def test_processing_that_makes_no_sense_is_refused(tmp_path: Path, values: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, RUNS | values)
    assert str(caught.value).startswith(f"{tmp_path}/inference.yaml: {reason}")


@pytest.mark.parametrize("method", ["wbf", "nmm", "nms"])
@pytest.mark.parametrize("area", ["int", "float"])
def test_processing_in_use_sets_merging_and_variants(tmp_path: Path, method: str, area: str) -> None:
    values = {"merge": method, "area": area, "mirror": "true", "regions": "3", "iou": "0.7"}
    loaded = load(tmp_path, RUNS | values)
    detect = loaded.settings.detect
    assert (detect.merge.method.name, detect.merge.area_method.name, detect.merge.iou_threshold) == (method, area, 0.7)
    assert (detect.variants.mirror_image, detect.variants.enlarged_regions_n) == (True, 3)
    for key in ("merge.iou_threshold", "merge.method", "merge.area_method", "variants.mirror_image"):
        assert loaded.sources[f"detect.{key}"] == f"{tmp_path}/inference.yaml (processing)"


@pytest.mark.parametrize(
    ("pre", "post", "threshold", "merge"),
    [
        ("0.1", "0.3", 0.3, (0.1, 0.3)),  # weak boxes take part, what comes of them must be better
        ("0.4", "0.3", 0.4, (0.4, 0.3)),
        ("0.05", "0", 0.05, (0.05, 0)),  # lower than the class's own: finds more
        ("0", "0.6", 0.6, (0.2, 0.6)),  # 0: boxes take part from the class's own threshold on
        ("0", "0.1", 0.1, (0.1, 0.1)),
    ],
)
def test_processings_thresholds(
    tmp_path: Path, pre: str, post: str, threshold: float, merge: tuple[float, float]
) -> None:
    loaded = load(tmp_path, RUNS | {"pre": pre, "post": post})
    assert thresholds(loaded) == [threshold, threshold]
    assert merging_thresholds(loaded) == merge


def test_the_other_merging_methods_are_not_blurscenes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"processing\.merging_method must be nms, wbf or nmm, got 'ensemble_wbf'"):
        load(tmp_path, RUNS | {"merge": "ensemble_wbf"})


def test_our_own_variants_in_the_same_file_stay(tmp_path: Path) -> None:
    loaded = load(tmp_path, RUNS, more="detect: {variants: {mirror_image: true}, merge: {method: nms}}\n")
    assert loaded.settings.detect.variants.mirror_image
    assert loaded.settings.detect.merge.method is MergeMethod.nms


def test_thresholds_of_0_add_nothing_to_the_models_own(tmp_path: Path) -> None:
    loaded = load(tmp_path, RUNS)
    assert thresholds(loaded) == [0.2, 0.2]
    assert merging_thresholds(loaded) == (0, 0)


def test_our_own_key_in_the_same_file_stays(tmp_path: Path) -> None:
    loaded = load(tmp_path, RUNS | {"post": "0.6"}, more="classes: {face: {threshold: 0.1}}\n")
    assert thresholds(loaded) == [0.1, 0.6]
    assert merging_thresholds(loaded) == (0.1, 0.1)  # else they would drop faces that are asked for


def test_an_option_wins_over_processing(tmp_path: Path) -> None:
    loaded = load(tmp_path, RUNS | {"post": "0.6"}, thresh=0.1)
    assert thresholds(loaded) == [0.1, 0.1]
    assert merging_thresholds(loaded) == (0.1, 0.1)


def test_processing_in_an_override_wins_over_the_file(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        RUNS,
        "processing.post_merge_score_threshold=0.7",
        more="classes: {face: {threshold: 0.1}}\n",
    )
    assert thresholds(loaded) == [0.7, 0.7]
    assert loaded.sources["classes.face.threshold"] == "--set processing.post_merge_score_threshold=0.7 (processing)"


def test_a_line_tells_which_of_two_thresholds_counts(caplog: pytest.LogCaptureFixture) -> None:
    given = {"processing.use": True, "processing.pre_merge_score_threshold": 0.5}
    overrides = [f"{key}={value}" for key, value in given.items()]
    resolve_settings(overrides, options=overrides_from_options({"--thresh": 0.5}))
    assert not caplog.messages
    resolved = resolve_settings(overrides, options=overrides_from_options({"--face-thresh": 0.1}))
    assert resolved.settings.classes["face"].threshold == 0.1
    reason = "option --face-thresh counts, and not --set processing.pre_merge_score_threshold=0.5"
    assert caplog.messages == [f"classes.face.threshold is set twice: {reason}"]
