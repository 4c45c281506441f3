"""Settings of areas: polygons on the upright picture in which other rules hold, for fixed cameras."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from blurscene_stream.config.validation import Constraint, validate

Point = tuple[float, float]
MAX_POINTS = 1000
MAX_PX = 100_000
MIN_PX = 10  # somewhere: a smaller polygon in the corner of the picture is a slip, and shows all the rest
_PAIR = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+),([0-9]+\.?[0-9]*|\.[0-9]+)")
_MAX_POINT_LENGTH = 50  # characters: no number needs more


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon: its corners in order, x to the right and y down from the upper left of the upright picture.

    text:      its source text
    points:    at least three, and no edge crosses another
    in_shares: x and y are shares of the picture's width and height, else pixels
    """

    text: str
    points: tuple[Point, ...]
    in_shares: bool


def parse_polygon(text: str) -> Polygon:
    """Parse a polygon "x,y x,y x,y ..."; "x0,y0 x1,y1" is the rectangle between two corners.

    Points that all lie in 0..1 are shares of the picture, otherwise they are pixels.
    Raises ValueError for anything else: no such text, no area, edges that cross, too much of it; for pixels that were
    surely meant as shares, one of them a little too large.
    """
    exact = [_point(pair) for pair in text.split()]
    if not 2 <= len(exact) <= MAX_POINTS:
        raise ValueError(f"{len(exact)} points")
    if len(exact) == 2:
        (x0, y0), (x1, y1) = exact
        exact = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    points = tuple((float(x), float(y)) for x, y in exact)
    if _doubled_area(exact) == 0 or _crosses_itself(points):
        raise ValueError("no area, or edges that cross")
    numbers = [number for point in points for number in point]
    in_shares = max(numbers) <= 1
    if not in_shares and (max(numbers) < MIN_PX or any(0 < number < 1 for number in numbers)):
        raise ValueError("neither shares nor pixels")
    return Polygon(text, points, in_shares)


def _point(pair: str) -> tuple[Fraction, Fraction]:
    found = _PAIR.fullmatch(pair) if len(pair) <= _MAX_POINT_LENGTH else None
    if found is None:
        raise ValueError("not x,y")
    x, y = (Fraction(number.rstrip(".")) for number in found.groups())
    if max(x, y) > MAX_PX:
        raise ValueError("too large")
    return x, y


def _doubled_area(points: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
    """Return twice the signed area (the shoelace formula); exact, so that points in a line have none."""
    edges = zip(points, [*points[1:], points[0]], strict=True)
    return sum((x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in edges), Fraction(0))


def _crosses_itself(points: Sequence[Point]) -> bool:
    """Whether two edges cross: then the inside is ambiguous. They may touch."""
    edges = sorted(tuple(sorted(edge)) for edge in zip(points, [*points[1:], points[0]], strict=True))
    return any(_edges_cross(*one, *other) for one, other in _overlapping_in_x(edges))


def _overlapping_in_x(edges: Sequence[tuple[Point, ...]]) -> Iterator[tuple[tuple[Point, ...], tuple[Point, ...]]]:
    """Yield pairs of edges that overlap in x; each edge goes from left to right, the leftmost edge comes first."""
    for index, one in enumerate(edges):
        for other in edges[index + 1 :]:
            if other[0][0] > one[1][0]:
                break
            yield one, other


def _edges_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether c and d lie on different sides of the line through a and b, and a and b of that through c and d."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _parses(text: str) -> bool:
    try:
        parse_polygon(text)
    except ValueError:
        return False
    return True


_POLYGONS = Constraint(
    f'a list of polygons such as "x,y x,y x,y", or "x,y x,y" for a rectangle: at most {MAX_POINTS} points, '
    f"all in 0..1, or all in pixels (0, or 1 to {MAX_PX}; {MIN_PX} or more somewhere), with an area, "
    "no edges that cross",
    _parses,
    per_item=True,
)


@dataclass(frozen=True)
class AreasConfig:
    """Areas of the upright picture with rules of their own: polygon zones for fixed cameras."""

    roi: Annotated[Sequence[str], "only objects that touch one of these are covered; []: all are", _POLYGONS] = ()
    exclude: Annotated[Sequence[str], "objects that lie wholly inside these are NOT covered", _POLYGONS] = ()
    always: Annotated[Sequence[str], "covered in every frame, whatever is detected", _POLYGONS] = ()

    def __post_init__(self) -> None:
        validate(self, "areas.")

    @property
    def summary(self) -> str:
        """The areas in one line for the log, "" when there are none."""
        parts = []
        if self.roi:
            parts.append(f"only what touches areas.roi ({len(self.roi)}) is hidden, NOTHING elsewhere")
        if self.exclude:
            parts.append(f"what lies inside areas.exclude ({len(self.exclude)}) is NOT hidden")
        if self.always:
            parts.append(f"areas.always ({len(self.always)}) is covered in every frame")
        return "; ".join(parts)
