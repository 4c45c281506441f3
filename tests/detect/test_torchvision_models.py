"""Models of torchvision by a file of their own: the same boxes, their own class names, alone or beside others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from blurscene_stream.config.load import load_settings
from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.detect.preprocessor import Preprocessor, Sample
from blurscene_stream.detect.torchvision_model import LabelMap
from blurscene_stream.errors import ConfigError, DetectionError
from tests.detect.networks import answer, need_torchvision, save
from tests.detect.pictures import WIDTH, Picture, frame_of

need_torchvision()

DETECTION = "torchvision.models.detection"
SMALL: dict[str, Any] = {"num_classes": 3, "min_size": 96, "max_size": 160}
NETWORKS: dict[str, dict[str, Any]] = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": SMALL | {"box_score_thresh": 0.05},
    "retinanet_resnet50_fpn": SMALL,
    "fcos_resnet50_fpn": SMALL,
    "ssdlite320_mobilenet_v3_large": {"num_classes": 3},
    "maskrcnn_resnet50_fpn": SMALL,
}
FILE = """
name: animals
weights: animals.pt
sha256: null
classes: [dog, cat]
network: {{_target_: {target}{arguments}}}
"""
CPU = [
    "device=cpu",
    "detect.size_px=160",
    "detect.max_upscale=1",
    "detect.precision=fp32",
    "detect.variants.scales=[1]",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain(name: str, seed: int = 1) -> nn.Module:
    import torchvision.models.detection  # noqa: PLC0415

    torch.manual_seed(seed)
    network: nn.Module = getattr(torchvision.models.detection, name)(
        weights=None, weights_backbone=None, **NETWORKS[name]
    )
    with torch.no_grad():  # scores of weights at random are alike, and low
        for layer, value in network.named_parameters():
            if "cls_score" in layer or "cls_logits" in layer or "classification_head" in layer:
                value.mul_(3 if value.ndim > 1 else 0)
    return network.eval()


def write(folder: Path, name: str, text: str = FILE) -> nn.Module:
    network = plain(name)
    save(network, folder / "animals.pt")
    arguments = "".join(f", {key}: {value}" for key, value in NETWORKS[name].items())
    (folder / "animals.yaml").write_text(text.format(target=f"{DETECTION}.{name}", arguments=arguments))
    return network


def alone(*overrides: str) -> Detector:
    """A detector that has the model of animals.yaml and no other."""
    text = "".join(f"  {line}\n" for line in Path("animals.yaml").read_text().splitlines())
    Path("mine.yaml").write_text(f"model:\n{text}")
    return load_detector(load_settings([*CPU, *overrides], config=Path("mine.yaml")))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_of_torchvision_finds_what_it_finds_there(folder: Path, scene: Picture, name: str) -> None:
    network = write(folder, name)
    detector = alone("classes.dog.threshold=0", "classes.cat.threshold=0")
    assert detector.class_names == ("dog", "cat")
    frame, model = frame_of(scene), detector._models[0]
    view = model.letterbox(frame.picture, 1.0)
    assert (view.width, view.height, view.left, view.top) == (160, 103, 0, 0)
    pictures = Preprocessor().batch([Sample(frame, view, 0)], model.pad_rgb)
    (wanted,) = answer(network, pictures)
    named = wanted["labels"].numpy() > 0
    assert named.sum() > 3
    candidates = model(pictures, [0.0, 0.0])
    assert np.allclose(candidates.boxes, wanted["boxes"].numpy()[named], atol=1e-3)
    assert np.allclose(candidates.scores, wanted["scores"].numpy()[named], atol=1e-5)
    assert np.array_equal(candidates.class_ids, wanted["labels"].numpy()[named] - 1)
    (found,) = detector([frame])
    best = int(np.argmax(candidates.scores))
    back = candidates.boxes[best] * np.array([WIDTH / 160, 144 / 103] * 2, np.float32)
    assert np.abs(found.xyxy - back).max(1).min() < 1e-2


def test_it_detects_beside_the_built_in_model(folder: Path, scene: Picture) -> None:
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn")
    more = ["extra_models=[animals.yaml]", f"detect.size_px={WIDTH}"]
    both = load_detector(load_settings([*CPU, *more]))
    only = load_detector(load_settings([*CPU, more[1]]))
    assert both.class_names == ("face", "license_plate", "dog", "cat")
    (found,), (wanted,) = both([frame_of(scene)]), only([frame_of(scene)])
    ours = found[found.class_ids < 2]
    assert np.array_equal(ours.xyxy, wanted.xyxy) and np.array_equal(ours.scores, wanted.scores)
    assert found.count("dog") + found.count("cat") > 0
    assert len(both([frame_of(scene), frame_of(scene * 0)])[0]) == len(found)


def test_boxes_of_one_class_by_two_models_are_merged(folder: Path, scene: Picture) -> None:
    """The same weights twice, under one name: every box is found twice, and comes out once."""
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn")
    once = alone()
    again = alone("extra_models=[animals.yaml]")
    frame = frame_of(scene)
    candidates, view_counts = again.candidates([frame])
    assert view_counts == [2, 2] and len(candidates.scores) == 2 * len(once.candidates([frame])[0].scores)
    assert np.array_equal(again([frame])[0].xyxy, once([frame])[0].xyxy)


def test_labels_choose_among_the_networks_classes(folder: Path, scene: Picture) -> None:
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn")
    (every,) = alone("detect.merge.iou_threshold=1")([frame_of(scene)])
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn", FILE.replace("[dog, cat]", "[cat]\nlabels: [2]"))
    (cats,) = alone("detect.merge.iou_threshold=1")([frame_of(scene)])
    assert 0 < len(cats) == every.count("cat")
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn", FILE.replace("[dog, cat]", "[pet]\nlabels: []"))
    assert len(alone("detect.merge.iou_threshold=1").candidates([frame_of(scene)])[0].scores) >= len(every)


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (
            "[dog]",
            r"animals: the network knows 2 classes, model\.classes names 1; name them all, or say with model\.lab",
        ),
        ("[dog, cat, cow]", "animals: the network knows 2 classes, model.classes names 3"),
        ("[cow]\nlabels: [3]", r"animals: model\.labels must be in 0\.\.2, got 3"),
    ],
)
@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"])
def test_a_wrong_class_list_is_refused(folder: Path, classes: str, reason: str, name: str) -> None:
    write(folder, name, FILE.replace("[dog, cat]", classes))
    with pytest.raises(ConfigError, match=reason):
        alone()


def test_a_label_without_a_name_ends_the_run() -> None:
    labels = LabelMap(ModelConfig(classes=["dog", "cat"]), nn.Identity())
    assert labels.class_ids(np.array([1, 0, 2])).tolist() == [0, -1, 1]
    with pytest.raises(DetectionError, match="label 3"):
        labels.class_ids(np.array([1, 3]))


def test_weights_of_another_network_are_refused_by_the_layer(folder: Path) -> None:
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn")
    save(plain("ssdlite320_mobilenet_v3_large"), folder / "animals.pt")
    with pytest.raises(ConfigError, match=r"animals\.pt: layer backbone\.\S+: the network has .*, the file "):
        alone()


def test_a_checksum_is_compared_when_there_is_one(folder: Path) -> None:
    write(folder, "ssdlite320_mobilenet_v3_large", FILE.replace("sha256: null", f"sha256: '{'0' * 64}'"))
    with pytest.raises(ConfigError, match="sha256"):
        alone()


def test_scales_that_a_network_would_undo_are_refused(folder: Path) -> None:
    write(folder, "ssdlite320_mobilenet_v3_large")
    with pytest.raises(ConfigError, match=r"animals: .*detect\.variants\.scales must be at most 1"):
        alone("detect.variants.scales=[1,2]")


def test_a_network_that_is_no_detector_is_refused(folder: Path, scene: Picture) -> None:
    (folder / "animals.yaml").write_text(
        "name: animals\nweights: animals.pt\nclasses: [dog]\nnetwork: {_target_: torch.nn.Identity}\n"
    )
    torch.save({}, folder / "animals.pt")
    with pytest.raises(DetectionError, match="animals: the network gives no boxes, labels and scores"):
        alone()([frame_of(scene)])


def test_a_mirrored_view_finds_the_mirrored_object(folder: Path, scene: Picture) -> None:
    """A picture that is its own mirror image: each box of the mirrored view lies where one of the plain view lies."""
    write(folder, "fasterrcnn_mobilenet_v3_large_320_fpn")
    even = np.concatenate([scene[:, :112], scene[:, 111::-1]], axis=1)
    candidates, view_counts = alone("detect.variants.mirror_image=true").candidates(
        [frame_of(np.ascontiguousarray(even))]
    )
    assert view_counts == [2, 2] and len(candidates.boxes) % 2 == 0
    half = len(candidates.boxes) // 2
    one, other = candidates.boxes[:half], candidates.boxes[half:]
    mirrored = np.stack([WIDTH - other[:, 2], other[:, 1], WIDTH - other[:, 0], other[:, 3]], 1)
    assert np.allclose(one, mirrored, atol=0.05)
