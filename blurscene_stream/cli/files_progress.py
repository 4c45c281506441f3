"""Progress of several files that are worked on at once: one line for all of them."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from blurscene_stream.cli.progress import Progress, expected_frames

if TYPE_CHECKING:
    from blurscene_stream.frames import RedactedFrame
    from blurscene_stream.streams import StreamInfo


class FilesProgress:
    """Counts the files that have ended, and the frames and boxes of all; may be called by any thread.

    How many frames there will be is guessed: files that are not begun have as many as the others on average.
    """

    def __init__(self, progress: Progress, files: int) -> None:
        self._progress, self._files = progress, files
        self._turn = Lock()
        self._ended = 0
        self._frames: list[int] = []  # of each video that was begun, or is there no more to do for
        progress.start(None, "frames", self._name)

    @property
    def _name(self) -> str:
        return f"{self._ended:,} of {self._files:,} files"

    def start_video(self, info: StreamInfo) -> None:
        """Begin another file."""
        with self._turn:
            self._frames.append(expected_frames(info) or 0)
            self._show()

    def add_frame(self, frame: RedactedFrame) -> None:
        """Count one frame more."""
        with self._turn:
            self._progress.add(frame.detections.observed())

    def add_file(self) -> None:
        """Count one file more that has ended."""
        with self._turn:
            self._ended += 1
            self._frames += [0] * (self._ended - len(self._frames))  # it was none, was there already, or is a picture
            self._show()

    def _show(self) -> None:
        total = round(sum(self._frames) / len(self._frames) * self._files)
        self._progress.rename(self._name, total or None)

    def close(self) -> None:
        """Remove the bar."""
        with self._turn:
            self._progress.close()
