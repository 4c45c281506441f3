"""How much the detector finds and the anonymizer covers, measured on labelled pictures and videos."""

from blurscene_stream.evaluate.estimates import Estimate, Resampling
from blurscene_stream.evaluate.leaks import LeakReport, measure_leaks
from blurscene_stream.evaluate.measures import PictureReport, measure_pictures
from blurscene_stream.evaluate.names import Names
from blurscene_stream.evaluate.plan import Plan
from blurscene_stream.evaluate.plot import can_plot, plot_png
from blurscene_stream.evaluate.report import leak_text, picture_text, report_json
from blurscene_stream.evaluate.truth import find_pairs

__all__ = [
    "Estimate",
    "LeakReport",
    "Names",
    "PictureReport",
    "Plan",
    "Resampling",
    "can_plot",
    "find_pairs",
    "leak_text",
    "measure_leaks",
    "measure_pictures",
    "picture_text",
    "plot_png",
    "report_json",
]
