"""Shards: packed pictures as a few files of limited size, for a machine to which data comes piece by piece.

Each shard is a fair sample of all sets, so that training can begin with some of them. The index, which comes first,
holds the annotations of all pictures: who plans crops knows all of them from the beginning, and only has to be told
which pixels are there.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from blurscene_stream.atomic_file import make_folder, write_file
from blurscene_stream.errors import SourceError, UsageError
from scripts.training.store import TrainingImage

INDEX = "index.json.gz"
_MIB = 2**20


@dataclass(frozen=True, eq=False)
class Shard:
    """A tar of pictures; `images` in its order, each one's `file` is its name in it."""

    file: Path
    size: int
    sha256: str
    images: tuple[TrainingImage, ...]

    def has_arrived(self) -> bool:
        """Tell whether the whole file is there."""
        try:
            if self.file.stat().st_size != self.size:
                return False
            return hashlib.sha256(self.file.read_bytes()).hexdigest() == self.sha256
        except FileNotFoundError:
            return False

    def pictures(self) -> Iterator[BytesIO]:
        """Yield the files of `images`."""
        with tarfile.open(self.file) as tar:
            for image in self.images:
                member = tar.extractfile(image.file.as_posix())
                assert member is not None, "`cut` writes files"
                yield BytesIO(member.read())


def cut(images: Sequence[TrainingImage], folder: Path, out: Path, mib: float) -> list[int]:
    """Write shards of `images`, which are files below `folder`, and the index; return the number of pictures of each.

    Raises UsageError when a picture is larger than `mib`, SinkError.
    """
    make_folder(out)
    parts, rows = _dealt(images, folder, mib * _MIB), []
    for number, part in enumerate(parts):
        name, content = f"shard-{number:02}.tar", _tar(part, folder)
        write_file(out / name, content, overwrite=True)
        digest = hashlib.sha256(content).hexdigest()
        listed = [_written(image, folder) for image in part]
        rows.append({"file": name, "size": len(content), "sha256": digest, "images": listed})
    write_file(out / INDEX, gzip.compress(json.dumps(rows).encode(), mtime=0), overwrite=True)
    return [len(part) for part in parts]


def _dealt(images: Sequence[TrainingImage], folder: Path, max_size: float) -> list[list[TrainingImage]]:
    """Deal the images out like cards, set by set and there by size: all shards have about as many of each."""
    sizes = {image.file: image.file.stat().st_size for image in images}
    ordered = sorted(images, key=lambda image: (image.file.parent.name, sizes[image.file], image.file))
    in_tar = np.array([_size_in_tar(image, folder, sizes[image.file]) for image in ordered])
    for count in range(1, len(ordered) + 1):
        if max(_tar_size(in_tar[first::count].sum()) for first in range(count)) <= max_size:
            return [ordered[first::count] for first in range(count)]
    raise UsageError(f"a shard of {max_size / _MIB:g} MiB does not hold the largest picture; allow more")


def _size_in_tar(image: TrainingImage, folder: Path, size: int) -> int:
    return len(_member(image, folder, size).tobuf()) + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _tar_size(size: int) -> int:
    """The size of a tar whose members have `size` in all: two blocks end it, and it is padded to whole records."""
    return -(-(size + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def _tar(images: Sequence[TrainingImage], folder: Path) -> bytes:
    made = BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for image in images:
            content = image.file.read_bytes()
            tar.addfile(_member(image, folder, len(content)), BytesIO(content))
    return made.getvalue()


def _member(image: TrainingImage, folder: Path, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(image.file.relative_to(folder).as_posix())
    member.size = size
    return member


def _written(image: TrainingImage, folder: Path) -> dict[str, Any]:
    return {
        "file": image.file.relative_to(folder).as_posix(),
        "width": image.width,
        "height": image.height,
        "boxes": [[round(value, 3) for value in box] for box in image.boxes.tolist()],
        "labelled": image.labelled,
        "weight": image.weight,
    }


def read_index(folder: Path) -> list[Shard]:
    """Read which shards there will be in `folder`. Raises SourceError."""
    try:
        rows = json.loads(gzip.decompress((folder / INDEX).read_bytes()))
        return [
            Shard(folder / row["file"], row["size"], row["sha256"], tuple(map(_read, row["images"]))) for row in rows
        ]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{folder / INDEX}: is not the index of shards: {error}; make it with `shards`") from error


def _read(row: dict[str, Any]) -> TrainingImage:
    boxes = np.array(row["boxes"], np.float32).reshape(-1, 6)
    return TrainingImage(Path(row["file"]), row["width"], row["height"], boxes, tuple(row["labelled"]), row["weight"])
