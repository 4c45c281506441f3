"""Files of weights: found by name, and verified by their SHA-256 before anything reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from blurscene_stream.config.files import shipped
from blurscene_stream.errors import ConfigError


def find_weights(name: str) -> Path:
    """Find the file `name`: a path, or a file among the weights that come with the package.

    Raises ConfigError when there is no such file.
    """
    for path in (Path(name), shipped("weights") / name):
        if path.is_file():
            return path
    raise ConfigError(f"model.weights: there is no file {name}, neither as a path nor in the folder weights")


def read_verified(path: Path, sha256: str | None, key: str) -> bytes:
    """Read a file of weights; `sha256`: what it must have, None for any; `key`: the setting that holds it.

    Raises ConfigError when it cannot be read, or is another file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path.name}: the weights cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ConfigError(
            f"{path.name}: the sha256 of these weights begins with {found[:12]}, expected {sha256[:12]}; "
            f"fetch the file again, or set {key} if it is meant to be another one (null: any)"
        )
    return content
