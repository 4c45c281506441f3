"""What both files say of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from blurscene_stream.streams import StreamInfo
from blurscene_stream.verify.report import Check, Grade

LIGHT_TOLERANCE = Fraction(1, 200)  # of a value: AV1 holds fewer digits than H.264
LEAST_LIGHT = Fraction(1, 10)  # what is below may be off by as much as this may


def compare_shapes(before: StreamInfo, after: StreamInfo) -> Check:
    """Size, rotation, shape of the pixels and colours of both: what OUTPUT says of them must be what INPUT says.

    Fields and the light of HDR, which some encoders have no words for, are for somebody to look at.
    """
    check = Check("shape")
    one, other = before.picture, after.picture
    _same(check, "size", f"{one.width}x{one.height}", f"{other.width}x{other.height}")
    _same(check, "rotation", _turn(before), _turn(after))
    _same(check, "pixel aspect ratio", one.sample_aspect_ratio, other.sample_aspect_ratio)
    _same(check, "range", _range(before), _range(after))
    for field in ("primaries", "transfer", "matrix"):
        told, there = getattr(before.color, field), getattr(after.color, field)
        _same(check, f"colour {field}", _known(told), _known(there))
    if before.field_order is not after.field_order:
        check.add(Grade.review, f"fields: {after.field_order.name} instead of {before.field_order.name}")
    for field in ("mastering", "light"):
        if not _alike(getattr(before.color, field), getattr(after.color, field)):
            check.add(Grade.review, f"HDR {field}: another one, or none")
    turned = "" if one.orientation == type(one.orientation)() else ", turned"
    check.summary = f"{other.width}x{other.height}{turned}, {other.pixel_format.name}"
    return check


def _same(check: Check, what: str, before: object, after: object) -> None:
    if before != after:
        check.add(Grade.fail, f"{what}: {after} instead of {before}")


def _alike(before: Sequence[Fraction | int] | None, after: Sequence[Fraction | int] | None) -> bool:
    if before is None or after is None:
        return before is after
    pairs = [(Fraction(one), Fraction(other)) for one, other in zip(before, after, strict=True)]
    return all(abs(one - other) <= LIGHT_TOLERANCE * max(one, LEAST_LIGHT) for one, other in pairs)


def _turn(info: StreamInfo) -> str:
    turn = info.picture.orientation
    names = ("transposed", "flip_x", "flip_y")
    return " and ".join(name.replace("_", " in ") for name in names if getattr(turn, name)) or "none"


def _range(info: StreamInfo) -> str:
    return "full" if info.picture.full_range else "limited"


def _known(number: int) -> object:
    """ffmpeg's number of a colour tag; 0 and 2 say nothing."""
    return "none" if number in (0, 2) else number
