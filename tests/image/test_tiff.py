"""TIFF: plain 8-bit images are read as they are meant, all others are refused by name."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from blurscene_stream.errors import BlurSceneError, SourceError
from blurscene_stream.frames import Plane
from blurscene_stream.image import decode
from tests.tiffs import tiff_of


def noise(channels: int, bits: int) -> Plane:
    made = np.random.default_rng(bits).integers(0, 1 << bits, (12, 16, channels))
    return made.astype(np.uint16) if bits > 8 else made.astype(np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16, 24, 32])
def test_grey_is_read_as_it_is_meant_or_refused(bits: int) -> None:
    taken = 0
    samples = noise(1, min(bits, 16))
    for order, deflate, fill, photometric in product("<>", (False, True), (1, 2), (0, 1)):
        data = tiff_of(samples, bits, order, deflate, fill=fill, photometric=photometric)
        try:
            image = decode(data)
        except SourceError as error:
            assert len(str(error).splitlines()) == 1
            continue
        taken += 1
        assert photometric == 1
        np.testing.assert_array_equal(image.samples, samples)
    assert taken >= 6 if bits == 8 else taken == 0


@pytest.mark.parametrize(
    ("bits", "tags", "stated"),
    [
        (1, {"photometric": 1}, "BitsPerSample 1"),
        (12, {"photometric": 1}, "BitsPerSample 12"),
        (16, {"photometric": 1}, "BitsPerSample 16"),
        (8, {"photometric": 0}, "PhotometricInterpretation 0"),  # 0 is white
        (8, {}, "PhotometricInterpretation no"),
        (8, {"photometric": 0, "compression": 6}, "PhotometricInterpretation 0"),  # Pillow would show a negative
    ],
)
def test_what_is_not_plain_8_bit_is_refused_by_name(bits: int, tags: dict[str, int], stated: str) -> None:
    with pytest.raises(SourceError) as caught:
        decode(tiff_of(noise(1, bits), bits, "<", False, **tags))
    assert str(caught.value) == f"TIFF with {stated} is not supported; save it as 8-bit grey or RGB first"


def test_colour_of_16_bits_is_refused_by_name() -> None:
    """Pillow would cut it to 8."""
    with pytest.raises(SourceError, match="TIFF with BitsPerSample 16 is not supported"):
        decode(tiff_of(noise(3, 16), 16, photometric=2))


@pytest.mark.parametrize("sample_kind", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_numbers_that_are_not_unsigned_are_refused(sample_kind: int, bits: int, channels: int) -> None:
    samples = noise(channels, min(bits, 16))
    with pytest.raises(SourceError):
        decode(tiff_of(samples, bits, photometric=1 if channels == 1 else 2, sample_kind=sample_kind))


@pytest.mark.parametrize(("channels", "extra"), [(2, 2), (3, None), (4, None), (4, 2)])
def test_several_channels_are_read_as_they_are_meant_or_refused(channels: int, extra: int | None) -> None:
    taken = 0
    for bits, order, deflate, layout in product((8, 16), "<>", (False, True), (1, 2)):
        samples, tags = noise(channels, bits), {"layout": layout, "photometric": 2 if channels > 2 else 1}
        for depth in ({}, {"depth": bits}):  # one number may stand for all channels
            try:
                every = tags | depth | ({} if extra is None else {"extra": extra})
                image = decode(tiff_of(samples, bits, order, deflate, **every))
            except BlurSceneError:
                continue
            taken += 1
            assert (bits, layout) == (8, 1)
            np.testing.assert_array_equal(image.samples, samples)
    assert taken >= 4
