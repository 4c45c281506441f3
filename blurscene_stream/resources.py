"""Where the files that come with the package lie: config/ and weights/."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The folder `folder` ("config" or "weights"): inside an installed package, or beside it in a checkout."""
    inside = _PACKAGE / "shipped" / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder
