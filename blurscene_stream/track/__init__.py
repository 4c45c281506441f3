"""Follows what was found over time, and covers it also where it was missed: only ever adds boxes."""

from blurscene_stream.track.camera import Camera, Step
from blurscene_stream.track.tracker import STILL, Tracker

__all__ = ["STILL", "Camera", "Step", "Tracker"]
