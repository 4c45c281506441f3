"""BlurScene's Faster R-CNN: the targets that its model files name, with their meaning there.

Only for inference: weights of losses are taken and have no effect, and neither has `compile_parts` (see the class).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.ops import MultiScaleRoIAlign, roi_align

from blurscene_stream.errors import ConfigError


class ClassMap:
    """Names of classes, each once, sorted and numbered from 0."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(sorted(set(classes)))

    def __len__(self) -> int:
        return len(self.classes)


class FasterRCNNWrapper(nn.Module):
    """A Faster R-CNN of torchvision as attribute `model`, so that names in its weights begin with "model.".

    `compile_parts` is taken and not done: compiling takes minutes and a compiler, and changes no box.
    `do_input_trafo` is taken as true: whoever calls the network scales its input to 0..1.

    Raises ConfigError when `class_map` and the network's scores do not fit.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        model: FasterRCNN,
        class_map: ClassMap | None = None,
        do_input_trafo: bool = True,  # noqa: ARG002
        mult_obj_loss: float = 1.0,  # noqa: ARG002
        mult_rpn_reg_loss: float = 1.0,  # noqa: ARG002
        mult_cls_loss: float = 1.0,  # noqa: ARG002
        mult_box_reg_loss: float = 1.0,  # noqa: ARG002
        compile_parts: bool = False,  # noqa: ARG002
    ) -> None:
        super().__init__()
        outputs = getattr(getattr(model.roi_heads.box_predictor, "cls_score", None), "out_features", None)
        if class_map is not None and outputs not in (None, len(class_map) + 1):
            raise ConfigError(
                f"class_map holds {len(class_map)} names, the network scores {outputs} classes with the background"
            )
        self.model = model
        self.model.roi_heads.box_roi_pool = AlignedRoIAlign(model.roi_heads.box_roi_pool)

    def forward(self, pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        """Run torchvision's Faster R-CNN on RGB images (3, H, W) in 0..1; its labels begin at 1."""
        found: list[dict[str, Tensor]] = self.model(pictures)
        return found


class AlignedRoIAlign(nn.Module):
    """torchvision's MultiScaleRoIAlign with the half pixel put right (`aligned=True`), as BlurScene's models have it.

    BlurScene exchanges the function inside torchvision for that; here it is for these models alone. Which map a box
    is read from: equation 1 of Feature Pyramid Networks (Lin et al., 2017).
    """

    def __init__(self, pool: MultiScaleRoIAlign) -> None:
        super().__init__()
        self._pool = pool

    def forward(self, features: Mapping[str, Tensor], boxes: list[Tensor], shapes: list[tuple[int, int]]) -> Tensor:
        """Pool boxes (N_i, 4) of each image of a batch, `shapes` (height, width) -> (sum of N_i, C, *output_size)."""
        pool = self._pool
        maps = [features[name] for name in pool.featmap_names if name in features]
        tall = max(height for height, _ in shapes)
        scales = [2.0 ** round(math.log2(each.shape[-2] / tall)) for each in maps]
        every = torch.cat(boxes)
        picture = torch.cat([torch.full_like(each[:, :1], index) for index, each in enumerate(boxes)])
        regions, levels = torch.cat([picture, every], 1), self._levels(every, scales)
        made: Tensor = maps[0].new_zeros(len(every), maps[0].shape[1], *pool.output_size)
        for level, (each, scale) in enumerate(zip(maps, scales, strict=True)):
            here = (levels == level).nonzero().squeeze(1)
            read = roi_align(each, regions[here], pool.output_size, scale, pool.sampling_ratio, aligned=True)
            made[here] = read.to(made.dtype)
        return made

    def _levels(self, boxes: Tensor, scales: list[float]) -> Tensor:
        """Index into the maps (N,), for boxes (N, 4)."""
        pool = self._pool
        finest, coarsest = -math.log2(scales[0]), -math.log2(scales[-1])
        side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
        level = (pool.canonical_level + (side / pool.canonical_scale).log2() + 1e-6).floor()
        index: Tensor = (level.clamp(finest, coarsest) - finest).long()
        return index


def build_generalized_frcnn_from_conf(  # noqa: PLR0913, PLR0917
    class_map: ClassMap,
    backbone: nn.Module,
    anchor_gen: nn.Module,
    rpn_head_partial: Callable[..., nn.Module],
    box_roi_pool: MultiScaleRoIAlign,
    box_head_partial: Callable[..., nn.Module],
    mult_obj_loss: float = 1.0,
    mult_rpn_reg_loss: float = 1.0,
    mult_cls_loss: float = 1.0,
    mult_box_reg_loss: float = 1.0,
    compile_parts: bool = False,
    **arguments: Any,
) -> FasterRCNNWrapper:
    """Build a Faster R-CNN for the classes of `class_map` and the background; `arguments` are torchvision's.

    The heads are called for the channels of the backbone and what the anchors and the pool give.
    """
    channels: Any = backbone.out_channels
    per_location: Any = anchor_gen.num_anchors_per_location  # a method of torchvision's
    model = FasterRCNN(
        backbone=backbone,
        num_classes=len(class_map) + 1,
        rpn_anchor_generator=anchor_gen,
        rpn_head=rpn_head_partial(in_channels=channels, num_anchors=per_location()[0]),
        box_roi_pool=box_roi_pool,
        box_head=box_head_partial(input_size=(channels, *box_roi_pool.output_size)),
        **arguments,
    )
    losses = (mult_obj_loss, mult_rpn_reg_loss, mult_cls_loss, mult_box_reg_loss)
    return FasterRCNNWrapper(model, class_map, True, *losses, compile_parts)
