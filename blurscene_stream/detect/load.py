"""Sets the models up that the settings ask for."""

from __future__ import annotations

import torch

from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.schema import ModelConfig, Settings
from blurscene_stream.detect.detector import Detector
from blurscene_stream.detect.device import choose_device
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.detect.model import Model
from blurscene_stream.detect.torchvision_model import TorchvisionModel
from blurscene_stream.errors import ConfigError, DetectionError, first_line


def load_detector(settings: Settings) -> Detector:
    """The detector that `settings` describe, ready to be called from any thread.

    Raises ConfigError when weights or a model's file are missing, are not the ones that the settings name, cannot be
    used or do not fit together, DeviceError when the device is not there, DetectionError when it cannot be used.
    """
    device = choose_device(settings.device)
    if settings.detect.threads:
        torch.set_num_threads(settings.detect.threads)
    wanted = models_of(settings)
    known = {name for model in wanted for name in model.classes}
    if known != (given := set(settings.classes)):
        raise ConfigError(f"classes must be the models' own: {', '.join(sorted(known))}, got {sorted(given)!r}")
    return Detector([_load(model, device, settings) for model in wanted], device, settings)


def _load(model: ModelConfig, device: torch.device, settings: Settings) -> Model:
    kind = FacePlateModel if model.is_built_in else TorchvisionModel
    try:
        return kind(model, device, settings.detect)
    except RuntimeError as error:
        raise DetectionError(
            f"the network of {model.name} cannot be set up on {device}: {first_line(error)}; try --device cpu"
        ) from error
