"""The spool: a private folder with a folder for each job, which all workers of one server share.

Who looks after a folder holds a lock on it. What nobody holds is left of a process that was killed, and goes.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from blurscene_stream.config.schema import ServerConfig
from blurscene_stream.errors import ConfigError, reason
from blurscene_stream.server.jobs.job_folder import JobFolder, JobRecord, hold, is_held

ID_BYTES = 24  # 192 bits: an id is the only way to a job, and cannot be guessed
ID = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")
PREFIX, NEW = "blurscene-stream-spool-", "blurscene-stream-new-"  # from the one to the other once it is held
FOLDER = re.compile(rf"[^\s']*{PREFIX}[^\s/]+/{ID.pattern}/?")
DELETED = "deleted-"
ADMISSION = "admission"
RETRY_AFTER_S = 30

log = logging.getLogger(__name__)


class Spool:
    """A new private folder for jobs, held by this process and the workers that it forks.

    folder: where the jobs are
    """

    def __init__(self, parent: str | None) -> None:
        """Make it in `parent`, or in the system's temporary folder, and delete what killed servers have left there.

        Raises ConfigError when no folder can be made there.
        """
        try:
            there = Path(tempfile.gettempdir() if parent is None else parent)
            there.mkdir(mode=0o700, parents=True, exist_ok=True)
            _delete_leftovers(there)
            made = Path(tempfile.mkdtemp(prefix=NEW, dir=there)).resolve()  # mode 0700
            self._lock: int | None = hold(made)
            self.folder = made.rename(made.with_name(PREFIX + made.name.removeprefix(NEW)))
        except OSError as error:
            raise ConfigError(
                f"server.spool_folder must be a folder where files can be made: {reason(error)}"
            ) from error

    def admit(self, config: ServerConfig, size: int | None) -> JobFolder:
        """Make the folder of a new job, held by this process.

        size: of its upload in bytes, as the client says; None when it does not

        Raises RequestEntityTooLarge when there never is room for it, ServiceUnavailable when there is none now.
        """
        if (size or 0) > config.max_spool_bytes:
            raise RequestEntityTooLarge(f"the server keeps {config.max_spool_bytes:,} bytes at most")
        with self._admission():
            self.sweep(config)
            if len(self._folders()) >= config.max_jobs:
                raise ServiceUnavailable(
                    f"{config.max_jobs} jobs are here already; try again later", retry_after=RETRY_AFTER_S
                )
            self.check_room(config, size or 0)
            return JobFolder.create(self.folder / secrets.token_hex(ID_BYTES))

    def check_room(self, config: ServerConfig, size: int = 0) -> None:
        """Check that there is room for as many bytes more. Raises ServiceUnavailable."""
        if self.used_bytes() + size > config.max_spool_bytes:
            raise ServiceUnavailable("there is no room for a video now; try again later", retry_after=RETRY_AFTER_S)

    def used_bytes(self) -> int:
        """Return the bytes of all files."""
        total = 0
        for parent, _, names in os.walk(self.folder):
            for name in names:
                with suppress(OSError):  # deleted just now
                    total += os.lstat(Path(parent, name)).st_size
        return total

    def find(self, job_id: str) -> tuple[JobFolder, JobRecord] | None:
        """Return a job and its record; None when there is none, or its upload is not complete."""
        if not ID.fullmatch(job_id):
            return None
        job = JobFolder(self.folder / job_id)
        record = job.record()
        return None if record is None else (job, record)

    def sweep(self, config: ServerConfig) -> None:
        """Delete the jobs whose time is over, and what a killed worker has left of an upload."""
        for folder in self._folders():
            job = JobFolder(folder)
            record = job.record()
            late = record is not None and record.state.ended and record.age_s > config.job_lifetime_s
            if late or (record is None and not is_held(folder)):
                job.delete()
        for folder in self.folder.glob(f"{DELETED}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _folders(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if ID.fullmatch(path.name)]

    @contextmanager
    def _admission(self) -> Iterator[None]:
        """Admit one job at a time, over all workers and threads."""
        descriptor = os.open(self.folder / ADMISSION, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _delete_leftovers(parent: Path) -> None:
    """Delete the spools in `parent` that no server holds; others' folders are not touched."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and folder.is_dir() and not is_held(folder):
                shutil.rmtree(folder)  # refuses links
                log.warning("the spool of a server that was killed has been deleted")


class _WithoutFolders(logging.Filter):
    """Takes the folders of jobs out of a record: their names are ids, with which anybody can fetch the job."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = FOLDER.sub("", record.getMessage()), ()
        return True


def hide_folders_in_logs() -> None:
    """Have the program's log not tell where jobs are; to be called once the log is set up."""
    for handler in logging.getLogger("blurscene_stream").handlers:
        if not any(isinstance(each, _WithoutFolders) for each in handler.filters):
            handler.addFilter(_WithoutFolders())
