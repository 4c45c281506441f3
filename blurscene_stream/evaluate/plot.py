"""Plots of the precision/recall curve and of recall by size; needs matplotlib, the extra `evaluate`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from blurscene_stream.evaluate.precision_recall import ImageReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES, DPI = (11, 4.5), 120


def can_plot() -> bool:
    """Return whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401, PLC0415  slow to import, and optional
    except ImportError:
        return False
    return True


def plot_png(report: ImageReport) -> bytes:
    """Draw both charts side by side, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_curves(left, report)
    _draw_recall_by_size(right, report)
    figure.suptitle(f"{Path(report.dataset).name}: {report.images} images")
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    return png.getvalue()


def _draw_curves(axes: Axes, report: ImageReport) -> None:
    for name, of_class in report.classes.items():
        if of_class.curve:
            ap30 = of_class.average_precision["AP30"].value
            label = name if ap30 is None else f"{name}, AP30 {ap30:.3f}"
            axes.plot(
                [recall for recall, _ in of_class.curve], [precision for _, precision in of_class.curve], label=label
            )
    if axes.lines:
        axes.legend(loc="lower left")
    else:
        axes.text(0.5, 0.5, "not stated: annotations are not exhaustive", ha="center")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="matched at IoU 0.3")
    axes.grid(alpha=0.3)


def _draw_recall_by_size(axes: Axes, report: ImageReport) -> None:
    """Draw recall with its interval, one bar a class in each size bucket."""
    width = 0.8 / len(report.classes)
    buckets: list[str] = []
    for offset, (name, of_class) in enumerate(report.classes.items()):
        buckets = list(of_class.recall_by_size)
        shown = [(index, each) for index, each in enumerate(of_class.recall_by_size.values()) if each.value is not None]
        centers = [index + (offset + 0.5) * width - 0.4 for index, _ in shown]
        values = [each.value or 0.0 for _, each in shown]
        low = [max(0.0, value - (each.low or 0.0)) for value, (_, each) in zip(values, shown, strict=True)]
        high = [max(0.0, (each.high or 0.0) - value) for value, (_, each) in zip(values, shown, strict=True)]
        axes.bar(
            centers, values, width * 0.9, yerr=[low, high], capsize=3, label=f"{name}, threshold {of_class.threshold:g}"
        )
    axes.set_xticks(range(len(buckets)), buckets)
    axes.set_xlim(-0.5, len(buckets) - 0.5)
    axes.set(xlabel="longer side, pixels", ylabel="recall", ylim=(0, 1.05), title="recall by size, 95 % intervals")
    axes.legend(loc="lower right")
    axes.grid(axis="y", alpha=0.3)
