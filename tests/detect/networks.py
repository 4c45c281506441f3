"""Files of models as users have them: BlurScene's pair, and a model of torchvision, with weights at random."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

CONF = """
# What a training left behind: keys that have nothing to do with a run, values that stand for others.
data: {root: "${oc.env:NOT_SET_ANYWHERE}", batch_size: "???"}
image_width: 160
image_height: 96
with_amp: WITH_AMP
default_trafo:
  _target_: albumentations.Compose
  transforms:
    - _target_: datasets.transforms.PaddedResize
      width: ${image_width}
      height: ${image_height}
      border_mode: {_target_: hydra.utils.get_object, path: cv2.BORDER_CONSTANT}
  bbox_params: {_target_: albumentations.BboxParams, format: pascal_voc, label_fields: []}
model:
  name: anything
  target:
    _target_: models.faster_rcnn.build_generalized_frcnn_from_conf
    class_map: {_target_: common.classes.ClassMap, classes: [CLASSES]}
    backbone:
      _target_: torchvision.models.detection.backbone_utils.resnet_fpn_backbone
      backbone_name: resnet18
      weights: null
      trainable_layers: 5
    anchor_gen:
      _target_: torchvision.models.detection.anchor_utils.AnchorGenerator
      sizes: [[16], [32], [64], [128], [256]]
      aspect_ratios: [[0.5, 1.0], [0.5, 1.0], [0.5, 1.0], [0.5, 1.0], [0.5, 1.0]]
    rpn_head_partial: {_target_: torchvision.models.detection.rpn.RPNHead, _partial_: true}
    box_roi_pool:
      _target_: torchvision.ops.MultiScaleRoIAlign
      featmap_names: ["0", "1", "2", "3"]
      output_size: 7
      sampling_ratio: 2
    box_head_partial:
      _target_: torchvision.models.detection.faster_rcnn.FastRCNNConvFCHead
      _partial_: true
      conv_layers: [16]
      fc_layers: [1024]
      norm_layer: {_target_: torch.nn.BatchNorm2d, _partial_: true}
    mult_obj_loss: 1.0
    mult_rpn_reg_loss: 1.0
    mult_cls_loss: 1.0
    mult_box_reg_loss: 1.0
    compile_parts: COMPILE
    min_size: 96
    max_size: 160
    rpn_post_nms_top_n_test: 150
    box_detections_per_img: 200
"""

INFERENCE = """
face_model_conf: weights/faces.yaml
face_model_weights: weights/faces.pt
license_plate_model_conf: weights/lps.yaml
license_plate_model_weights: weights/lps.pt
device: cpu
processing:
  use: false
  pre_merge_score_threshold: 0
  post_merge_score_threshold: 0
  merge_iou_threshold: 0.5
  merging_method: "wbf"
  area_method: "int"
  mirror_image: false
  enlarged_regions_n: 0
logging:
  level: debug
  format: '%(asctime)s [%(levelname)s] %(name)s: %(message)s'
"""


def need_torchvision() -> None:
    """Skip the calling module where torchvision is missing, or fail there when that is forbidden."""
    if os.environ.get("FAIL_WITHOUT_TORCHVISION"):
        import torchvision  # noqa: F401, PLC0415
    else:
        pytest.importorskip("torchvision", reason="torchvision is not installed: models of torchvision, of BlurScene")


@cache  # weights at random take their time
def plain_faster_rcnn(classes: int, seed: int) -> nn.Module:
    """The network of CONF, put together with torchvision alone."""
    from torchvision.models.detection import FasterRCNN  # noqa: PLC0415
    from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: PLC0415
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # noqa: PLC0415
    from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead  # noqa: PLC0415
    from torchvision.ops import MultiScaleRoIAlign  # noqa: PLC0415

    torch.manual_seed(seed)
    network: nn.Module = FasterRCNN(
        resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5),
        num_classes=classes + 1,
        rpn_anchor_generator=AnchorGenerator(((16,), (32,), (64,), (128,), (256,)), ((0.5, 1.0),) * 5),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2),
        box_head=FastRCNNConvFCHead((256, 7, 7), [16], [1024], norm_layer=nn.BatchNorm2d),
        min_size=96,
        max_size=160,
        rpn_post_nms_top_n_test=150,
        box_detections_per_img=200,
    )
    return spread(network)


def spread(network: nn.Module) -> nn.Module:
    """Weights at random give scores that are all alike: let the last layers tell places apart."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith(("cls_score.weight", "rpn.head.cls_logits.weight")):
                value.mul_(20)
    return network.eval()


PAIR = {"face": ("faces", "face"), "license_plate": ("lps", "plate, sign")}
"""Our name of a class -> the file of its model, and what the model calls the class."""


def plain_network(name: str) -> nn.Module:
    """The network of a model of the pair, put together with torchvision alone."""
    return plain_faster_rcnn(PAIR[name][1].count(",") + 1, [*PAIR].index(name) + 1)


def save_pair(folder: Path, change: Callable[[str], str] = str, **values: str) -> dict[str, nn.Module]:
    """inference.yaml and weights/ as a user of BlurScene has them; the plain networks, by our names of classes.

    change: of the plate model's file
    """
    (folder / "weights").mkdir()
    (folder / "inference.yaml").write_text(INFERENCE)
    networks = {}
    for name, (file, classes) in PAIR.items():
        networks[name] = plain_network(name)
        text = CONF
        for word, value in ({"WITH_AMP": "false", "COMPILE": "false"} | values).items():
            text = text.replace(word, value)
        text = text.replace("CLASSES", classes)
        (folder / "weights" / f"{file}.yaml").write_text(change(text) if file == "lps" else text)
        save(networks[name], folder / "weights" / f"{file}.pt", "model.")
    return networks


def save(network: nn.Module, path: Path, prefix: str = "") -> None:
    """The state dict of a network, its names behind `prefix`."""
    torch.save({prefix + name: value for name, value in network.state_dict().items()}, path)


def answer(network: nn.Module, pictures: NDArray[np.uint8]) -> list[Mapping[str, Any]]:
    """What a plain network says of uint8 pictures (B, 3, H, W)."""
    with torch.inference_mode():
        found: list[Mapping[str, Any]] = network(list(torch.from_numpy(pictures).float() / 255))
    return found
