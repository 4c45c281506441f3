"""What a model's file may build: layers and models of torch and torchvision, and nothing that acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.allowed_targets import build_network
from blurscene_stream.errors import ConfigError
from tests.detect.networks import need_torchvision

need_torchvision()

DETECTION = "torchvision.models.detection"
PATHS_TO_MISCHIEF = [
    "os.system",
    "builtins.eval",
    "builtins.open",
    "subprocess.run",
    "functools.partial",
    "hydra.utils.get_method",
    "hydra.utils.get_class",
    "hydra.utils.get_object",
    "hydra.utils.instantiate",
    "blurscene_stream.detect.targets.build_network",
    "blurscene_stream.config.model_files.instantiate",
    "torch.load",
    "torch.hub.load",
    "torch.nn.modules.module.torch.load",
    "torch.nn.functional.torch.hub.load_state_dict_from_url",
    "torch.nn.functional.relu",
    "torch.nn.init.zeros_",
    "torchvision.os.system",
    "torchvision.datasets.utils.download_url",
    "torchvision.io.write_file",
    f"{DETECTION}.faster_rcnn.torch.hub.load",
    f"{DETECTION}.FasterRCNN_ResNet50_FPN_Weights",
    "torchvision.models.get_model",
    "torchvision.models.get_weight",
    "torchvision.models._api.get_model",
    "torchvision.models.feature_extraction.create_feature_extractor",
    "torch.nn.Module.load_state_dict",
    "torch.nn.Module.__init__.__globals__",
    "torch.nn..Linear",
    "torch.nn.No",
    "torchvision.models.no.such",
    "models.faster_rcnn.os.system",
    "",
]


def build(target: str, **arguments: Any) -> nn.Module:
    return build_network(ModelConfig(name="mine.yaml", network={"_target_": target, **arguments}))


def refusal(target: str, **arguments: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        build(target, **arguments)
    message = str(refused.value)
    assert message.isprintable() and message.startswith("mine.yaml: model: ")
    return message


@pytest.mark.parametrize("target", PATHS_TO_MISCHIEF)
@pytest.mark.parametrize("inside", [False, True])
def test_a_target_that_is_not_allowed_is_refused_with_what_is(target: str, inside: bool, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    node = {"_target_": target, "_args_": [f"touch {mark}"]}
    message = refusal("torch.nn.Sequential", _args_=[{"deep": [node]}]) if inside else refusal(**_named(node))
    assert f"_target_ {target!r} is not allowed, only layers and models of torch.nn.*" in message
    assert "models.faster_rcnn.FasterRCNNWrapper" in message
    assert not mark.exists()


def _named(node: dict[str, Any]) -> dict[str, Any]:
    return {"target" if key == "_target_" else key: value for key, value in node.items()}


def test_a_target_that_is_no_name_is_refused() -> None:
    assert "a _target_ must be a name" in refusal("torch.nn.Sequential", _args_=[{"_target_": ["os.system"]}])


def test_what_would_be_filled_in_is_refused() -> None:
    with pytest.raises(ConfigError, match="a value must be written out"):
        build("torch.nn.Sequential", _args_=["${oc.env:HOME}"])


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        (f"{DETECTION}.fasterrcnn_resnet50_fpn", {"weights": "DEFAULT"}),
        (f"{DETECTION}.fasterrcnn_resnet50_fpn", {"weights_backbone": "IMAGENET1K_V1"}),
        (f"{DETECTION}.retinanet_resnet50_fpn", {"pretrained": True}),
        (f"{DETECTION}.ssd300_vgg16", {"pretrained_backbone": True}),
        (f"{DETECTION}.backbone_utils.resnet_fpn_backbone", {"backbone_name": "resnet18", "weights": "DEFAULT"}),
        ("torchvision.models.resnet18", {"weights": "DEFAULT"}),
    ],
)
def test_weights_that_would_be_downloaded_are_refused(target: str, arguments: dict[str, Any]) -> None:
    assert "must be null: nothing is downloaded" in refusal(target, **arguments)


def test_weights_cannot_be_asked_for_by_their_place() -> None:
    assert "_args_ of torchvision.models.resnet18 is not allowed" in refusal(
        "torchvision.models.resnet18", _args_=["DEFAULT"]
    )


@pytest.mark.parametrize(
    "target", [f"{DETECTION}.fasterrcnn_mobilenet_v3_large_320_fpn", f"{DETECTION}.ssdlite320_mobilenet_v3_large"]
)
def test_a_builder_downloads_nothing_even_when_its_default_is_to(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise AssertionError("something was downloaded")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    assert isinstance(build(target, num_classes=2), nn.Module)


WRAPPED = {"_target_": f"{DETECTION}.fasterrcnn_mobilenet_v3_large_320_fpn", "num_classes": 3}


def test_blurscenes_wrapper_goes_around_any_faster_rcnn() -> None:
    classes = {"_target_": "common.classes.ClassMap", "classes": ["b", "a", "b"]}
    made = build("models.faster_rcnn.FasterRCNNWrapper", model=WRAPPED, class_map=classes, do_input_trafo=True)
    assert {name.partition(".")[0] for name in made.state_dict()} == {"model"}


def test_a_class_map_of_another_length_is_refused() -> None:
    classes = {"_target_": "common.classes.ClassMap", "classes": ["a", "b", "c"]}
    message = refusal("models.faster_rcnn.FasterRCNNWrapper", model=WRAPPED, class_map=classes)
    assert message.endswith("class_map holds 3 names, the network scores 3 classes with the background")


def test_an_argument_that_does_not_exist_is_reported_in_one_line() -> None:
    assert "unexpected keyword argument 'out'" in refusal("torch.nn.Linear", out=3)


def test_what_is_no_network_is_refused() -> None:
    assert "makes no network" in refusal("common.classes.ClassMap", classes=["a"])
    assert "makes no network" in refusal("torch.nn.Linear", _partial_=True)
