"""The check of a device before the first frame: its input, network and peaks against those of the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from blurscene_stream.config.schema import DetectConfig, ModelConfig, Precision
from blurscene_stream.detect.backends.network import CLASS_COUNT, MULTIPLES, Cells
from blurscene_stream.detect.backends.torch.device_network import OnDeviceNetwork
from blurscene_stream.detect.backends.torch.peaks import fetch_cells, pack_peaks
from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork
from blurscene_stream.detect.face_plate import find_cells
from blurscene_stream.detect.letterbox import Letterbox, letterbox_top_left
from blurscene_stream.detect.preprocessor import Preprocessor, Sample, resize
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo

MAX_LEVELS = 8  # of the network's input; another matrix, range or order of planes makes tens
MAX_MEAN_LOGIT = 0.15  # of the heat maps' mean difference: bf16 makes a third of it, a wrong picture twice as much
_WIDTH, _HEIGHT = 128, 96
_WAYS_OUT = "try --set detect.on_device=false, or --device cpu"


def load_checked(model: ModelConfig, device: str, config: DetectConfig) -> OnDeviceNetwork:
    """Load a built-in network on a device, and check what it does there on a made picture.

    Raises DetectionError when that is not what the CPU does, and what `OnDeviceNetwork` and `TorchNetwork` raise.
    """
    network = OnDeviceNetwork(model, device, config)
    plain = TorchNetwork(model, "cpu", replace(config, precision=Precision.fp32))
    check(network, plain, MULTIPLES[model.network["_target_"]])
    return network


def check(network: OnDeviceNetwork, plain: TorchNetwork, multiple: int) -> None:
    """Compare a network on its device with `plain`, the same one on the CPU. Raises DetectionError."""
    frame = _made_frame()
    on_device, in_main_memory = network.preprocessor(), Preprocessor()
    for view in _views(frame.picture, multiple):
        drawn = on_device.batch([Sample(frame, view, 0)])
        wanted = in_main_memory.batch([Sample(frame, view, 0)])
        levels = int(np.abs(drawn.cpu().numpy().astype(int) - wanted).max())
        if levels > MAX_LEVELS:
            raise _wrong(network, f"pictures that differ by {levels} levels from those of the CPU")
    maps = network.maps(drawn)
    given = maps.float().cpu().numpy()
    logits = float(np.abs(given - plain(wanted))[:, :, 0].mean())
    if not logits <= MAX_MEAN_LOGIT:
        raise _wrong(network, f"heat maps that differ by {logits:.2g} from those of the CPU")
    every = np.full(CLASS_COUNT, -np.inf, np.float32)
    lowest = torch.from_numpy(every).to(network.device)
    found, peaks = fetch_cells(pack_peaks(maps, lowest), maps, lowest), find_cells(given, every)
    if not all(np.array_equal(getattr(found, name), getattr(peaks, name)) for name in Cells.__slots__):
        raise _wrong(network, "other peaks than the CPU")


def _wrong(network: OnDeviceNetwork, what: str) -> DetectionError:
    return DetectionError(f"{network.device_name} gives {what}; {_WAYS_OUT}")


def _made_frame() -> Frame:
    """Waves of colour, so long that it does not matter how they are scaled; ITU-T H.273's matrix 1, full range."""
    y = _wave(_HEIGHT, _WIDTH, 48, 100)
    cb, cr = (_wave(_HEIGHT // 2, _WIDTH // 2, length, 50) for length in (64, 80))
    blue, red = (each.repeat(2, 0).repeat(2, 1) - 128.0 for each in (cb, cr))
    rgb = np.stack([y + 1.5748 * red, y - 0.187324 * blue - 0.468124 * red, y + 1.8556 * blue], axis=2)
    shown = rgb.round().clip(0, 255).astype(np.uint8)
    picture = PictureInfo(_WIDTH, _HEIGHT, PIXEL_FORMATS["yuv420p"], full_range=True, color_matrix=1)
    return Frame(0, 0, picture, (y, cb, cr), lambda width, height: resize(shown, width, height), None)


def _wave(height: int, width: int, length_px: int, amplitude: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    made = 128 + amplitude * np.sin(2 * np.pi * (columns + rows / 3) / length_px)
    return np.asarray(made.round(), np.uint8)


def _views(picture: PictureInfo, multiple: int) -> list[Letterbox]:
    """As it is stored; half of that, made of it; enlarged, turned and mirrored."""
    whole, half = (letterbox_top_left(picture, _WIDTH, 1, times, multiple) for times in (1.0, 0.5))
    turned = replace(picture, orientation=picture.orientation.turned(90))
    enlarged = replace(letterbox_top_left(turned, 160, 2, 1.0, multiple), picture=picture, rotation=90, mirrored=True)
    return [whole, half, enlarged]
