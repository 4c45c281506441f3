"""The clock of a run of training: how far it is, when its end may be said only after its beginning."""

from __future__ import annotations

import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)


class Clock:
    """Counts from when it is made.

    deadline: a file that may come later, and be replaced; it holds the second of the epoch at which to end, `date +%s`.
              Until it is there, the end is `minutes` after the beginning.
    """

    def __init__(self, minutes: float, deadline: Path | None = None) -> None:
        self._start = time.time()
        self._end = self._start + 60 * minutes
        self._deadline = deadline
        self._text = ""

    def seconds(self) -> float:
        """Return how long it has run."""
        return time.time() - self._start

    def progress(self) -> float:
        """Return the share of the time that is over: 0 at the beginning, 1 and more from the end on."""
        self._read()
        return self.seconds() / max(self._end - self._start, 1e-3)

    def _read(self) -> None:
        try:
            text = "" if self._deadline is None else self._deadline.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return
        if text in ("", self._text):  # "": it is just being written
            return
        self._text = text
        end = float(text) if text.isdecimal() else 0.0
        if end > self._start:
            self._end = end
        else:  # not the end of a run that may cost minutes of a GPU
            log.warning(
                "%s: holds no second of the epoch after the beginning, as `date +%%s` prints it, and is ignored",
                self._deadline,
            )
