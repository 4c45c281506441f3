"""Colour profiles: colours stay, and no byte comes through that makes none."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers
from PIL import Image, ImageCms

from blurscene_stream.config.schema import Settings
from blurscene_stream.image.icc_profile import rebuilt_profile
from blurscene_stream.pipeline.image import ImageAnonymizer
from tests.detectors import SquareDetector
from tests.pictures import file_of, samples_of

CANARY = b"Canary47Wellington"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3_COLUMNS = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
GAMMA = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0233)
TABLE = b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *((np.arange(1024) / 1023) ** 2.2 * 65535).astype(int))


def fixed(*numbers: float) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def profile_of(space: bytes, tags: dict[bytes, bytes], version: int = 2) -> bytes:
    header = struct.pack(">4s4B4s4s4s", b"CANA", version, 0x20, 0, 0, b"mntr", space, b"XYZ ") + CANARY[:12]
    header += b"acsp" + CANARY.ljust(28, b"c") + struct.pack(">3i", 63190, 65536, 54061) + CANARY.ljust(48, b"c")
    start, table, body = 132 + 12 * len(tags), b"", b""
    for tag, element in tags.items():
        table += struct.pack(">4sII", tag, start + len(body), len(element))
        body += element + bytes(-len(element) % 4)
    return struct.pack(">I", start + len(body)) + header + struct.pack(">I", len(tags)) + table + body


def wide(curve: bytes, **more: bytes) -> bytes:
    """The colours of Display P3, with a private tag and texts."""
    tags = {tag: fixed(*column) for tag, column in P3_COLUMNS.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve + CANARY)
    text = b"text" + bytes(4) + CANARY + b"\0"
    tags |= {b"wtpt": fixed(0.9505, 1, 1.0891) + CANARY, b"cprt": text, b"dmnd": text, b"FACE": CANARY, b"meas": CANARY}
    return profile_of(b"RGB ", tags | {key.encode(): element for key, element in more.items()})


def shown(profile: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Some colours in sRGB."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3)
    source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(Image.fromarray(colors), source, target)
    assert converted is not None
    return np.asarray(converted)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("profile", [SRGB, wide(GAMMA), wide(TABLE)], ids=["sRGB", "gamma", "table"])
def test_colours_stay_and_nothing_else(profile: bytes, form: str) -> None:
    source = file_of(samples_of(3), "png" if form == "webp" else form, icc_profile=profile)
    data = ImageAnonymizer(Settings(), SquareDetector()).anonymize(source, form).data
    kept = Image.open(BytesIO(data)).info["icc_profile"]
    assert np.array_equal(shown(kept), shown(profile))
    for piece in (CANARY[place : place + 4] for place in range(len(CANARY) - 3)):
        assert piece not in kept
    assert rebuilt_profile(kept, b"RGB ") == kept
    assert rebuilt_profile(kept, b"GRAY") is None


@pytest.mark.parametrize("version", [2, 4])
def test_a_grey_profile_stays(version: int) -> None:
    kept = rebuilt_profile(profile_of(b"GRAY", {b"kTRC": GAMMA, b"wtpt": fixed(0.9505, 1, 1.0891)}, version), b"GRAY")
    assert kept is not None
    opened = ImageCms.ImageCmsProfile(BytesIO(kept))
    assert ImageCms.getProfileDescription(opened).strip() == "colour profile"
    assert ImageCms.getProfileCopyright(opened).strip() == "none"


NO_CURVE = b"curv" + bytes(4) + struct.pack(">I", 50) + b"\xff\xd8\xff\xe0" + bytes(96)
REFUSED = {
    "a picture as a curve": wide(NO_CURVE),
    "no curve": wide(GAMMA, gTRC=CANARY),
    "too short": wide(GAMMA)[:400],
    "a table instead of a matrix": profile_of(b"RGB ", {b"A2B0": b"mft2" + CANARY * 40}),
    "too many points": wide(b"curv" + bytes(4) + struct.pack(">I", 1 << 20) + bytes(1 << 21)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_profile_that_may_hold_anything_is_left_out(name: str) -> None:
    assert rebuilt_profile(REFUSED[name], b"RGB ") is None


@given(integers(0, 600), binary(max_size=40))
def test_no_bytes_break_the_parser(place: int, more: bytes) -> None:
    profile = wide(GAMMA)
    kept = rebuilt_profile(profile[:place] + more + profile[place + len(more) :], b"RGB ")
    assert kept is None or len(kept) <= len(profile) + 200
