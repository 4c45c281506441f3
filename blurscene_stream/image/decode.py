"""Decoding of a still image: bytes of a file to the samples of one upright image; metadata stay behind."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.errors import BlurSceneError, CorruptInputError, SourceError, TooLargeError
from blurscene_stream.image.icc_profile import rebuilt_profile
from blurscene_stream.image.integrity import CUT_SHORT, checked, format_of, webp_is_lossless
from blurscene_stream.image.samples import DecodedImage, JpegEncoding

# Whatever Pillow finds odd in metadata is of no account here: they are dropped.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

log = logging.getLogger(__name__)

Read = TypeVar("Read")

MAX_PIXELS = 200_000_000
"""A small file can claim to hold a picture that fills the memory; a frame of the largest cameras has 150 megapixels."""

READERS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImageFile,  # asked directly: Image.open makes a collection of pictures of many phones' JPEGs
    "png": PngImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
}
COLOR_MODES = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}
WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
PNG_BIT_DEPTH = 24  # offset in a file: IHDR comes first (PNG, 11.2.1)
ORIENTATION_TAG = 0x0112
TIFF_TAGS = {  # tag of TIFF 6.0 -> name, value where it is missing, values of plain 8-bit images
    258: ("BitsPerSample", 1, (8,)),
    262: (
        "PhotometricInterpretation",
        None,
        (1, 2, 3, 5, 6),
    ),  # black is 0, RGB, palette, CMYK, YCbCr
    284: ("PlanarConfiguration", 1, (1,)),  # pixel by pixel
    339: ("SampleFormat", 1, (1,)),  # unsigned
}
ORIENTATIONS = {  # EXIF 2.32, 4.6.4 A
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, flip_x=True),
    7: Orientation(transposed=True, flip_x=True, flip_y=True),
    8: Orientation(transposed=True, flip_y=True),
}


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode a JPEG, PNG, WebP, BMP or TIFF picture of at most `max_pixels`.

    Raises SourceError when it is none, or of a kind that is not supported; TooLargeError before it is decoded;
    CorruptInputError when it is cut short or damaged. The messages do not name the file.
    """
    return _opened(data, lambda image, complete, file_format: _read(image, complete, file_format, max_pixels))


def pixels_of(data: bytes) -> int:
    """Return width times height of a picture, of which only the header is read. Raises as `decode`."""
    return _opened(data, lambda image, _complete, _format: image.width * image.height)


def _opened(data: bytes, read: Callable[[ImageFile.ImageFile, bytes, str], Read]) -> Read:
    """Return what `read` makes of the picture; it gets the bytes and the format as well."""
    file_format = format_of(data)
    if not data:
        raise CorruptInputError("the file is empty; nothing was written")
    if file_format is None:
        raise SourceError("not a picture in one of the formats that are read: jpeg, png, webp, bmp, tiff")
    complete = checked(data, file_format)
    try:
        with READERS[file_format](BytesIO(complete)) as image:
            return read(image, complete, file_format)
    except BlurSceneError:
        raise
    except MemoryError:
        raise SourceError("there is not enough memory for the picture; make it smaller") from None
    except Exception as error:  # Pillow's readers raise whatever they run into
        if "truncated" in str(error):
            raise CorruptInputError(CUT_SHORT) from error
        raise CorruptInputError(
            f"the {file_format} picture cannot be decoded, the file is damaged or of an unknown kind; "
            "nothing was written"
        ) from error


def _read(image: ImageFile.ImageFile, data: bytes, file_format: str, max_pixels: int) -> DecodedImage:
    width, height = image.size
    if width * height > max_pixels:
        raise TooLargeError(
            f"{width}x{height} is more than {max_pixels:,} pixels, the most that is taken; scale it down"
        )
    _refuse_unsupported(image, data, file_format)
    image.load()
    samples = _samples(image)
    orientation = _orientation(image)  # asked now: Pillow turns TIFFs on its own, and then has nothing to tell
    upright = np.ascontiguousarray(orientation.upright(samples))
    profile = _icc_profile(image.info.get("icc_profile"), samples.shape[2])
    lossless = file_format in ("png", "bmp", "tiff") or (file_format == "webp" and webp_is_lossless(data))
    jpeg = _jpeg_encoding(image) if isinstance(image, JpegImageFile) and orientation is UPRIGHT else None
    own = upright if upright.base is None else upright.copy()
    return DecodedImage(own, file_format, lossless, profile, jpeg, orientation)


def _refuse_unsupported(image: ImageFile.ImageFile, data: bytes, file_format: str) -> None:
    """Refuse what would lose something or would be shown only in part."""
    count = getattr(image, "n_frames", 1)
    if count > 1:
        raise SourceError(f"holds {count} pictures (animated, or of several pages); give a file for each of them")
    if file_format == "png" and data[PNG_BIT_DEPTH] == 16:
        raise SourceError("16 bits a sample are not supported; convert it to 8 bits first")
    if isinstance(image, TiffImageFile):
        _refuse_special_tiff(image)
    if image.mode not in COLOR_MODES:
        raise SourceError(f"{image.mode} colours are not taken in {file_format} pictures; convert it to RGB first")


def _refuse_special_tiff(image: TiffImageFile) -> None:
    """Refuse a TIFF that is not plain 8-bit: Pillow reads many of them as something else than they are."""
    for tag, (name, default, allowed) in TIFF_TAGS.items():
        values = image.tag_v2.get(tag, default)
        for value in values if isinstance(values, tuple) else (values,):
            if value not in allowed:
                stated = "no" if value is None else value
                raise SourceError(f"TIFF with {name} {stated} is not supported; save it as 8-bit grey or RGB first")


def _samples(image: Image.Image) -> NDArray[np.uint8]:
    """Grey or RGB, with alpha where the file has it, (height, width, channels); palettes become colours."""
    mode = COLOR_MODES[image.mode]
    if image.has_transparency_data:
        mode = WITH_ALPHA.get(mode, mode)
    samples: NDArray[np.uint8] = np.array(image if image.mode == mode else image.convert(mode))
    return samples[:, :, None] if samples.ndim == 2 else samples


def _orientation(image: Image.Image) -> Orientation:
    return ORIENTATIONS.get(image.getexif().get(ORIENTATION_TAG, 1), UPRIGHT)


def _icc_profile(profile: bytes | None, channels: int) -> bytes | None:
    """Return the ICC profile, written anew; None when there is none for these channels."""
    rebuilt = rebuilt_profile(profile, b"GRAY" if channels < 3 else b"RGB ") if profile else None
    if profile and rebuilt is None:
        log.warning("a colour profile is left out, which is damaged or made of tables; convert to sRGB to keep colours")
    return rebuilt


def _jpeg_encoding(image: JpegImageFile) -> JpegEncoding:
    tables = tuple(tuple(image.quantization[index]) for index in sorted(image.quantization))
    return JpegEncoding(tables, max(get_sampling(image), 0))
