"""Standard output and standard error: the one door of all text, where credentials are redacted."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TextIO

from blurscene_stream.credentials import redacted
from blurscene_stream.errors import SinkError, reason

STANDARD_DESCRIPTORS = 3


class _RedactingStream(io.TextIOBase):
    """Text stream that passes on what it is given, redacted, each call by itself.

    stream: None where the descriptor was closed when the program was started
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text; characters that the encoding lacks are escaped."""
        if text == "":  # click tries this out, and would swallow the error of a full disk
            return 0
        encoding = self.encoding
        shown = redacted(text).encode(encoding, "backslashreplace").decode(encoding)
        try:
            if self._stream is not None:
                self._stream.write(shown)
            else:
                self._fail(OSError("is closed"))
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        try:
            if self._stream is not None and not self._stream.closed:
                self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Handle an error of the stream; what it still holds goes nowhere, lest Python tries again at its end."""
        del error
        if self._stream is None:
            return
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("is closed")
        return self._stream.fileno()


class _Results(_RedactingStream):
    """Standard output. Raises SinkError when it takes no more, BrokenPipeError when its reader has enough."""

    def _fail(self, error: OSError) -> None:
        super()._fail(error)
        if isinstance(error, BrokenPipeError):
            raise error
        raise SinkError(f"standard output: cannot be written: {reason(error) if error.errno else error}") from error


@contextmanager
def redacting_streams() -> Generator[None]:
    """Redact what is written to standard output and standard error.

    Nobody can be told that standard error takes no more: the work goes on, and its exit code tells how it ended.
    """
    with redirect_stderr(_RedactingStream(sys.stderr)), redirect_stdout(_Results(sys.stdout)):
        yield


def occupy_standard_descriptors() -> None:
    """Open the standard descriptors that are closed: else a file gets such a number, and what is written to it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < STANDARD_DESCRIPTORS:
        pass
    os.close(descriptor)
