"""Every kind of TIFF is shown to the detector and written as it is meant, or refused."""

from __future__ import annotations

from itertools import product
from typing import cast

import numpy as np
import pytest

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import BlurSceneError, SourceError
from blurscene_stream.frames import Plane
from blurscene_stream.image import Picture, decode
from blurscene_stream.pipeline.image import Anonymized, PictureAnonymizer
from tests.detectors import LookingDetector
from tests.pictures import SQUARE, file_of, png_chunk, read_back, samples_of, with_chunks
from tests.tiffs import tiff_of


def noise(channels: int, bits: int) -> Plane:
    made = np.random.default_rng(bits).integers(0, 1 << bits, (12, 16, channels))
    return cast(Plane, made.astype(np.uint16 if bits > 8 else np.uint8))


def grey(samples: Plane, bits: int, photometric: int) -> Plane:
    """What is meant: of 8 bits, or of 16, and 0 is black."""
    most = (1 << bits) - 1
    upright = samples if photometric else most - samples
    return upright if bits >= 8 else upright.astype(np.uint16) * 255 // most


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16, 24, 32])
def test_grey_is_read_as_it_is_meant_or_refused(bits: int) -> None:
    taken = 0
    samples = noise(1, min(bits, 16))
    for order, deflate, fill, photometric in product("<>", (False, True), (1, 2), (0, 1)):
        data = tiff_of(samples, bits, order, deflate, fill=fill, photometric=photometric)
        try:
            picture = decode(data)
        except SourceError as error:
            assert len(str(error).splitlines()) == 1
            continue
        taken += 1
        np.testing.assert_array_equal(picture.samples, grey(samples, bits, photometric))
    assert taken >= 6 if bits in (1, 2, 4, 8, 16) else taken == 0


def test_what_12_bits_hold_is_refused_by_name() -> None:
    with pytest.raises(SourceError, match=r"^12 bits a sample .*convert it to 8 or 16 bits$"):
        decode(tiff_of(noise(1, 12), 12, photometric=1))


@pytest.mark.parametrize("sample_kind", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_numbers_that_are_not_unsigned_are_refused(sample_kind: int, bits: int, channels: int) -> None:
    samples = noise(channels, min(bits, 16))
    with pytest.raises(SourceError):
        decode(tiff_of(samples, bits, photometric=1 if channels == 1 else 2, sample_kind=sample_kind))


def test_a_tiff_that_does_not_say_what_0_is_is_refused() -> None:
    with pytest.raises(SourceError, match="whether 0 is black or white"):
        decode(tiff_of(noise(1, 8), 8))


def test_a_negative_that_pillow_would_show_as_one_is_refused() -> None:
    with pytest.raises(SourceError, match="old kind of JPEG"):
        decode(tiff_of(noise(1, 8), 8, photometric=0, compression=6))


@pytest.mark.parametrize(("channels", "extra"), [(2, 2), (3, None), (4, None), (4, 2)])
def test_several_channels_are_read_as_they_are_meant_or_refused(channels: int, extra: int | None) -> None:
    taken = 0
    for bits, order, deflate, layout in product((8, 16), "<>", (False, True), (1, 2)):
        samples, tags = noise(channels, bits), {"layout": layout, "photometric": 2 if channels > 2 else 1}
        for depth in ({}, {"depth": bits}):  # one number may stand for all channels
            try:
                every = tags | depth | ({} if extra is None else {"extra": extra})
                picture = decode(tiff_of(samples, bits, order, deflate, **every))
            except BlurSceneError:
                continue
            taken += 1
            np.testing.assert_array_equal(picture.samples, samples)
    assert taken >= 8


def test_16_bits_beside_which_something_unnamed_lies_are_refused() -> None:
    """The fourth channel would become opacity."""
    with pytest.raises(SourceError, match="16-bit TIFF"):
        decode(tiff_of(noise(4, 16), 16, photometric=2, extra=0))


@pytest.mark.parametrize(("order", "photometric"), [("<", 0), ("<", 1), (">", 1)])  # Pillow does not know the fourth
def test_a_negative_is_judged_and_written_as_the_picture_it_is_of(order: str, photometric: int) -> None:
    meant = samples_of(1, 16)
    data = tiff_of(meant if photometric else ~meant, 16, order, photometric=photometric)
    done = anonymize(data, "tiff")
    assert_covers_the_square(done.detections)
    x0, y0, x1, y1 = SQUARE
    written = read_back(done.data)
    outside = np.ones(written.shape, np.bool_)
    outside[y0 - 8 : y1 + 8, x0 - 8 : x1 + 8] = False
    np.testing.assert_array_equal(written[outside], meant[outside])


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_few_bits_in_16_are_judged_in_full_contrast(form: str, channels: int, bits: int) -> None:
    """Cameras store 12 bits as they are: nearly black to whoever looks at the upper 8 alone, and all there."""
    dark = samples_of(channels, 16) >> np.uint16(16 - bits)
    dark[0, 0] = 0
    for samples in (dark, dark + np.uint16(32_000)):
        data = file_of(samples, form)
        assert_covers_the_square(anonymize(data, form).detections)
        assert len(decode(data).frames()) == 2


def test_a_picture_of_full_contrast_is_looked_at_once() -> None:
    assert len(decode(file_of(samples_of(3, 16), "png")).frames()) == 1
    assert len(Picture(samples_of(3) // np.uint8(16), "png", True).frames()) == 1


def test_what_a_png_says_of_its_bits_changes_nothing() -> None:
    """sBIT tells how many bits the samples had before they were scaled to all of them (PNG, 11.3.2.8)."""
    samples = samples_of(1, 16)
    marked = with_chunks(file_of(samples, "png"), png_chunk(b"sBIT", b"\x0c"))
    np.testing.assert_array_equal(decode(marked).samples, samples)


def anonymize(data: bytes, form: str) -> Anonymized:
    return PictureAnonymizer(Settings(), LookingDetector()).anonymize(data, form)


def assert_covers_the_square(found: Detections) -> None:
    x0, y0, x1, y1 = SQUARE
    assert any(a <= x0 + 1 and b <= y0 + 1 and c >= x1 - 1 and d >= y1 - 1 for a, b, c, d in found.xyxy)
