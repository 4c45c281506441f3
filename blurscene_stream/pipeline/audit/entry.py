"""What a run tells of itself in the audit log, and whether the files are still those that it tells of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.config.provenance import models, program, settings_of_results, settings_sha256
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, SourceError, reason
from blurscene_stream.pipeline.audit.chain import Entry, append


@dataclass(frozen=True, slots=True)
class Ran:
    """A run over one video that has ended well.

    judged_by: the file that said what to cover; None: the detector did
    started:   the time at which it began
    counts:    what else is told, as JSON has it
    """

    source: Address
    target: Address
    preview: bool
    judged_by: Path | None
    started: datetime
    counts: Mapping[str, object]


def record(log: Path, ran: Ran, settings: Settings) -> Entry:
    """Add an entry for a run whose output is complete.

    Raises SourceError when the input can no longer be read, SinkError when the output or the log cannot.
    """
    try:
        came_from = _file(ran.source)
        by = None if ran.judged_by is None else _file(Address(str(ran.judged_by)))
    except OSError as error:
        raise SourceError(f"{ran.source}: cannot be read again for the audit: {reason(error)}") from error
    try:
        went_to = _file(ran.target)
    except OSError as error:
        raise SinkError(f"{ran.target}: cannot be read again for the audit: {reason(error)}") from error
    return append(
        log,
        {
            "started": _text(ran.started),
            "ended": _text(datetime.now(UTC)),
            "program": program(),
            "models": models(settings) if by is None else [],
            "settings_sha256": settings_sha256(settings),
            "settings": settings_of_results(settings),
            "input": came_from,
            "detections": by,
            "output": went_to | {"preview": ran.preview},
            **ran.counts,
        },
    )


def changed_files(entries: Sequence[Entry]) -> list[str]:
    """Files that are there no more or are not what the latest entry about them says, in words.

    Names that are not whole paths are looked up in the working folder.
    """
    told = [entry.get(what) for entry in entries for what in ("input", "detections", "output")]
    latest = {one["name"]: one["sha256"] for one in told if one}
    return [f"{name}: {why}" for name, sha256 in latest.items() if sha256 and (why := _difference(Path(name), sha256))]


def _difference(path: Path, sha256: str) -> str:
    try:
        return "" if _sha256(path) == sha256 else "has changed since"
    except FileNotFoundError:
        return "is not there any more"
    except OSError as error:
        return f"cannot be read: {reason(error)}"


def _file(address: Address) -> dict[str, object]:
    """Name and checksum; a camera, a server or a pipe has none."""
    kept = not (address.live or address.piped) and address.path.is_file()
    return {
        "name": str(address),
        "bytes": address.path.stat().st_size if kept else None,
        "sha256": _sha256(address.path) if kept else None,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
