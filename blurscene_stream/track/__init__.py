"""Follows what was found over time, and covers it also where it was missed: only ever adds boxes."""

from blurscene_stream.track.cuts import Cuts
from blurscene_stream.track.tracker import Tracker

__all__ = ["Cuts", "Tracker"]
