"""Runs the real command line with a detector that finds what is bright, and reports what it judged.

python -m tests.rtsp.driver REPORT DELAY_S ARGUMENT...
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from blurscene_stream.boxes import Detections
from blurscene_stream.cli import main
from blurscene_stream.config.schema import Settings
from blurscene_stream.frames import Frame, RedactedFrame
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video
from blurscene_stream.pipeline.detection import LoadDetector
from blurscene_stream.streams import StreamInfo
from tests.detectors import SquareDetector


class Probe:
    """Slows the detector down, and notes what happens when.

    judged:  number, seconds of the stream and seconds of the clock of each picture that the detector saw
    written: numbers of the pictures that went out
    """

    def __init__(self, report: Path, delay_s: float) -> None:
        self._report = report
        self._delay_s = delay_s
        self._tick_s = 0.0
        self.detector = SquareDetector(self._judge)
        self.judged: list[tuple[int, float, float]] = []
        self.written: list[int] = []
        self.dropped = 0
        self.seconds = 0.0

    def run(self, job: Job, settings: Settings, _: Callbacks, stop_token: StopToken, __: LoadDetector) -> Summary:
        """Takes the place of `anonymize_video`."""
        own = Callbacks(self._started, self._note)
        summary = anonymize_video(job, settings, own, stop_token, self.detector.load)
        self.dropped, self.seconds = summary.dropped_frames, summary.seconds
        return summary

    def save(self) -> None:
        noted = {
            "judged": self.judged,
            "written": self.written,
            "dropped": self.dropped,
            "seconds": self.seconds,
            "peak_kb": _peak_kb(),
        }
        self._report.write_text(json.dumps(noted))

    def _started(self, info: StreamInfo) -> None:
        self._tick_s = float(info.time_base)

    def _judge(self, frames: Sequence[Frame]) -> list[Detections] | None:
        now_s = time.monotonic()
        self.judged += [(frame.number, frame.pts * self._tick_s, now_s) for frame in frames]
        time.sleep(self._delay_s)
        return None

    def _note(self, frame: RedactedFrame) -> None:
        self.written.append(frame.number)
        if len(self.written) == 10:
            self._report.with_suffix(".going").touch()


def _peak_kb() -> int:
    """Of this process alone: getrusage also knows what the one that started it was like."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    probe = Probe(Path(sys.argv[1]), float(sys.argv[2]))
    importlib.import_module("blurscene_stream.pipeline").anonymize_video = probe.run  # type: ignore[attr-defined]
    sys.argv[1:] = sys.argv[3:]
    try:
        main()
    finally:
        probe.save()
