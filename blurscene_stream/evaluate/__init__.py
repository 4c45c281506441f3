"""Evaluation on labelled images and videos: precision, recall, AP, coverage, and exposure of tracks over time."""

from blurscene_stream.evaluate.bootstrap import Bootstrap, Estimate
from blurscene_stream.evaluate.datasets.jsonl import find_video_pairs
from blurscene_stream.evaluate.leaks import LeakReport, measure_leaks
from blurscene_stream.evaluate.options import ClassMapping, EvaluationOptions
from blurscene_stream.evaluate.precision_recall import ImageReport, measure_images
from blurscene_stream.evaluate.report import (
    can_plot,
    format_image_report,
    format_leak_report,
    plot_png,
    report_json,
)

__all__ = [
    "Bootstrap",
    "ClassMapping",
    "Estimate",
    "EvaluationOptions",
    "ImageReport",
    "LeakReport",
    "can_plot",
    "find_video_pairs",
    "format_image_report",
    "format_leak_report",
    "measure_images",
    "measure_leaks",
    "plot_png",
    "report_json",
]
