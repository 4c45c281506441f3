"""How bright the display was on which HDR was graded, in the words of each encoder: PyAV has no way to tell them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from blurscene_stream.streams import ColorMetadata

CHROMATICITY_STEPS, LIGHT_STEPS = 50_000, 10_000  # of H.264 and H.265, D.2.29 and D.3.28: 0.00002, and 0.0001 cd/m2


def light_options(encoder: str, colour: ColorMetadata) -> dict[str, str] | None:
    """What an encoder of that name must be told of the light; None when it has no way to be told.

    Nothing is lost but digits that the bitstream has no room for.
    """
    if colour.mastering_display is None and colour.content_light_level is None:
        return {}
    if encoder not in _WORDS:
        return None
    option, mastering, light, in_words = _WORDS[encoder]
    told = []
    if colour.mastering_display is not None:
        told.append(f"{mastering}={in_words(colour.mastering_display)}")
    if colour.content_light_level is not None:
        told.append(f"{light}={colour.content_light_level[0]},{colour.content_light_level[1]}")
    return {option: ":".join(told)}


def _in_steps(numbers: Sequence[Fraction]) -> str:
    places = [round(number * CHROMATICITY_STEPS) for number in numbers[:8]]
    return _written(places, [round(number * LIGHT_STEPS) for number in numbers[8:]])


def _in_decimals(numbers: Sequence[Fraction]) -> str:
    return _written(
        [f"{float(number):.6f}" for number in numbers[:8]], [f"{float(light):.6f}" for light in numbers[8:]]
    )


def _written(places: Sequence[object], light: Sequence[object]) -> str:
    red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y = places
    least, most = light
    return f"G({green_x},{green_y})B({blue_x},{blue_y})R({red_x},{red_y})WP({white_x},{white_y})L({most},{least})"


# encoder -> the option that holds its own ones, those for the display and the content, and how numbers are written
_WORDS: dict[str, tuple[str, str, str, Callable[[Sequence[Fraction]], str]]] = {
    "libx264": ("x264-params", "mastering-display", "cll", _in_steps),
    "libx265": ("x265-params", "master-display", "max-cll", _in_steps),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", _in_decimals),
}
