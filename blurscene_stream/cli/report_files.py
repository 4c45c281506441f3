"""The files that `evaluate --output` writes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.errors import UsageError
from blurscene_stream.evaluate import LeakReport, PictureReport, Plan, can_plot, plot_png, report_json
from blurscene_stream.pipeline.output_paths import refuse_same
from blurscene_stream.sink import check_output_folder, check_output_path, make_folder, write_file

log = logging.getLogger(__name__)


class ReportFiles:
    """report.json in a folder, and of pictures plot.png where it can be drawn."""

    def __init__(self, folder: Path, overwrite: bool) -> None:
        """`overwrite`: files that are there are replaced."""
        self._folder = folder
        self._overwrite = overwrite
        self._json = folder / "report.json"
        self._plot = folder / "plot.png"

    def check_pictures(self, dataset: Path) -> None:
        """Refuse a folder that cannot take the report of a data set, before any work is done for it.

        Raises UsageError.
        """
        home = dataset if dataset.is_dir() else dataset.parent
        if dataset.exists() and self._folder.resolve().is_relative_to(home.resolve()):
            raise UsageError(
                f"{self._folder}: lies inside the data set and could be read as a part of it next time; "
                "choose another folder"
            )
        self._check([self._json, self._plot] if can_plot() else [self._json], [dataset])

    def check_videos(self, read: Iterable[Path]) -> None:
        """The same for the report of videos; `read`: they and their truths.

        Raises UsageError.
        """
        self._check([self._json], read)

    def _check(self, files: Iterable[Path], read: Iterable[Path]) -> None:
        check_output_folder(self._folder)
        known = list(read)
        for file in files if self._folder.exists() else ():
            for other in known:
                refuse_same(Address(str(other)), Address(str(file)), "what is read and the report")
            check_output_path(file, self._overwrite)

    def write(self, report: PictureReport | LeakReport, plan: Plan) -> None:
        """Write all files. Raises SinkError."""
        files = {self._json: report_json(report, plan)}
        if isinstance(report, PictureReport):
            if can_plot():
                files[self._plot] = plot_png(report)
            else:
                missing = "matplotlib is missing, pip install 'blurscene-stream[evaluate]'"
                log.warning("%s", f"plot.png was left out: {missing}")
        with plan.stop_token.defer():  # from here on it is too late to stop: all files are written
            make_folder(self._folder)
            for path, data in files.items():
                write_file(path, data, self._overwrite)
        log.info("%s", f"written: {', '.join(map(str, files))}")
