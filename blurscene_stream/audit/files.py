"""Are the files that an audit log tells of still as it says?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blurscene_stream.audit.chain import Entry
from blurscene_stream.errors import reason

WITHDRAWN = "withdrawn"  # key of an entry that takes another one back, by its checksum


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of the files of a log.

    files: how many it tells of
    wrong: those that are not there any more or are not what the latest entry about them says, in words
    """

    files: int
    wrong: tuple[str, ...]


def changed_files(entries: Sequence[Entry], log: Path) -> Changed:
    """Look at all files that the entries of a log tell of.

    Names that are not whole paths are those of the run's working folder, which the log does not tell: they are looked
    up in the present one, then in the folder of the log.
    """
    taken_back = {entry[WITHDRAWN] for entry in entries if WITHDRAWN in entry}
    told = [
        entry[what]
        for entry in entries
        if entry["sha256"] not in taken_back
        for what in ("input", "detections", "output")
        if entry.get(what)
    ]
    latest = {_found(one["name"], log): one for one in told if one["sha256"]}
    differences = ((one["name"], _difference(path, one["sha256"])) for path, one in latest.items())
    return Changed(len(latest), tuple(f"{name}: {why}" for name, why in differences if why))


def sha256_of(path: Path) -> str:
    """The checksum of a file. Raises OSError."""
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest()


def _found(name: str, log: Path) -> str:
    """Where a file of that name is, whatever it is called there; in the working folder when it is nowhere."""
    beside = os.path.realpath(log.parent / name)
    here = os.path.realpath(name)
    return beside if os.path.exists(beside) and not os.path.exists(here) else here  # noqa: PTH110  # of any length


def _difference(path: str, sha256: str) -> str:
    try:
        return "" if sha256_of(Path(path)) == sha256 else "has changed since"
    except FileNotFoundError:
        return "is not there any more"
    except OSError as error:
        return f"cannot be read: {reason(error)}"
