"""Reports of errors that nobody foresaw: their place and text in one line, or a file with the traceback."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from blurscene_stream.credentials import redacted
from blurscene_stream.errors import BlurSceneError, first_line

ARRAYS = re.compile(r"\[.*|array\(.*|\bb(?P<quote>['\"]).*")  # an error may show the numbers or bytes that it is about

OUT_OF_MEMORY = re.compile(
    "can(no|')t allocate memory|can't start new thread|failed to map segment|std::bad_alloc", re.IGNORECASE
)
"""Texts of torch, the threads of Python, the dynamic linker and OpenVINO."""


def type_and_place(error: BaseException) -> str:
    """Return the type of an error and the line of code that raised it; its text may hold anything, and is left out."""
    return f"{type(error).__name__} in {_place(error)}"


def description(error: BaseException) -> str:
    """Return the type of an error, the first line of its text without what may be part of a picture, and its place."""
    return f"{type(error).__name__}: {_text(error)} ({_place(error)})"


@contextmanager
def unforeseen_errors(error_type: type[BlurSceneError], what: str) -> Generator[None]:
    """Raise an error that nobody raised on purpose as one of the stage that it was raised in.

    what: what could not be done, and to which frame
    """
    try:
        yield
    except BlurSceneError:
        raise
    except Exception as error:
        raise error_type(f"{what}: {description(error)}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, says that the system gives no more memory."""
    return any(
        isinstance(each, MemoryError)
        or getattr(each, "errno", None) == errno.ENOMEM
        or OUT_OF_MEMORY.search(str(each)) is not None
        for each in _chain(error)
    )


def write_traceback(error: BaseException) -> Path | None:
    """Write the traceback of an error to a new file that only its owner can read; None where that cannot be.

    Without credentials, the values of variables, and the numbers or bytes in messages: they may be parts of a picture.
    """
    text = redacted("\n".join(_lines(error)))
    try:
        descriptor, name = tempfile.mkstemp(prefix="blurscene-stream-", suffix=".log")  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{text}\n")
    except OSError:
        return None
    return Path(name)


def _lines(error: BaseException) -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # a tenth of a command's start

    try:
        yield f"blurscene-stream {version('blurscene-stream')}"
    except PackageNotFoundError:
        yield "blurscene-stream, not installed"
    for each in reversed(_chain(error)):
        yield ""
        yield from traceback.format_list(traceback.extract_tb(each.__traceback__))
        yield f"{type(each).__name__}: {_text(each)}"


def _place(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(place.filename).name}, line {place.lineno}"


def _text(error: BaseException) -> str:
    return ARRAYS.sub("[...]", first_line(error))


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and those that led to it."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain
