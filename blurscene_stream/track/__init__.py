"""Multi-object tracking over time: covers objects also where the detector missed them; only ever adds boxes."""

from blurscene_stream.track.shot_detection import ShotDetector
from blurscene_stream.track.tracker import Tracker

__all__ = ["ShotDetector", "Tracker"]
