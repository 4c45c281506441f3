"""Loading of the detector that the settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.schema import Backend, DetectConfig, ModelConfig, Settings
from blurscene_stream.detect.backends.loading import load_device_network, load_network
from blurscene_stream.detect.device import choose_device, is_installed
from blurscene_stream.detect.model import Model
from blurscene_stream.errors import ConfigError, DetectionError, first_line

if TYPE_CHECKING:
    from blurscene_stream.detect.detector import Detector


def load_detector(settings: Settings) -> Detector:
    """Load the detector that `settings` describe, ready to be called from any thread.

    Raises ConfigError when weights or a model's file are missing, are not the ones that the settings name, cannot be
    used or do not fit together, DeviceError when the device is not there, DetectionError when it cannot be used.
    """
    device = choose_device(settings.device, settings.detect.backend)
    wanted = models_of(settings)
    known = {name for model in wanted for name in model.classes}
    if known != (given := set(settings.classes)):
        raise ConfigError(f"classes must be the models' own: {', '.join(sorted(known))}, got {sorted(given)!r}")
    models = [_load_model(model, device, settings.detect) for model in wanted]
    from blurscene_stream.detect.detector import Detector  # noqa: PLC0415  imports OpenCV

    return Detector(models, settings)


def _load_model(model: ModelConfig, device: str, config: DetectConfig) -> Model:
    try:
        if model.is_built_in:
            return _load_built_in(model, device, config)
        _require_torch(model, config.backend)
        from blurscene_stream.detect.torchvision_model import TorchvisionModel  # noqa: PLC0415  needs torch

        return TorchvisionModel(model, device, config)
    except RuntimeError as error:
        raise DetectionError(
            f"the network of {model.name} cannot be set up on {device}: {first_line(error)}; try --device cpu"
        ) from error


def _load_built_in(model: ModelConfig, device: str, config: DetectConfig) -> Model:
    """Load the network, then import what needs OpenCV: networks are compiled while another thread imports that."""
    if device != "cpu" and config.on_device:
        from blurscene_stream.detect.face_plate import DeviceFacePlateModel  # noqa: PLC0415

        return DeviceFacePlateModel(model, load_device_network(model, device, config), config)
    network = load_network(model, device, config)
    from blurscene_stream.detect.face_plate import FacePlateModel  # noqa: PLC0415

    return FacePlateModel(model, network, config)


def _require_torch(model: ModelConfig, backend: Backend) -> None:
    """Raise ConfigError when a model of one's own is to run in another library than torch, or torch is missing."""
    if backend not in (Backend.auto, Backend.torch):
        raise ConfigError(f"{model.name}: detect.backend must be torch for a model of your own, got {backend.name}")
    if not is_installed("torch"):
        raise ConfigError(f"{model.name}: needs torch, which is not installed; pip install torch torchvision")
