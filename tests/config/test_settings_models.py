"""The models that the settings ask for: which, in which order, and what their files say."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from blurscene_stream.config.files import shipped
from blurscene_stream.config.load import load_settings, resolve_settings
from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.schema import BUILT_IN, InputConfig, ModelConfig, Settings
from blurscene_stream.config.serialization import to_yaml
from blurscene_stream.errors import ConfigError

CONF = """
image_width: 640
image_height: 384
with_amp: true
unused: ${oc.env:NOT_SET_ANYWHERE}
sizes: {wide: "${image_width}"}
default_trafo: {_target_: datasets.transforms.PaddedResize, width: "${sizes.wide}", height: 384}
model: {target: {_target_: models.faster_rcnn.FasterRCNNWrapper, model: null}}
"""
PAIR = [f"{model}_{kind}" for model in ("face_model", "license_plate_model") for kind in ("conf", "weights")]
DOG = "name: dogs\nweights: dogs.pt\nclasses: [dog]\nnetwork: {_target_: torch.nn.Identity}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogs.yaml").write_text(DOG)
    for name in ("faces", "lps"):
        (tmp_path / f"{name}.yaml").write_text(CONF)
        (tmp_path / f"{name}.pt").write_bytes(b"")
    return tmp_path


def pair(**changed: str) -> list[str]:
    files = dict(zip(PAIR, ["faces.yaml", "faces.pt", "lps.yaml", "lps.pt"], strict=True))
    return [f"{key}={value}" for key, value in (files | changed).items()]


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as refused:
        models_of(load_settings(overrides))
    message = str(refused.value)
    assert message.isprintable()
    return message


def test_alone_it_is_the_section_model() -> None:
    assert models_of(Settings()) == [ModelConfig()]


def threshold(name: str, *overrides: str) -> tuple[float, str]:
    """The threshold of a class, and its source."""
    resolved = resolve_settings(overrides)
    return resolved.settings.classes[name].threshold, resolved.sources[f"classes.{name}.threshold"]


THRESHOLDS = "model.thresholds=[0.1, 0.05]"


def test_a_threshold_that_is_not_set_is_the_models(folder: Path) -> None:
    (folder / "dogs.yaml").write_text(DOG + "thresholds: [0.6]\n")
    given = (THRESHOLDS, "extra_models=[dogs.yaml]")
    assert threshold("face") == (0.2, "default")
    assert threshold("face", *given) == (0.1, f"--set {THRESHOLDS}")
    assert threshold("dog", *given) == (0.6, "model dogs")


@pytest.mark.parametrize("value", [0.2, 0.4])  # 0.2: the default, given by hand
def test_a_threshold_that_is_set_wins_over_the_models(folder: Path, value: float) -> None:
    (folder / "mine.yaml").write_text(f"classes: {{face: {{threshold: {value}}}}}\n")
    filed = load_settings([THRESHOLDS], config=folder / "mine.yaml")
    assert [config.threshold for config in filed.classes.values()] == [value, 0.05]
    named = threshold("license_plate", f"classes.license_plate.threshold={value}", THRESHOLDS)
    assert named[0] == value


def margins(*overrides: str, config: Path | None = None) -> list[float]:
    return [found.margin for found in load_settings(overrides, config=config).classes.values()]


def test_a_margin_that_is_not_set_is_the_models() -> None:
    assert margins() == margins("model=face_plate_v2") == [0.4, 0.3]
    assert margins("classes.face.margin=0.3") == [0.3, 0.3]
    assert margins("model=face_plate_v1") == [0.3, 0.3]
    assert margins("model=face_plate_v1", "model.margins=[0.5, 0.6]") == [0.5, 0.6]


@pytest.mark.parametrize(
    "text",
    [
        "model: {classes: [face], weights: mine.pt}",  # our network, trained anew
        "model: {classes: [license_plate, face], weights: mine.pt}",
        "model: {network: {_target_: torch.nn.Identity}}",
        f"model: {{network: {{_target_: {BUILT_IN}}}}}",
    ],
)
def test_the_margins_of_the_default_model_are_not_those_of_another(folder: Path, text: str) -> None:
    (folder / "mine.yaml").write_text(text)
    loaded = resolve_settings(config=folder / "mine.yaml")
    assert loaded.settings.model.margins is None
    assert loaded.sources["model.margins"] == f"{folder}/mine.yaml"
    assert {config.margin for config in loaded.settings.classes.values()} == {0.3}


def test_an_extra_model_of_our_network_needs_no_margins(folder: Path) -> None:
    (folder / "dogs.yaml").write_text("name: dogs\nweights: dogs.pt\nclasses: [dog]\n")
    assert margins("extra_models=[dogs.yaml]") == [0.4, 0.3, 0.3]


def test_the_margins_of_the_pair_are_not_those_of_the_default_model() -> None:
    assert margins(*pair()) == [0.3, 0.3]
    assert [model.margins for model in models_of(load_settings(pair()))] == [None, None]


@pytest.mark.parametrize("model", ["face_plate_v1", "face_plate_v2"])
def test_each_built_in_model_brings_its_own_checksums(model: str, folder: Path) -> None:
    """However it is chosen."""
    (folder / "conf").mkdir()
    (folder / "conf" / "config.yaml").write_text(f"defaults: [{{model: {model}}}, _self_]\n")
    weights = shipped("weights")
    for settings in (load_settings([f"model={model}"]), load_settings(config=folder / "conf")):
        found = settings.model
        assert (found.name, found.weights) == (model, f"{model}.pt")
        files = {
            f"{model}.pt": found.sha256,
            f"{model}.onnx": found.onnx_sha256,
            f"{model}_int8.onnx": found.int8_sha256,
        }
        for file, checksum in files.items():
            assert checksum == sha256((weights / file).read_bytes()).hexdigest(), file


def test_extra_models_bring_their_classes() -> None:
    settings = load_settings(["extra_models=[dogs.yaml]", "classes.dog.threshold=0.4"])
    first, dogs = models_of(settings)
    assert first == ModelConfig()
    assert (dogs.name, dogs.classes, dogs.sha256) == ("dogs", ("dog",), None)
    assert list(settings.classes) == ["face", "license_plate", "dog"]
    assert settings.classes["dog"].threshold == 0.4
    assert load_settings(["extra_models=[dogs.yaml,dogs.yaml]"]).classes.keys() == settings.classes.keys()


def test_another_network_needs_no_checksum_but_keeps_one(folder: Path) -> None:
    (folder / "a.yaml").write_text("model:\n" + "".join(f"  {line}\n" for line in DOG.splitlines()))
    loaded = resolve_settings(config=folder / "a.yaml")
    assert loaded.settings.model.sha256 is None
    assert loaded.sources["model.sha256"] == f"{folder}/a.yaml"
    one = f"model.sha256='{'1' * 64}'"
    assert load_settings([one], config=folder / "a.yaml").model.sha256 == "1" * 64
    assert load_settings(["model.weights=other.pt"]).model.sha256 == ModelConfig().sha256


def test_a_model_of_the_users_folder_can_be_chosen(folder: Path) -> None:
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text("queue_frames: 3\n")
    (folder / "conf" / "model" / "dogs.yaml").write_text(DOG)
    settings = load_settings(["model=dogs"], config=folder / "conf")
    assert (settings.model.name, settings.model.sha256) == ("dogs", None)
    assert list(settings.classes) == ["dog"]


def test_the_pair_is_read_where_it_lies() -> None:
    faces, plates = models_of(load_settings(pair()))
    assert (faces.classes, faces.weights, plates.classes, plates.weights) == (
        ("face",), "faces.pt", ("license_plate",), "lps.pt"
    )  # fmt: skip
    for model in (faces, plates):
        assert model.labels == () and model.with_amp and model.sha256 is None
        assert model.input == InputConfig(640, 384, [0, 0, 0])
        assert model.network == {"_target_": "models.faster_rcnn.FasterRCNNWrapper", "model": None}


def test_the_pair_runs_beside_others_but_not_beside_the_built_in_model() -> None:
    settings = load_settings([*pair(), "extra_models=[dogs.yaml]"])
    assert [model.name for model in models_of(settings)] == ["faces.yaml", "lps.yaml", "dogs"]
    assert list(settings.classes) == ["face", "license_plate", "dog"]


def test_what_is_shown_of_other_models_loads_again(folder: Path) -> None:
    loaded = resolve_settings([*pair(), "extra_models=[dogs.yaml]"])
    (folder / "shown.yaml").write_text(to_yaml(loaded))
    assert load_settings(config=folder / "shown.yaml") == loaded.settings


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("face_model_conf", "no.yaml", "face_model_conf: there is no file no.yaml; paths are relative to the working"),
        ("face_model_weights", "no.pt", "face_model_weights: there is no file no.pt"),
        ("license_plate_model_weights", "no.pt", "license_plate_model_weights: there is no file no.pt"),
    ],
)
def test_a_missing_file_of_the_pair_is_named(key: str, value: str, reason: str) -> None:
    assert refusal(*pair(**{key: value})).startswith(reason)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("width: 640", "width: 800", "lps.yaml: default_trafo is not the same as in faces.yaml; both"),
        ("height: 384}", "height: 384, pad_value: 9}", "lps.yaml: default_trafo is not the same as in faces.yaml"),
        ("image_height: 384", "image_height: 400", "lps.yaml: image_width and image_height must be the size that"),
        ("with_amp: true", "with_amp: maybe", "lps.yaml: with_amp must be true or false, got 'maybe'"),
        ("{target: {", "{other: {", "lps.yaml: model.target must hold the model's _target_"),
        ("${sizes.wide}", "${nothing}", "lps.yaml: default_trafo: Interpolation key 'nothing' not found"),
        ("height: 384}", "height: '${oc.env:NO_SUCH}'}", "lps.yaml: default_trafo holds '${oc.env:NO_SUCH}': only"),
        ("height: 384}", "hight: 384}", "lps.yaml: default_trafo: Error in call to target"),
        ("height: 384}", "height: 384, border_mode: 4}", "lps.yaml: default_trafo: PaddedResize: border_mode must"),
        ("height: 384}", "height: 384, p: 0.5}", "lps.yaml: default_trafo: PaddedResize: p must be 1"),
        ("height: 384}", "height: big}", "lps.yaml: default_trafo: PaddedResize: width, height and pad_value must be"),
        ("height: 384}", "height: 9}", "lps.yaml: default_trafo: model.input.height_px must be a whole number"),
        ("datasets.transforms.PaddedResize", "albumentations.CLAHE", "lps.yaml: default_trafo: _target_ 'albumenta"),
        ("datasets.transforms.PaddedResize", "os.system", "lps.yaml: default_trafo: _target_ 'os.system' is not"),
        ("default_trafo:", "trafo:", "lps.yaml: default_trafo: must be a datasets.transforms.PaddedResize, alone"),
        ("image_width: 640", "image_width: [", "lps.yaml: line "),
    ],
)  # fmt: skip
def test_a_file_of_the_pair_that_does_not_fit_is_refused(folder: Path, old: str, new: str, reason: str) -> None:
    assert old in CONF
    (folder / "lps.yaml").write_text(CONF.replace(old, new, 1) if old != "width: 640" else CONF.replace("640", "800"))
    assert refusal(*pair()).startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("class: [dog]", "dogs.yaml: unknown key 'model.class'; did you mean 'model.classes'?"),
        ("network: {a: 1}", "dogs.yaml: model.network must be a mapping that holds a _target_, got {'a': 1}"),
        ("network: 5", "dogs.yaml: model.network must be a mapping that holds a _target_"),
        ("network: {_target_: '${oc.env:HOME}'}", "dogs.yaml: model.network holds '${oc.env:HOME}': a value must be w"),
        ("labels: [1]\nclasses: [a, b]\nnetwork: {_target_: x}", "dogs.yaml: model.labels must have a number for each"),
        (
            "labels: []\nclasses: [a, b]\nnetwork: {_target_: x}",
            "dogs.yaml: model.labels: [] is for one class",
        ),
        (
            "thresholds: [0.1]",
            "dogs.yaml: model.thresholds must have a number for each of model.classes, got 1 for 2",
        ),
        ("thresholds: [1.5]", "dogs.yaml: model.thresholds must be a list of numbers in [0, 1)"),
        ("margins: [0.1]", "dogs.yaml: model.margins must have a number for each of model.classes, got 1 for 2"),
        ("margins: [6]", "dogs.yaml: model.margins must be a list of numbers in [0, 5]"),
        ("labels: [1, 1]", "dogs.yaml: model.labels must be a list of different whole numbers from 0 on"),
        ("input: {width_px: 640}\nnetwork: {_target_: x}", "dogs.yaml: model.input.width_px and model.input.height_px"),
        ("with_amp: true", "dogs.yaml: model.labels, model.with_amp and model.input are for networks of torchvision"),
    ],
)
def test_a_model_file_is_refused_with_its_reason(folder: Path, text: str, reason: str) -> None:
    (folder / "dogs.yaml").write_text(text)
    assert refusal("extra_models=[dogs.yaml]").startswith(reason)


def test_a_missing_model_file_is_named() -> None:
    assert refusal("extra_models=[no.yaml]") == "extra_models: there is no file no.yaml"


@pytest.mark.parametrize(
    ("compose", "reason"),
    [
        ("transforms: [RESIZE], seed: 3, bbox_params: {_target_: albumentations.BboxParams, format: yolo}", None),
        ("_args_: [[RESIZE]]", None),
        ("transforms: [RESIZE], p: 0.5", "Compose: p must be 1"),
        ("transforms: [RESIZE, RESIZE]", "Compose must hold one PaddedResize and nothing else"),
        ("transforms: []", "Compose must hold one PaddedResize and nothing else"),
        ("transforms: [{_target_: albumentations.CLAHE}, RESIZE]", "_target_ 'albumentations.CLAHE' is not allowed"),
        ("p: 1", "Error in call to target"),
    ],
)  # fmt: skip
def test_a_composed_transform_holds_the_resize_alone(folder: Path, compose: str, reason: str | None) -> None:
    resize = "{_target_: datasets.transforms.PaddedResize, width: 640, height: 384}"
    composed = f"default_trafo: {{_target_: albumentations.Compose, {compose}}}"
    lines = [composed.replace("RESIZE", resize) if "trafo" in line else line for line in CONF.splitlines()]
    for name in ("faces", "lps"):
        (folder / f"{name}.yaml").write_text("\n".join(lines))
    if reason is None:
        assert models_of(load_settings(pair()))[1].input == InputConfig(640, 384, [0, 0, 0])
    else:
        assert refusal(*pair()).startswith(f"faces.yaml: default_trafo: {reason}")


def test_constants_of_opencv_are_looked_up_and_not_fetched(folder: Path) -> None:
    def with_border(path: str) -> str:
        node = f"border_mode: {{_target_: hydra.utils.get_object, path: {path}}}"
        return CONF.replace("height: 384}", f"height: 384, {node}}}")

    for name in ("faces", "lps"):
        (folder / f"{name}.yaml").write_text(with_border("cv2.BORDER_CONSTANT"))
    assert models_of(load_settings(pair()))[0].input.width_px == 640
    (folder / "faces.yaml").write_text(with_border("os.environ"))
    assert "_target_ 'hydra.utils.get_object' is not allowed" in refusal(*pair())
