"""Images that are refused: cut short, damaged, of a kind of which something would be lost."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from blurscene_stream.errors import BlurSceneError, CorruptInputError, SourceError
from blurscene_stream.image import decode
from tests.pictures import LOSSLESS, file_of, png_chunk, samples_of

LOSSY = [("jpeg", 3), ("jpeg", 1)]


def refused(data: bytes) -> BlurSceneError:
    with pytest.raises(BlurSceneError) as caught:
        decode(data)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


@pytest.mark.parametrize(("form", "channels"), LOSSLESS + LOSSY)
def test_a_picture_that_is_cut_short_is_refused(form: str, channels: int) -> None:
    whole = file_of(samples_of(channels), form)
    decode(whole)
    for size in [*(len(whole) * tenth // 10 for tenth in range(10)), len(whole) - 2, len(whole) - 1]:
        error = refused(whole[:size])
        assert type(error) is CorruptInputError, f"{size} of {len(whole)} bytes: {error}"
        assert error.exit_code == 3


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 2}])
def test_jpeg_variants(options: dict[str, int | bool]) -> None:
    whole = file_of(samples_of(3), "jpeg", **options)
    np.testing.assert_array_equal(decode(whole).samples, np.array(Image.open(BytesIO(whole))))
    assert type(refused(whole[: len(whole) // 2])) is CorruptInputError


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions(compression: str) -> None:
    whole = file_of(samples_of(3), "tiff", compression=compression)
    np.testing.assert_array_equal(decode(whole).samples, samples_of(3))
    for tenth in range(10):
        assert type(refused(whole[: len(whole) * tenth // 10])) is CorruptInputError


def test_a_jpeg_whose_middle_is_missing_is_refused() -> None:
    """libjpeg takes the end mark for the end, and fills up with grey."""
    whole = file_of(samples_of(3), "jpeg")
    for tenth in range(3, 10):
        assert type(refused(whole[: len(whole) * tenth // 10] + b"\xff\xd9")) is CorruptInputError


def test_a_changed_byte_of_a_png_is_noticed() -> None:
    whole = file_of(samples_of(3), "png")
    for place in range(40, len(whole) - 12, 211):
        changed = bytearray(whole)
        changed[place] ^= 4
        assert type(refused(bytes(changed))) is CorruptInputError


@pytest.mark.parametrize("data", [b"hello, I am a letter", b"GIF89a" + bytes(99), b"\0" * 100, b"%PDF-1.7", b"x"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    error = refused(data)
    assert type(error) is SourceError
    assert "jpeg, png, webp, bmp, tiff" in str(error)


def several(form: str) -> bytes:
    first, *more = (Image.fromarray(samples_of(3, seed=number)) for number in range(3))
    written = BytesIO()
    first.save(written, form, save_all=True, append_images=more)
    return written.getvalue()


@pytest.mark.parametrize("form", ["png", "webp", "tiff"])
def test_animations_and_pages_are_refused(form: str) -> None:
    error = refused(several(form))
    assert type(error) is SourceError
    assert str(error).startswith("holds 3 pictures")


def test_of_a_phones_collection_the_picture_itself_is_taken() -> None:
    """MPO: a JPEG after which others come, such as a gain map or the other eye's view."""
    np.testing.assert_allclose(decode(several("mpo")).samples.astype(int), samples_of(3), atol=90)


@pytest.mark.parametrize("form", ["jpeg", "tiff"])
def test_cmyk_is_refused(form: str) -> None:
    written = BytesIO()
    Image.fromarray(samples_of(3)).convert("CMYK").save(written, form)
    assert str(refused(written.getvalue())) == f"CMYK colours are not taken in {form} pictures; convert it to RGB first"


@pytest.mark.parametrize("mode", ["F", "I"])
def test_other_numbers_are_refused(mode: str) -> None:
    written = BytesIO()
    Image.fromarray(samples_of(1)[:, :, 0]).convert(mode).save(written, "tiff")
    assert type(refused(written.getvalue())) is SourceError


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_a_png_of_16_bits_is_refused(color_type: int, channels: int) -> None:
    """Pillow would cut colour to 8 bits, and show what is dark in them as black."""
    header = struct.pack(">IIBBBBB", 4, 4, 16, color_type, 0, 0, 0)
    rows = zlib.compress(bytes(4 * (1 + 4 * 2 * channels)))
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    error = refused(png)
    assert type(error) is SourceError
    assert str(error) == "16 bits a sample are not supported; convert it to 8 bits first"


@pytest.mark.parametrize("bits", [8, 16])
def test_a_bomb_is_refused_before_it_is_unpacked(bits: int) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, bits, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    bomb += png_chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + png_chunk(b"IEND", b"")
    assert "60000x60000 is more than 200,000,000 pixels" in str(refused(bomb))


@pytest.mark.parametrize(("form", "channels"), LOSSLESS + LOSSY)
def test_noise_in_a_file_never_ends_in_another_error(form: str, channels: int) -> None:
    whole = file_of(samples_of(channels), form)
    rng = np.random.default_rng(5)
    for _ in range(30):
        changed = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            changed[place] = rng.integers(0, 256)
        try:
            decode(bytes(changed))
        except SourceError as error:
            assert len(str(error).splitlines()) == 1
