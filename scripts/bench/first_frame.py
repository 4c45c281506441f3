"""Run `blurscene-stream` up to its first frame: python -m scripts.bench.first_frame OPTIONS INPUT OUTPUT.

The process ends at once when that frame is written, so its time is the program's start-up. OUTPUT.partial is left.
"""

from __future__ import annotations

import os
from typing import NoReturn

from blurscene_stream.cli import main
from blurscene_stream.cli.progress import Progress


def _end(*_: object) -> NoReturn:
    os._exit(0)


if __name__ == "__main__":
    Progress.add_frame = _end  # type: ignore[method-assign,assignment]
    main()
