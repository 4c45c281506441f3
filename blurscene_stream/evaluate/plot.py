"""Draws precision over recall, and recall by size. The only user of matplotlib, which is an extra."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from blurscene_stream.evaluate.measures import PictureReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DOTS_PER_INCH = (11, 4.5), 120


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401, PLC0415  asked only here: it is slow to load and not always there
    except ImportError:
        return False
    return True


def plot_png(report: PictureReport) -> bytes:
    """Both charts side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _curves(left, report)
    _sizes(right, report)
    figure.suptitle(f"{Path(report.dataset).name}: {report.pictures} pictures")
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return drawn.getvalue()


def _curves(axes: Axes, report: PictureReport) -> None:
    for name, one in report.classes.items():
        if one.curve:
            area = one.average_precision["AP30"].value
            label = name if area is None else f"{name}, AP30 {area:.3f}"
            axes.plot([recall for recall, _ in one.curve], [precision for _, precision in one.curve], label=label)
    if axes.lines:
        axes.legend(loc="lower left")
    else:
        axes.text(0.5, 0.5, "not stated: labels are not exhaustive", ha="center")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="found at an overlap of 0.3")
    axes.grid(alpha=0.3)


def _sizes(axes: Axes, report: PictureReport) -> None:
    """Recall with its interval, a class beside the other in each bucket of sizes."""
    step = 0.8 / len(report.classes)
    buckets: list[str] = []
    for place, (name, one) in enumerate(report.classes.items()):
        buckets = list(one.recall_by_size)
        shown = [(index, each) for index, each in enumerate(one.recall_by_size.values()) if each.value is not None]
        middles = [index + (place + 0.5) * step - 0.4 for index, _ in shown]
        values = [each.value or 0.0 for _, each in shown]
        low = [max(0.0, value - (each.low or 0.0)) for value, (_, each) in zip(values, shown, strict=True)]
        high = [max(0.0, (each.high or 0.0) - value) for value, (_, each) in zip(values, shown, strict=True)]
        axes.bar(middles, values, step * 0.9, yerr=[low, high], capsize=3, label=f"{name}, threshold {one.threshold:g}")
    axes.set_xticks(range(len(buckets)), buckets)
    axes.set_xlim(-0.5, len(buckets) - 0.5)
    axes.set(xlabel="longer side, pixels", ylabel="recall", ylim=(0, 1.05), title="recall by size, 95 % intervals")
    axes.legend(loc="lower right")
    axes.grid(axis="y", alpha=0.3)
