"""Targets that would harm: the source itself, and a preview that could be taken for the real thing."""

from __future__ import annotations

import os
from pathlib import Path

from blurscene_stream.address import Address
from blurscene_stream.errors import UsageError
from blurscene_stream.sink import partial_path

PREVIEW_MARK = "_NOT_ANONYMIZED"


def refuse_same(source: Address, target: Address) -> None:
    """An input is never touched, under whatever name the output reaches it.

    Raises UsageError.
    """
    if source.live or target.live:
        same = source.text == target.text
    else:
        final = Path(os.path.realpath(target.path))
        same = _same_file(source.path, target.path) or _same_file(source.path, partial_path(final))
    if same:
        raise UsageError(f"{target}: input and output are the same; choose another output")


def preview_target(target: Address) -> Address:
    """The target under a name that says what is in it.

    Raises UsageError for a live target: nobody could see that it is not anonymized.
    """
    if target.live:
        raise UsageError(f"{target}: a preview is not anonymized and is only written to a file")
    path = target.path
    if path.stem.endswith(PREVIEW_MARK):
        return target
    return Address(str(path.with_name(path.stem + PREVIEW_MARK + path.suffix)))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121  # follows links on both sides
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
