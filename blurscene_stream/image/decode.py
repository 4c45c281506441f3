"""The bytes of a file become the samples of one upright picture; what else the file holds stays behind."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import cast

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.errors import BlurSceneError, CorruptInputError, SourceError
from blurscene_stream.frames import Plane
from blurscene_stream.image.deep import is_deep, read_deep
from blurscene_stream.image.integrity import CUT_SHORT, checked, format_of, webp_is_lossless
from blurscene_stream.image.samples import JpegLook, Picture
from blurscene_stream.image.tiff import is_negative, refuse_odd_samples

# Whatever Pillow finds odd in metadata is of no account here: they are dropped.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

LARGEST_PIXELS = 200_000_000
"""A small file can claim to hold a picture that fills the memory; a frame of the largest cameras has 150 megapixels."""

READERS: dict[str, type[ImageFile.ImageFile]] = {
    "jpeg": JpegImageFile,  # asked directly: Image.open makes a collection of pictures of many phones' JPEGs
    "png": PngImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
}
CHANNELS = {"1": "L", "L": "L", "LA": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}
WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
DEEP_GREY = {"I;16", "I;16L", "I;16B"}
ORIENTATION_TAG = 0x0112
ORIENTATIONS = {  # EXIF 2.32, 4.6.4 A
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, flip_x=True),
    7: Orientation(transposed=True, flip_x=True, flip_y=True),
    8: Orientation(transposed=True, flip_y=True),
}


def decode(data: bytes) -> Picture:
    """Decode a JPEG, PNG, WebP, BMP or TIFF picture.

    Raises SourceError when it is none, or one of a kind that is not taken; CorruptInputError when it is cut short or
    damaged. The messages do not name the file.
    """
    form = format_of(data)
    if not data:
        raise CorruptInputError("the file is empty; nothing was written")
    if form is None:
        raise SourceError("not a picture in one of the formats that are read: jpeg, png, webp, bmp, tiff")
    whole = checked(data, form)
    try:
        with READERS[form](BytesIO(whole)) as image:
            return _read(image, whole, form)
    except BlurSceneError:
        raise
    except MemoryError:
        raise SourceError("there is not enough memory for the picture; make it smaller") from None
    except Exception as error:  # Pillow's readers raise whatever they run into
        if "truncated" in str(error):
            raise CorruptInputError(CUT_SHORT) from error
        raise CorruptInputError(
            f"the {form} picture cannot be decoded, the file is damaged or of an unknown kind; nothing was written"
        ) from error


def _read(image: ImageFile.ImageFile, data: bytes, form: str) -> Picture:
    _refuse(image, form)
    if is_deep(image, data, form):
        samples = read_deep(image, data, form)
        orientation = _orientation(image)
    else:
        image.load()
        samples = _samples(image)
        orientation = _orientation(image)  # asked now: Pillow turns TIFFs on its own, and then has nothing to tell
    stands = np.ascontiguousarray(orientation.upright(samples))  # type: ignore[arg-type]  # uint16 turns as well
    profile = _profile(image.info.get("icc_profile"), samples.shape[2])
    lossless = form in ("png", "bmp", "tiff") or (form == "webp" and webp_is_lossless(data))
    look = _look(image) if isinstance(image, JpegImageFile) and orientation is UPRIGHT else None
    return Picture(stands if stands.base is None else stands.copy(), form, lossless, profile, look, orientation)


def _refuse(image: ImageFile.ImageFile, form: str) -> None:
    """What would be too large, would lose something or would be shown only in part."""
    width, height = image.size
    if width * height > LARGEST_PIXELS:
        raise SourceError(
            f"{width}x{height} is more than {LARGEST_PIXELS:,} pixels, the most that is taken; scale it down"
        )
    count = getattr(image, "n_frames", 1)
    if count > 1:
        raise SourceError(f"holds {count} pictures (animated, or of several pages); give a file for each of them")
    if image.mode not in CHANNELS.keys() | DEEP_GREY:
        raise SourceError(f"{image.mode} colours are not taken in {form} pictures; convert it to RGB first")
    if isinstance(image, TiffImageFile):
        refuse_odd_samples(image)


def _samples(image: Image.Image) -> Plane:
    """Grey or RGB, with alpha where the file has it, (height, width, channels); palettes become colours."""
    if image.mode in DEEP_GREY:
        if "transparency" in image.info:
            raise SourceError("16 bits with a transparent colour are not taken; convert it to an alpha channel first")
        grey = np.asarray(image).astype(np.uint16)[:, :, None]
        return cast(Plane, ~grey if isinstance(image, TiffImageFile) and is_negative(image) else grey)
    mode = CHANNELS[image.mode]
    if image.has_transparency_data:
        mode = WITH_ALPHA.get(mode, mode)
    samples = np.array(image if image.mode == mode else image.convert(mode))
    return cast(Plane, samples[:, :, None] if samples.ndim == 2 else samples)


def _orientation(image: Image.Image) -> Orientation:
    return ORIENTATIONS.get(image.getexif().get(ORIENTATION_TAG, 1), UPRIGHT)


def _profile(profile: bytes | None, channels: int) -> bytes | None:
    """The ICC profile if it is one, and for these channels (ICC.1:2022, 7.2: header)."""
    space = b"GRAY" if channels < 3 else b"RGB "
    good = profile is not None and profile[36:40] == b"acsp" and profile[16:20] == space
    return profile if good else None


def _look(image: JpegImageFile) -> JpegLook:
    tables = tuple(tuple(image.quantization[index]) for index in sorted(image.quantization))
    return JpegLook(tables, max(get_sampling(image), 0))
