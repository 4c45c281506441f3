"""Stages of detection: network input, network, decoding of its maps and merging, and the check for turned pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from av.video.reformatter import VideoReformatter

from blurscene_stream.boxes import Detections
from blurscene_stream.config import Settings
from blurscene_stream.config.model_files import models_of
from blurscene_stream.config.schema import ModelConfig
from blurscene_stream.detect.backends.loading import load_network
from blurscene_stream.detect.detector import Detector
from blurscene_stream.detect.device import choose_device
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline.auto_rotation import with_auto_rotation
from blurscene_stream.streams import StreamInfo
from scripts.bench.multiplications import multiplication_ms
from scripts.bench.replay import BlindModel, RecordingModel, RecordingNetwork, ReplayingNetwork, TurnedChecks
from scripts.bench.timing import Timing, timed


class DetectionStages:
    """The loops over `frames` of a stream, which must be its first ones.

    detections: of each frame, upright
    """

    def __init__(self, frames: Sequence[Frame], info: StreamInfo, settings: Settings) -> None:
        """Detect in all frames once, and keep what passes between the parts.

        Raises ConfigError for models of one's own, and what loading a detector raises.
        """
        self._frames, self._info, self._settings = frames, info, settings
        self._config = _built_in_model(settings)
        device = choose_device(settings.device, settings.detect.backend)
        self._on_cpu = device == "cpu"
        self._network = load_network(self._config, device, settings.detect)
        recording = RecordingNetwork(self._network)
        self._model = RecordingModel(FacePlateModel(self._config, recording, settings.detect))
        self._detector = Detector([self._model], settings)
        self._candidates = [self._detector.candidates(batch) for batch in self._batches()]
        self._maps = recording.maps
        self._calls, self._model.calls = self._model.calls, []
        self.detections = [found for batch in self._merged() for found in batch]

    @property
    def device_name(self) -> str:
        """Device, library and precision."""
        return self._network.device_name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, by class id."""
        return self._detector.class_names

    @property
    def inputs(self) -> list[str]:
        """The sizes of the network's input, such as 1280x768."""
        return list(dict.fromkeys(f"{images.shape[3]}x{images.shape[2]}" for images, _ in self._calls))

    def timings(self) -> dict[str, Timing]:
        """Time each stage."""
        return {
            "network input": self._network_input(),
            "network": self._network_alone(),
            "maps and merging": self._maps_and_merging(),
            "turned check": self._turned_check(),
        }

    def _batches(self) -> Iterator[Sequence[Frame]]:
        size = 1 if self._info.live else self._settings.detect.batch_size
        return (self._frames[start : start + size] for start in range(0, len(self._frames), size))

    def _merged(self) -> Iterator[list[Detections]]:
        for (candidates, view_counts), batch in zip(self._candidates, self._batches(), strict=True):
            yield [
                self._detector.merge(candidates, image, view_counts, self._settings.detect.merge)
                for image in range(len(batch))
            ]

    def _network_input(self) -> Timing:
        blind = Detector([BlindModel(self._model)], self._settings)
        timing = self._timed(lambda: [blind.candidates(batch) for batch in self._batches()])
        scaler, sizes = VideoReformatter(), [view.stored_size for view in self._model.views]
        return timing.above(self._timed(lambda: [self._scale(scaler, sizes, frame) for frame in self._frames]))

    @staticmethod
    def _scale(scaler: VideoReformatter, sizes: Sequence[tuple[int, int]], frame: Frame) -> None:
        for width, height in sizes:
            scaler.reformat(frame.native, width=width, height=height, format="rgb24", threads=1)

    def _network_alone(self) -> Timing:
        timing = self._timed(lambda: [self._network(images) for images, _ in self._calls])
        least_ms = multiplication_ms(self._config, [images.shape for images, _ in self._calls])
        if not self._on_cpu or least_ms is None:
            return timing
        return replace(timing, floor_ms=least_ms / len(self._frames))

    def _maps_and_merging(self) -> Timing:
        replaying = FacePlateModel(self._config, ReplayingNetwork(self._maps), self._settings.detect)
        decoding = self._timed(lambda: [replaying(images, thresholds) for images, thresholds in self._calls])
        merging = self._timed(lambda: list(self._merged()))
        together = Timing(decoding.cpu_ms + merging.cpu_ms, decoding.wall_ms + merging.wall_ms)
        return together.above(self._timed(lambda: [(maps[:, :, 0] > 0).any() for maps in self._maps]))

    def _turned_check(self) -> Timing:
        checks = TurnedChecks(self._detector, self.detections)
        detect = with_auto_rotation(checks, self._settings.detect.variants, self._info.name, self._info.time_base)
        return self._timed(lambda: [detect(batch) for batch in self._batches()])

    def _timed(self, work: Callable[[], object]) -> Timing:
        return timed(work, len(self._frames))


def _built_in_model(settings: Settings) -> ModelConfig:
    models = models_of(settings)
    if len(models) > 1 or not models[0].is_built_in:
        names = ", ".join(each.name for each in models)
        raise ConfigError(f"{names}: stages are measured of a built-in model alone; leave them out with --no-stages")
    return models[0]
