"""Which texts are polygons, and how others are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.config.areas import MAX_POINTS, AreasConfig, parse_polygon
from blurscene_stream.config.load import resolve_settings
from blurscene_stream.config.overrides import overrides_from_options
from blurscene_stream.errors import ConfigError

ALLOWED = (
    'must be a list of polygons such as "x,y x,y x,y", or "x,y x,y" for a rectangle: at most 1000 points, all in 0..1, '
    "or all in pixels (0, or 1 to 100000; 10 or more somewhere), with an area, no edges that cross, got "
)
REFUSED = {
    "nothing": "",
    "one point": "1,2",
    "no pair": "1 2",
    "three numbers": "1,2,3 4,5",
    "a space within": "1, 2 3, 4",
    "words": "left,top right,bottom",
    "negative": "-1,0 5,5",
    "nan": "nan,0 5,5",
    "inf": "inf,0 5,5",
    "exponent": "1e1,0 5,5",
    "too large": "0,0 100001,5",
    "no area: a line": "0.1,0.1 0.2,0.2 0.3,0.3",
    "no area: a flat rectangle": "0,5 9,5",
    "no area: one point twice": "3,3 3,3",
    "corners in the wrong order": "0,0 1,1 1,0 0,1",
    "edges that cross, with an area": "0,0 10,10 10,0 0,20",
    "shares, and one a little too large": "0,0.4 1,0.4 1,1.01 0,1",
    "shares, and one far too large": "0.2,0.2 0.8,0.2 11,0.8 0.2,0.8",
    "less than shares and hardly a pixel": "0,0 1.0,1.5",
    "other digits": "\u0661,0 5,5",
    "a number without end": f"0.{'3' * 5000},0 1,1",
}


def circle(count: int) -> str:
    angles = [2 * math.pi * place / count for place in range(count)]
    return " ".join(f"{500 + 400 * math.cos(angle):.3f},{500 + 400 * math.sin(angle):.3f}" for angle in angles)


@pytest.mark.parametrize("kind", ["roi", "exclude", "always"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_polygon_is_refused_in_one_line(name: str, kind: str) -> None:
    text = REFUSED[name]
    good = "0,0 50,5"
    with pytest.raises(ConfigError) as caught:
        resolve_settings(options=overrides_from_options({f"--{kind}": (good, text)}))
    message = str(caught.value)
    assert message.startswith(f"option --{kind}: areas.{kind} {ALLOWED}{text[:20]!r}"[:-1])
    assert message.isprintable()
    assert len(message) < 500
    with pytest.raises(ConfigError):
        AreasConfig(**{kind: [good, text]})


@pytest.mark.parametrize("value", ["'0,0 1,1'", "5", "{a: '0,0 1,1'}", "['0,0 1,1', 5]", "null", "[[0, 0], [1, 1]]"])
def test_what_is_no_list_of_texts_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set areas\.roi=.*: areas\.roi must be a list of polygons such as"):
        resolve_settings([f"areas.roi={value}"])


def test_as_many_points_as_are_allowed() -> None:
    assert len(parse_polygon(circle(MAX_POINTS)).points) == MAX_POINTS
    with pytest.raises(ValueError, match="1001 points"):
        parse_polygon(circle(MAX_POINTS + 1))


def test_two_corners_are_a_rectangle_whichever_they_are() -> None:
    for text in ("10,20 30,50", "30,50 10,20", "30,20 10,50"):
        assert set(parse_polygon(text).points) == {(10, 20), (30, 20), (30, 50), (10, 50)}


def test_edges_may_touch() -> None:
    assert len(parse_polygon("0,0 10,0 10,10 0,10 0,0").points) == 5  # closed once more, as some tools write it
    keyhole = "0,0 90,0 90,90 0,90 0,0 3,3 3,6 6,6 6,3 3,3"
    assert len(parse_polygon(keyhole).points) == 10


@pytest.mark.parametrize(("text", "shares"), [("0,0 1,1", True), ("0,0 1,10 1,0", False), (".5,0. 1.0,.25", True)])
def test_points_in_0_to_1_are_shares(text: str, shares: bool) -> None:
    assert parse_polygon(text).in_shares is shares


@given(st.text(alphabet="0123456789., -e\n\u00bd", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_polygon_or_is_refused(text: str) -> None:
    try:
        found = parse_polygon(text)
    except ValueError:
        return
    assert len(found.points) >= 3
    assert all(0 <= x <= 100_000 and 0 <= y <= 100_000 for x, y in found.points)
