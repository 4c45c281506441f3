"""How a measurement is to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blurscene_stream.config.schema import Settings
from blurscene_stream.evaluate.estimates import Resampling
from blurscene_stream.evaluate.names import Names
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.detection import LoadDetector, load_torch_detector

LEAST_VISIBLE = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for every data set and clip.

    settings:      the anonymizer's; thresholds and margins are those whose cover is measured
    names:         what the classes of the data sets stand for
    resampling:    how the intervals are made
    least_visible: an object in a video of which less is to be seen does not count in that frame
    least_px:      nor does one whose longer side has fewer pixels there
    progress:      called with what is done, and with all that there is: pictures or clips
    stop_token:  stops it between two pictures or frames
    load_detector: builds what judges the pictures, once
    """

    settings: Settings
    names: Names
    resampling: Resampling = field(default_factory=Resampling)
    least_visible: float = LEAST_VISIBLE
    least_px: float = 0.0
    progress: Callable[[int, int], None] = lambda _done, _all: None
    stop_token: StopToken = field(default_factory=StopToken)
    load_detector: LoadDetector = load_torch_detector
