"""Multi-object tracking over time: covers objects also where the detector missed them; only ever adds boxes."""

from blurscene_stream.track.shot_detection import ShotDetector
from blurscene_stream.track.tracker import Tracker
from blurscene_stream.track.uncertainty import UncertaintyLimits, uncertainty_limits

__all__ = ["ShotDetector", "Tracker", "UncertaintyLimits", "uncertainty_limits"]
