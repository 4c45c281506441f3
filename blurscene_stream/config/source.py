"""The settings of what is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from blurscene_stream.config.rules import between, check


@dataclass
class SourceConfig:
    """What of a file or a camera is read."""

    video_stream: Annotated[
        int | None, "the number of the stream, of several videos in one file; null: there is only one", between(0, 9999)
    ] = None

    def __post_init__(self) -> None:
        check(self, "source.")
