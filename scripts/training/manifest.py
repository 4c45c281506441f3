"""The manifest: which files of which public repositories, at which commits, became which picture sets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "manifest"


def _ascii(name: str) -> str:
    """The name without extension, of letters, digits, - and _."""
    stem = name.rpartition(".")[0] or name
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in stem)[-80:]


def _short(path: PurePosixPath) -> str:
    return _ascii(str(path).replace("/", "_") if len(str(path)) < 60 else path.name)


def _file(path: PurePosixPath) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem)[-110:]


def _hash(path: PurePosixPath) -> str:
    return "iw_" + hashlib.md5(str(path).encode(), usedforsecurity=False).hexdigest()[:10]


NAMES: dict[str, Callable[[PurePosixPath], str]] = {
    "base": lambda path: _ascii(path.name),
    "short": _short,
    "first": lambda path: _ascii(f"{path.parts[0]}_{path.name}"),
    "second": lambda path: _ascii(f"{path.parts[1]}_{path.name}"),
    "file": _file,
    "hash": _hash,
}
"""How the name of a picture, without extension, is made of its path in the repository."""


@dataclass(frozen=True)
class Reencoding:
    """How a picture was made smaller, as JPEG: its size and quality; without its EXIF rotation unless `upright`."""

    quality: int
    width: int
    height: int
    upright: bool


@dataclass(frozen=True)
class SourceFile:
    """A picture in a repository; `name`: its file's here, None: as the set's rule says."""

    path: str
    name: str | None = None
    reencoding: Reencoding | None = None


@dataclass
class Repository:
    """A repository of GitHub, "owner/name", at a commit, and the pictures taken out of it, in order."""

    name: str
    commit: str
    files: list[SourceFile] = field(default_factory=list)


@dataclass(frozen=True)
class PictureSet:
    """A set; see manifest/sets.yaml."""

    name: str
    licence: str | None
    labels: Mapping[str, Any] | None
    exhaustive: Sequence[str]
    names: str
    weight: float
    images: int
    boxes: int
    digest: Mapping[str, str]
    incomplete: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    left_out: Sequence[str] = ()

    def repositories(self) -> list[Repository]:
        """Read which files it is made of."""
        return parse_files((FOLDER / "files" / f"{self.name}.txt").read_text(encoding="utf-8"))

    def file_name(self, file: SourceFile, content: bytes) -> str:
        """Return the picture's file name; `content`: its bytes, whatever its extension was."""
        extension = ".png" if content.startswith(b"\x89PNG\r\n\x1a\n") else ".jpg"
        return file.name or NAMES[self.names](PurePosixPath(file.path)) + extension


def read_sets() -> dict[str, PictureSet]:
    """Read all sets, by name."""
    listed = yaml.safe_load((FOLDER / "sets.yaml").read_text(encoding="utf-8"))
    return {name: PictureSet(name, **values) for name, values in listed.items()}


def parse_files(text: str) -> list[Repository]:
    """Parse a list of files.

    `@repo NAME COMMIT` and `@dir FOLDER/` hold for the lines after them, which are PATH, NAME and re-encoding, tabs
    between: `q92 1280 960`, and ` r` behind it where the rotation in EXIF was not applied.
    """
    repositories: list[Repository] = []
    folder = ""
    for line in text.splitlines():
        if line.startswith("@repo "):
            _, name, commit = line.split()
            repositories.append(Repository(name, commit))
        elif line.startswith("@dir "):
            folder = line[len("@dir ") :]
        elif line and not line.startswith("#"):
            path, own_name, how = [*line.split("\t"), "", ""][:3]
            repositories[-1].files.append(SourceFile(folder + path, own_name or None, _parse_reencoding(how)))
    return repositories


def _parse_reencoding(text: str) -> Reencoding | None:
    if not text:
        return None
    quality, width, height, *rest = text.split()
    return Reencoding(int(quality[1:]), int(width), int(height), "r" not in rest)
