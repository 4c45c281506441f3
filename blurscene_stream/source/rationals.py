"""PyAV's rationals as Python's fractions: `Fraction` itself up to PyAV 18, AVRational from PyAV 19 on."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol


class Rational(Protocol):
    """What both kinds have."""

    @property
    def numerator(self) -> int:
        """Above the line."""

    @property
    def denominator(self) -> int:
        """Below the line; AVRational allows 0."""


def fraction(ratio: Rational) -> Fraction:
    """The same number as a Fraction. Raises ZeroDivisionError for libav's 0/0 and n/0: see `known_fraction`."""
    return Fraction(ratio.numerator, ratio.denominator)


def known_fraction(ratio: Rational | None) -> Fraction | None:
    """The same number; None where the file says nothing: None and 0/1 in PyAV 18, 0/0, n/0 and 0/1 in PyAV 19."""
    return fraction(ratio) if ratio and ratio.numerator and ratio.denominator else None
