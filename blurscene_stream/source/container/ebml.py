"""EBML, the structure of Matroska and WebM (RFC 8794): numbers of variable size, and the elements of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

EBML_HEADER, MATROSKA_SEGMENT = 0x1A45DFA3, 0x18538067  # RFC 8794, RFC 9559


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a file.

    id:    with its marker bit, as specifications write it
    at:    offset of its first byte
    start: offset of its content
    end:   offset behind its content, which may lie behind that of its parent; None: it says "unknown"
    """

    id: int
    at: int
    start: int
    end: int | None


def ebml_number(file: BinaryIO, keep_marker: bool = False) -> int | None:
    """Read one variable-size integer (RFC 8794, 4); None when it says "unknown" or the file ends."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) < width - 1:
        return None
    number = int.from_bytes(first + rest, "big")
    if keep_marker:
        return number
    number &= (1 << 7 * width) - 1
    return None if number == (1 << 7 * width) - 1 else number


def elements(file: BinaryIO, at: int, end: int) -> Iterator[Element]:
    """Yield the elements from `at` to `end`, up to the first that has no id; the caller may read elsewhere meanwhile.

    Those behind one of unknown size are not found.
    """
    while at < end:
        file.seek(at)
        name = ebml_number(file, keep_marker=True)
        if name is None or file.tell() > end:
            return
        length, start = ebml_number(file), file.tell()
        yield Element(name, at, start, None if length is None else start + length)
        if length is None:
            return
        at = start + length
