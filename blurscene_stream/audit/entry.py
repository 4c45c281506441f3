"""What a run tells of itself in the audit log."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.audit.chain import Entry, append
from blurscene_stream.audit.files import WITHDRAWN, sha256_of
from blurscene_stream.config.provenance import models, program, settings_of_results, settings_sha256
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, SourceError, reason


@dataclass(frozen=True, slots=True)
class Ran:
    """A run over one video that has come to its end.

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


def record(log: Path, ran: Ran, settings: Settings, made: Path | None) -> Entry:
    """Add an entry for a run whose output is complete, but for its name.

    made: where it lies until it has its name; None when it is no file
    Raises SourceError when the input can no longer be read, SinkError when the output or the log cannot.
    """
    try:
        came_from = _file(ran.source, _kept(ran.source))
        by = None if ran.judged_by is None else _file(Address(str(ran.judged_by)), ran.judged_by)
    except OSError as error:
        raise SourceError(f"{ran.source}: cannot be read again for the audit: {reason(error)}") from error
    try:
        went_to = _file(ran.target, made)
    except OSError as error:
        raise SinkError(f"{ran.target}: cannot be read again for the audit: {reason(error)}") from error
    return append(
        log,
        {
            "started": _text(ran.started),
            "ended": _text(datetime.now(timezone.utc)),
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


@contextmanager
def withdrawn_on_error(log: Path, entry: Entry) -> Generator[None]:
    """What fails in here has not become what an entry says: another entry tells so."""
    try:
        yield
    except BaseException:
        with suppress(SinkError):  # the first error is on its way up
            append(log, {WITHDRAWN: entry["sha256"]})
        raise


def _kept(address: Address) -> Path | None:
    """Where the bytes are; a camera, a server or a pipe keeps none."""
    return None if address.live or address.piped or not address.path.is_file() else address.path


def _file(address: Address, held: Path | None) -> dict[str, object]:
    return {
        "name": str(address),
        "bytes": None if held is None else held.stat().st_size,
        "sha256": None if held is None else sha256_of(held),
    }


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
