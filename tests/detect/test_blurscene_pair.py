"""BlurScene's pair: a user's inference.yaml, faces and lps run as they are, and find what torchvision finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from blurscene_stream.boxes import iou
from blurscene_stream.config.load import load_settings
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.detect.preprocessor import Preprocessor, Sample
from blurscene_stream.errors import ConfigError, DetectionError
from blurscene_stream.frames import ScanMode
from tests.detect.networks import answer, need_torchvision, plain_network, save, save_pair
from tests.detect.pictures import Picture, frame_of

need_torchvision()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(*overrides: str) -> Detector:
    return load_detector(load_settings(overrides, config=Path("inference.yaml")))


Load = Callable[..., Detector]


@pytest.fixture(scope="module")
def saved_pair(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads the pair as `save_pair` saves it, with overrides: once for all tests, for it takes seconds."""
    pair = tmp_path_factory.mktemp("pair")
    save_pair(pair)

    @cache
    def load_saved(*overrides: str) -> Detector:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(pair)
            return load(*overrides)

    return load_saved


def align_as_blurscene(monkeypatch: pytest.MonkeyPatch) -> None:
    """BlurScene exchanges the function inside torchvision for its aligned kind."""
    from torchvision.ops import poolers, roi_align  # noqa: PLC0415

    def aligned(*arguments: Any, **named: Any) -> Tensor:
        made: Tensor = roi_align(*arguments, **{"aligned": True, **named})
        return made

    monkeypatch.setattr(poolers, "roi_align", aligned)


def shown(detector: Detector, index: int, scene: Picture) -> NDArray[np.uint8]:
    model, frame = detector._models[index], frame_of(scene)
    return Preprocessor().batch([Sample(frame, model.letterbox(frame.picture, 1.0), 0)], model.pad_rgb)


def test_the_pair_finds_the_boxes_of_plain_torchvision(
    folder: Path, scene: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = save_pair(folder, WITH_AMP="false", COMPILE="true")
    detector = load()
    assert detector.class_names == ("face", "license_plate")
    scene = np.ascontiguousarray(scene[:, ::-1])  # these networks of random weights score some boxes low in it
    (found,) = detector([frame_of(scene)])
    align_as_blurscene(monkeypatch)
    height, width = scene.shape[:2]
    for index, (name, network) in enumerate(networks.items()):
        pictures = shown(detector, index, scene)
        assert pictures.shape == (1, 3, 96, 160)
        (wanted,) = answer(network, pictures)
        candidates = detector._models[index](pictures, [0.0])
        assert len(wanted["boxes"]) > 20
        assert (candidates.class_ids == 0).all()  # whatever the model calls it
        assert np.allclose(candidates.boxes, wanted["boxes"], atol=1e-3)
        assert np.allclose(candidates.scores, wanted["scores"], atol=1e-5)
        # 224 x 144 in 160 x 96: 149 x 96 are shown, in the middle
        back = (candidates.boxes - [5, 0, 5, 0]) * np.array([width / 149, height / 96] * 2)
        mine = found[found.class_ids == index]
        assert detector.class_names[index] == name
        overlap = iou(mine.xyxy, back.astype(np.float32))
        assert (overlap.max(1) > 0.999).all()
        assert (iou(back.astype(np.float32), mine.xyxy).max(1) >= 0.5).all()  # merged, none lost
    assert float(found.scores.min()) < 0.2  # down to the model's own box_score_thresh, as there


def test_the_half_pixel_matters(saved_pair: Load, scene: Picture) -> None:
    detector = saved_pair()
    pictures = shown(detector, 0, scene)
    (wanted,) = answer(plain_network("face"), pictures)
    made = detector._models[0](pictures, [0.0])
    assert len(made.scores) != len(wanted["scores"]) or not np.allclose(made.scores, wanted["scores"], atol=1e-4)


def test_processing_and_thresholds_count(saved_pair: Load, scene: Picture) -> None:
    (plain,) = saved_pair()([frame_of(scene)])
    for more in (["processing.use=true", "processing.post_merge_score_threshold=0.6", "processing.merging_method=nms"],
                 ["classes.face.threshold=0.6", "classes.license_plate.threshold=0.6"]):  # fmt: skip
        (fewer,) = saved_pair(*more, "track.enabled=false")([frame_of(scene)])
        assert 0 < len(fewer) < len(plain)
        assert fewer.scores.min() > 0.6
    (mirrored,) = saved_pair("processing.use=true", "processing.mirror_image=true")([frame_of(scene)])
    assert mirrored.xyxy.shape != plain.xyxy.shape or not np.allclose(mirrored.xyxy, plain.xyxy, atol=1e-2)


@pytest.mark.parametrize("more", [["detect.variants.mirror_image=true"], ["detect.variants.enlarged_regions_n=2"],
                                  ["detect.variants.scales=[1,0.5]"], ["detect.variants.rotations=[90]"]])  # fmt: skip
def test_each_variant_is_another_view_of_both_models(saved_pair: Load, scene: Picture, more: list[str]) -> None:
    frame = frame_of(scene)
    plain, more_views = saved_pair().candidates([frame]), saved_pair(*more).candidates([frame])
    assert plain[1] == [1, 1]
    assert more_views[1] == ([5, 5] if "regions" in more[0] else [2, 2])
    turned = saved_pair().candidates([replace(frame, scan_mode=ScanMode.only_turned)])
    assert turned[1] == [3, 3]  # at full size: a smaller picture would cost as much
    for label in (0, 1):
        assert (more_views[0].class_ids == label).sum() > (plain[0].class_ids == label).sum()
    assert np.isfinite(more_views[0].boxes).all()
    assert np.abs(more_views[0].boxes).max() < 3 * max(scene.shape)


def test_a_batch_gives_what_its_frames_give_alone(saved_pair: Load, scene: Picture) -> None:
    detector = saved_pair()
    frames = [frame_of(scene), frame_of(np.ascontiguousarray(scene[:, ::-1]))]
    together = detector(frames)
    for frame, found in zip(frames, together, strict=True):
        assert np.allclose(detector([frame])[0].xyxy, found.xyxy, atol=1e-3)


def test_with_amp_calculates_in_16_bits_where_that_is_asked_for(folder: Path, scene: Picture) -> None:
    save_pair(folder, WITH_AMP="true")
    exact = load("detect.precision=fp32")
    assert exact.device_name == "cpu, torch, fp32"
    rough = load("detect.precision=bf16")
    assert rough.device_name == "cpu, torch, bf16"
    one, other = (each._models[0](shown(each, 0, scene), [0.0]) for each in (exact, rough))
    assert not np.array_equal(one.scores, other.scores)
    assert abs(float(one.scores[:9].mean()) - float(other.scores[:9].mean())) < 0.1


def test_weights_that_were_saved_compiled_fit(folder: Path) -> None:
    networks = save_pair(folder, COMPILE="true")
    state = {f"model.{name}": value for name, value in networks["face"].state_dict().items()}
    for part in ("backbone", "rpn.head"):
        state = {name.replace(f"model.{part}.", f"model.{part}._orig_mod."): state[name] for name in state}
    torch.save(state, folder / "weights" / "faces.pt")
    assert load().class_names == ("face", "license_plate")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("image_width: 160", "image_width: 640", "weights/lps.yaml: default_trafo is not the same as in weights/faces"),
        ("width: ${image_width}", "width: 640", "weights/lps.yaml: image_width and image_height must be the size that"),
        ("sampling_ratio: 2", "ratio: 2", "weights/lps.yaml: model: .*unexpected keyword argument 'ratio'"),
        ("weights: null", "weights: DEFAULT", "weights/lps.yaml: model: weights of .*resnet_fpn_backbone must be null"),
        ("plate, sign", "a, b, c", "weights/lps.pt: layer model.roi_heads.box_predictor.bbox_pred.bias: .*16.*12"),
        ("conv_layers: [16]", "conv_layers: [8]", "weights/lps.pt: layer model.roi_heads.box_head.*: the network has"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_in_one_line(folder: Path, old: str, new: str, reason: str) -> None:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    save_pair(folder, change)
    with pytest.raises(ConfigError, match=reason) as refused:
        load()
    assert str(refused.value).isprintable()


def test_weights_of_the_other_model_are_refused_by_the_layer(folder: Path) -> None:
    save_pair(folder)
    (folder / "weights" / "faces.pt").replace(folder / "weights" / "lps.pt")
    (folder / "weights" / "faces.pt").write_bytes((folder / "weights" / "lps.pt").read_bytes())
    with pytest.raises(ConfigError, match=r"lps\.pt: layer model\.roi_heads\.box_predictor\.bbox_pred\.bias"):
        load()


def test_weights_without_the_wrapper_are_refused(folder: Path) -> None:
    networks = save_pair(folder)
    save(networks["face"], folder / "weights" / "faces.pt")
    with pytest.raises(ConfigError, match=r"faces\.pt: layer backbone\.body\.\S+: the network has no such layer"):
        load()


@pytest.mark.parametrize("layer", ["rpn.head.bbox_pred.bias", "roi_heads.box_predictor.cls_score.bias",
                                   "backbone.fpn.inner_blocks.0.0.weight"])  # fmt: skip
def test_a_network_gone_wrong_is_an_error_and_not_an_empty_picture(folder: Path, scene: Picture, layer: str) -> None:
    save_pair(folder)
    detector = load()
    network: Any = detector._models[0]
    with torch.inference_mode():
        network.network.get_parameter(f"model.{layer}").fill_(float("nan"))
    with pytest.raises(DetectionError, match="not finite"):
        detector([frame_of(scene)])


def test_a_crowd_above_the_models_limit_is_logged_once(
    folder: Path, scene: Picture, caplog: pytest.LogCaptureFixture
) -> None:
    save_pair(folder, lambda text: text.replace("box_detections_per_img: 200", "box_detections_per_img: 5"))
    detector = load()
    for _ in range(2):
        detector([frame_of(scene)])
    messages = [each.getMessage() for each in caplog.records]
    assert len(messages) == 1 and "lps.yaml: the network gives no more than 5 boxes a picture" in messages[0]


def test_a_threshold_that_the_model_does_not_reach_is_logged(
    folder: Path, scene: Picture, caplog: pytest.LogCaptureFixture
) -> None:
    save_pair(folder, lambda text: text.replace("min_size: 96", "min_size: 96\n    box_score_thresh: 0.5"))
    load()([frame_of(scene)])
    assert not caplog.records  # everything that the model gives was asked for, as in BlurScene
    load("classes.license_plate.threshold=0.3")([frame_of(scene)])
    (message,) = [each.getMessage() for each in caplog.records]
    assert "lps.yaml: the network drops what scores less than 0.5, above a class's threshold" in message


def test_a_padded_picture_is_drawn_as_blurscene_draws_it(folder: Path) -> None:
    save_pair(folder, lambda text: text)
    for file in ("faces", "lps"):
        path = folder / "weights" / f"{file}.yaml"
        path.write_text(
            path.read_text().replace("height: ${image_height}", "height: ${image_height}\n      pad_value: [9, 8, 7]")
        )
    detector = load()
    pictures = shown(detector, 0, np.full((100, 100, 3), 200, np.uint8))[0].transpose(1, 2, 0)
    assert (pictures[:, 32:128] == 200).all()
    assert (pictures[:, :32] == [9, 8, 7]).all() and (pictures[:, 128:] == [9, 8, 7]).all()
