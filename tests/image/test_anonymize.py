"""One image, bytes to bytes: what is kept, what is covered, what is dropped."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blurscene_stream.boxes import Detections
from blurscene_stream.config.schema import RedactMethod, Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.image import decode
from blurscene_stream.pipeline.image import ImageAnonymizer
from tests.detectors import CLASSES, RgbSquareDetector, SquareDetector
from tests.pictures import (
    BRIGHT,
    DARK,
    HEIGHT,
    LOSSLESS,
    SQUARE,
    WIDTH,
    Samples,
    exif_of,
    file_of,
    png_chunk,
    read_back,
    samples_of,
    turned,
    with_chunks,
)
from tests.settings import changed

CANARY = "Canary47Wellington"
FORMS = ("png", "jpeg", "webp", "bmp", "tiff")
WITH_TAGS = ("jpeg", "png", "webp", "tiff")
REACH_PX = 5  # 0.3 of its longer side, to whole pixels


def anonymizer(method: RedactMethod = RedactMethod.solid, detector: SquareDetector | None = None) -> ImageAnonymizer:
    settings = changed(Settings(), {"redact.method": method})
    return ImageAnonymizer(settings, detector or SquareDetector())


def outside(shape: tuple[int, ...]) -> Any:
    """The pixels that nothing may change, (h, w)."""
    mask = np.ones(shape[:2], bool)
    x0, y0, x1, y1 = SQUARE
    mask[y0 - REACH_PX : y1 + REACH_PX, x0 - REACH_PX : x1 + REACH_PX] = False
    return mask


def check_solid(samples: Samples, channels: int) -> None:
    x0, y0, x1, y1 = SQUARE
    inside = samples[y0:y1, x0:x1]
    colours = inside[:, :, : 1 if channels < 3 else 3]
    assert (colours == 0).all()
    if channels in (2, 4):
        assert (inside[:, :, -1] == 255).all()


@pytest.mark.parametrize(("form", "channels"), LOSSLESS)
@pytest.mark.parametrize("method", list(RedactMethod))
def test_nothing_outside_the_boxes_changes(form: str, channels: int, method: RedactMethod) -> None:
    before = samples_of(channels)
    source = file_of(before, form)
    np.testing.assert_array_equal(read_back(source), before)
    done = anonymizer(method).anonymize(source, form)
    after = read_back(done.data)
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    free = outside(before.shape)
    np.testing.assert_array_equal(after[free], before[free])
    assert done.detections.xyxy.tolist() == [list(SQUARE)]
    x0, y0 = SQUARE[:2]
    assert (after[y0, x0] != before[y0, x0]).any()
    if method is RedactMethod.solid:
        check_solid(after, channels)


@pytest.mark.parametrize(("form", "channels"), LOSSLESS)
@pytest.mark.parametrize("target", FORMS)
def test_any_format_becomes_any_other_or_is_refused(form: str, channels: int, target: str) -> None:
    before = samples_of(channels)
    source = file_of(before, form)
    if channels in (2, 4) and target in ("jpeg", "bmp"):
        with pytest.raises(UsageError, match=f"has transparent parts, which {target} cannot hold"):
            anonymizer().anonymize(source, target)
        return
    data = anonymizer().anonymize(source, target).data
    image = Image.open(BytesIO(data))
    assert (image.format or "").lower() == target
    after = read_back(data)
    free = outside(after.shape)
    expected = np.repeat(before[:, :, :1], 3, axis=2) if after.shape[2] >= 3 > channels else before
    if channels == 2 and after.shape[2] == 4:
        expected = np.concatenate((expected, before[:, :, 1:]), axis=2)
    if target == "jpeg":
        assert np.abs(after[free].astype(int) - expected[free]).mean() < 6
    else:
        np.testing.assert_array_equal(after[free], expected[free])


def test_opaque_alpha_may_be_dropped() -> None:
    before = samples_of(4)
    before[:, :, 3] = 255
    after = read_back(anonymizer().anonymize(file_of(before, "png"), "bmp").data)
    free = outside(after.shape)
    np.testing.assert_array_equal(after[free], before[free][:, :3])


def stored(form: str, orientation: int) -> bytes:
    """A picture that stands upright only when its orientation is heeded."""
    options = {"quality": 95, "subsampling": 0} if form == "jpeg" else {}
    return file_of(turned(samples_of(3), orientation), form, exif=exif_of(orientation), **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", WITH_TAGS)
def test_the_detector_and_the_output_see_it_upright(form: str, orientation: int) -> None:
    detector = RgbSquareDetector()
    done = anonymizer(detector=detector).anonymize(stored(form, orientation), form)
    upright = samples_of(3)
    assert np.abs(detector.shown[0].astype(int) - upright).mean() < (6 if form == "jpeg" else 0.01)
    image = Image.open(BytesIO(done.data))
    assert image.size == (WIDTH, HEIGHT)
    assert 0x0112 not in image.getexif()
    after, free = read_back(done.data), outside(upright.shape)
    if form == "jpeg":
        assert np.abs(after[free].astype(int) - upright[free]).mean() < 12
    else:
        np.testing.assert_array_equal(after[free], upright[free])
        check_solid(after, 3)
    np.testing.assert_allclose(done.detections.xyxy, [SQUARE], atol=2 if form == "jpeg" else 0)


def test_palettes_and_single_bits_become_their_colours() -> None:
    colours = samples_of(3)
    palette = Image.fromarray(colours).quantize(64)
    expected = np.array(palette.convert("RGB"))
    for form in ("png", "bmp", "tiff"):
        written = BytesIO()
        palette.save(written, form)
        picture = decode(written.getvalue())
        np.testing.assert_array_equal(picture.samples, expected)
    single = Image.fromarray(samples_of(1)[:, :, 0]).point(lambda value: 255 * (value > 80)).convert("1")
    for form in ("png", "bmp"):
        written = BytesIO()
        single.save(written, form)
        np.testing.assert_array_equal(decode(written.getvalue()).samples[:, :, 0], np.array(single.convert("L")))


def test_a_transparent_colour_becomes_alpha() -> None:
    palette = Image.fromarray(samples_of(3)).quantize(64)
    for image, transparency, channels in ((palette, 5, 4), (Image.fromarray(samples_of(1)[:, :, 0]), 80, 2)):
        written = BytesIO()
        image.save(written, "png", transparency=transparency)
        after = read_back(anonymizer().anonymize(written.getvalue(), "png").data)
        assert after.shape[2] == channels
        free = outside(after.shape)
        np.testing.assert_array_equal(after[free][:, -1] == 0, np.array(image)[free] == transparency)


def test_what_only_transparency_shows_is_found_and_covered() -> None:
    """The square is in the opacity alone: on white it is dark, on black it is bright."""
    samples = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    x0, y0, x1, y1 = SQUARE
    samples[:, :, 3] = DARK[0]
    samples[y0:y1, x0:x1, 3] = BRIGHT

    class OnBlack(RgbSquareDetector):
        def _find(self, frame: Any) -> Detections:
            return super()._find(frame) if frame.number == 2 else Detections.empty(CLASSES)

    done = anonymizer(detector=OnBlack()).anonymize(file_of(samples, "png"), "png")
    assert done.detections.xyxy.tolist() == [list(SQUARE)]
    check_solid(read_back(done.data), 4)
    detector = RgbSquareDetector()
    anonymizer(detector=detector).detect(file_of(samples, "png"))
    hidden, on_white, on_black, alone = (int(shown[y0, x0, 0]) - int(shown[0, 0, 0]) for shown in detector.shown)
    assert hidden == on_white == 0
    assert on_black == BRIGHT - DARK[0]
    assert alone == 255


def test_an_object_that_shows_in_all_frames_is_one_detection() -> None:
    samples = samples_of(4)
    samples[:, :, 3] = 240
    detector = RgbSquareDetector()
    assert len(anonymizer(detector=detector).detect(file_of(samples, "png")).detections) == 1
    assert len(detector.shown) == 3


def with_metadata(form: str) -> bytes:
    """A picture with CANARY wherever its format has a place for a text."""
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><d>{CANARY}</d></x:xmpmeta>".encode()
    exif = exif_of(1, x010e=CANARY, x9c9b=CANARY, x013b=CANARY)
    exif.get_ifd(0x8825)[29] = CANARY  # GPS
    upright = samples_of(3)
    if form == "jpeg":
        data = file_of(upright, form, exif=exif, comment=CANARY, xmp=xmp)
        content = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + CANARY.encode()
        iptc = b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content
        return data[:2] + iptc + data[2:] + CANARY.encode()  # as the video at the end of a motion photo
    if form == "webp":
        return file_of(upright, form, exif=exif, xmp=xmp)
    if form == "tiff":
        return file_of(upright, form, tiffinfo={270: CANARY, 315: CANARY, 700: xmp, 33723: CANARY.encode()})
    if form == "bmp":
        return file_of(upright, form) + CANARY.encode()
    text = CANARY.encode()
    chunks = [
        png_chunk(b"tEXt", b"Comment\0" + text),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")),
        png_chunk(b"prVt", text),
    ]
    return with_chunks(file_of(upright, form), *chunks) + text


@pytest.mark.parametrize("target", FORMS)
@pytest.mark.parametrize("form", FORMS)
def test_no_metadata_come_through(form: str, target: str) -> None:
    source = with_metadata(form)
    assert CANARY.encode() in source
    data = anonymizer().anonymize(source, target).data
    assert CANARY.encode() not in data
    image = Image.open(BytesIO(data))
    image.load()
    plain = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 339} if target == "tiff" else set[int]()
    assert set(image.getexif()) <= plain
    known = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "compression", "dpi", "loop", "background"}
    assert set(image.info) <= known | {"duration", "timestamp", "resolution"}, image.info
    if target == "png":
        assert set(re.findall(rb"IHDR|IDAT|IEND|[a-z][A-Z][A-Za-z]{2}(?=\0)", data)) <= {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize("profile", [b"", b"no profile", bytes(36) + b"acsp" + bytes(100)])
def test_what_is_no_profile_of_these_colours_is_dropped(profile: bytes) -> None:
    source = file_of(samples_of(3), "jpeg", icc_profile=profile)
    assert "icc_profile" not in Image.open(BytesIO(anonymizer().anonymize(source, "jpeg").data)).info


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [50, 98])
def test_a_jpeg_is_compressed_as_it_was(quality: int, sampling: int) -> None:
    source = file_of(samples_of(3), "jpeg", quality=quality, subsampling=sampling)
    before, after = decode(source), decode(anonymizer().anonymize(source, "jpeg").data)
    assert before.jpeg_encoding == after.jpeg_encoding
    assert before.jpeg_encoding is not None and before.jpeg_encoding.subsampling == sampling


def test_lossy_webp_stays_lossy_and_lossless_stays_lossless() -> None:
    lossy = file_of(samples_of(3), "webp", lossless=False, quality=80)
    assert not decode(lossy).lossless
    assert b"VP8 " in anonymizer().anonymize(lossy, "webp").data[:40]
    assert b"VP8 " in anonymizer().anonymize(file_of(samples_of(3), "jpeg"), "webp").data[:40]
    assert b"VP8L" in anonymizer().anonymize(file_of(samples_of(3), "png"), "webp").data[:40]
