"""A release of weights: what in the project follows from them, once they are kept; figures and words are left to do.

Three files in weights/, their checksums in the model's settings and in the model card, and the values that a test
expects of the network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from blurscene_stream.atomic_file import write_file
from blurscene_stream.config.schema import BUILT_IN_V2, ModelConfig
from blurscene_stream.detect.backends.check_picture import draw_scene
from blurscene_stream.detect.backends.export import export_model
from blurscene_stream.detect.backends.onnx_file import INT8_SUFFIX, SUFFIX, check_onnx, origin
from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.errors import ConfigError
from scripts.training.export import load_network

NAME = "face_plate_v2"
SETTINGS = Path(f"config/model/{NAME}.yaml")
CARD = Path("weights/CARD.md")
TEST = Path("tests/detect/test_network_v2.py")

PLACES = ((17, 41), (23, 16), (0, 0), (47, 63), (20, 28))
"""Rows and columns of the cells whose values the test holds: the face, the plate, corners, in between."""

NAMING = (CARD, Path("blurscene_stream/config/model.py"), Path("docs/settings.md"))
"""Files that name the checksums too: v2 is the default, so they are defaults of settings."""

_KEYS = {".pt": "sha256", SUFFIX: "onnx_sha256", INT8_SUFFIX: "int8_sha256"}


def release(weights: Path, int8: Path, root: Path) -> None:
    """Put `weights`, and what `quantize` made of them, in the place of those of the project in `root`.

    Raises ConfigError, before anything is written, for another network, and when `int8` was made of other weights.
    """
    network = load_network(weights)
    model = ModelConfig(weights=str(weights), sha256=None, network={"_target_": BUILT_IN_V2})
    quantized = int8.read_bytes()
    if not origin(model).items() <= check_onnx(quantized, int8.name).items():
        raise ConfigError(f"{int8.name}: was not made of {weights.name}; make it with `quantize`")
    files = {".pt": weights.read_bytes(), SUFFIX: export_model(model, SUFFIX)[SUFFIX], INT8_SUFFIX: quantized}
    for suffix, content in files.items():
        write_file(root / "weights" / (NAME + suffix), content, overwrite=True)
    _replace_checksums(root, {_KEYS[suffix]: hashlib.sha256(content).hexdigest() for suffix, content in files.items()})
    _rewrite(root / TEST, r"(?<=^CELLS = \(\n)(    .*\n)+(?=\)\n)", _cells(network))


def _replace_checksums(root: Path, checksums: Mapping[str, str]) -> None:
    texts = {file: (root / file).read_text(encoding="utf-8") for file in NAMING}
    for key, new in checksums.items():
        old = _rewrite(root / SETTINGS, rf"(?<=^{key}: )[0-9a-f]{{64}}", new)
        texts = {file: text.replace(old, new) for file, text in texts.items()}
    for file, text in texts.items():
        write_file(root / file, text.encode(), overwrite=True)


def _rewrite(file: Path, pattern: str, new: str) -> str:
    """Replace the one match of `pattern` in a file; return what it was."""
    text = file.read_text(encoding="utf-8")
    (found,) = re.finditer(pattern, text, re.MULTILINE)
    write_file(file, (text[: found.start()] + new + text[found.end() :]).encode(), overwrite=True)
    return found[0]


@torch.no_grad()
def _cells(network: FacePlateV2Network) -> str:
    """Lines of the test: row, column and the values there, of face and plate, for the scene that the product draws."""
    scene = draw_scene()
    height, width = (-(-side // network.multiple) * network.multiple for side in scene.shape[:2])
    padded = np.zeros((1, height, width, 3), np.float32)
    padded[0, : scene.shape[0], : scene.shape[1]] = scene
    maps = network.fuse(fused_relu=False)(torch.from_numpy(padded).permute(0, 3, 1, 2))[0]
    lines = []
    for row, column in PLACES:
        values = [[round(value, 4) for value in of_class[:, row, column].tolist()] for of_class in maps]
        lines.append(f"    {(row, column, *values)},\n")
    return "".join(lines)
