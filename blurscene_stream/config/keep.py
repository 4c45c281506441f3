"""The settings of what passes beside the pictures and the sound: nothing, unless it is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from blurscene_stream.config.rules import Rule, check, listed

STREAMS = ("subtitles", "data", "attachments", "timecode", "chapters")

_KINDS = Rule(f"a list of {listed(STREAMS)}", lambda word: word in STREAMS, of_items=True)
_KEYS = Rule(
    'a list of names of tags, such as "creation_time"',
    lambda name: bool(name.strip()) and name.isprintable(),
    of_items=True,
)


@dataclass
class KeepConfig:
    """What passes because it is named. It comes out as it is in the input: nobody looks for persons or places in it."""

    streams: Annotated[list[str], "what passes beside video and sound", _KINDS] = field(default_factory=list)
    tags: Annotated[list[str], "tags that pass, by name, in any case", _KEYS] = field(default_factory=list)

    def __post_init__(self) -> None:
        check(self, "keep.")
