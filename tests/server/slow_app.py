"""The application of a worker whose detector needs no weights, and takes SLOW_S for each frame of a video."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from blurscene_stream.config import load_settings
from blurscene_stream.frames import Frame
from blurscene_stream.log_lines import set_up_logs
from blurscene_stream.server import create_app
from tests.detectors import SquareDetector

WARM_UP_WIDTH = 1280


def _wait(frames: Sequence[Frame]) -> None:
    if frames[0].picture.width != WARM_UP_WIDTH:
        time.sleep(len(frames) * float(os.environ.get("SLOW_S", "0")))


settings = load_settings(environment=os.environ)
set_up_logs(settings.logging, quiet=False)
app = create_app(settings, load_detector=SquareDetector(_wait).load)
