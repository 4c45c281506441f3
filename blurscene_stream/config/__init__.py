"""Settings: `schema` declares them, `load` reads them; both light to import, Hydra only where a model file needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blurscene_stream.config.schema import Settings

if TYPE_CHECKING:
    from blurscene_stream.config.load import load_settings

__all__ = ["Settings", "load_settings"]


def __getattr__(name: str) -> object:
    """Import `load_settings` when it is used (PEP 562): most modules need only the schema."""
    if name != "load_settings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from blurscene_stream.config.load import load_settings

    return load_settings
