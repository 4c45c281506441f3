"""Files that a run reads, held open: the audit attests what was read, not what bears the name at the end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from blurscene_stream.errors import CorruptInputError, SourceError, reason


class ReadFile:
    """A file that is held open from before it is read until its checksum is taken.

    file: the same, where it is open already

    Used as a context manager.
    Raises SourceError when it cannot be opened.
    """

    def __init__(self, path: Path, file: BinaryIO | None = None) -> None:
        self._path = path
        try:
            self._file = path.open("rb") if file is None else file
            self._before = os.fstat(self._file.fileno())
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {reason(error)}") from error

    def check_opened(self) -> None:
        """Check that what was opened by its name, after this was made, is this file.

        Raises CorruptInputError.
        """
        try:
            same = os.path.samestat(self._before, self._path.stat())
        except OSError:
            same = False
        if not same:
            raise CorruptInputError(f"{self._path}: was replaced while it was opened; run it again")

    def attest(self) -> dict[str, object]:
        """Return name, size and SHA-256 of what was read, also when it has lost its name since.

        Raises SourceError when it can no longer be read, CorruptInputError when it was written to in the meantime:
        nobody can tell what was read.
        """
        try:
            sha256 = sha256_of(self._file)
            after = os.fstat(self._file.fileno())
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read again for the audit: {reason(error)}") from error
        if (after.st_size, after.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
            raise CorruptInputError(
                f"{self._path}: was changed while it was read, and an audit cannot tell of what; nothing was written"
            )
        return {"name": str(self._path), "bytes": after.st_size, "sha256": sha256}

    def __enter__(self) -> ReadFile:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def sha256_of(file: BinaryIO) -> str:
    """Return the checksum of a file from its beginning. Raises OSError."""
    checksum = hashlib.sha256()
    file.seek(0)
    while block := file.read(1 << 20):
        checksum.update(block)
    return checksum.hexdigest()
