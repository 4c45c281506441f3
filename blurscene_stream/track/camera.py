"""How the camera moved, and where the scene changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """From the previous picture to this one: a point x, y there lies at scale * x + right, scale * y + down here.

    cut: this picture shows another scene
    """

    cut: bool
    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0
