"""A redacted picture becomes the bytes of a file: samples and ICC profile, and nothing else."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from blurscene_stream.errors import SinkError, UsageError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.image.deep import deep_png, deep_tiff
from blurscene_stream.image.samples import Picture

FORMATS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
WITH_ALPHA = ("png", "webp", "tiff")
WITH_16_BITS = ("png", "tiff")
QUALITY = 95  # of what is encoded with loss, and was not a JPEG stored upright


def format_for(path: Path) -> str:
    """The format that a file's ending asks for.

    Raises UsageError when there is none.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"{path}: the ending must be one of {' '.join(FORMATS)}")
    return form


def refuse_loss(picture: Picture, form: str) -> None:
    """Refuse a format that cannot hold the picture.

    Raises UsageError.
    """
    if picture.bits > 8 and form not in WITH_16_BITS:
        raise UsageError(f"has 16 bits a sample, which {form} cannot hold; choose {' or '.join(WITH_16_BITS)}")
    if picture.translucent and form not in WITH_ALPHA:
        raise UsageError(f"has transparent parts, which {form} cannot hold; choose {' or '.join(WITH_ALPHA)}")


def encode(frame: RedactedFrame, form: str) -> bytes:
    """The file of a redacted picture in one of FORMATS. PNG, BMP and TIFF keep every sample.

    Raises SinkError.
    """
    picture = cast(Picture, frame.native)
    if picture.bits > 8:
        return (deep_png if form == "png" else deep_tiff)(picture.samples, picture.profile)
    samples = picture.samples
    if picture.has_alpha and form not in WITH_ALPHA:  # opaque, see refuse_loss
        samples = samples[:, :, :-1]
    image = Image.fromarray(np.ascontiguousarray(samples[:, :, 0] if samples.shape[2] == 1 else samples))
    written = BytesIO()
    try:
        image.save(written, form, icc_profile=_profile(picture, form), **_options(picture, form))
    except (OSError, ValueError) as error:
        size = f"{image.width}x{image.height}"
        raise SinkError(f"{form} cannot hold a picture of {size} pixels; choose another format") from error
    return written.getvalue()


def _profile(picture: Picture, form: str) -> bytes | None:
    """BMP has no place for one, and a WebP is never grey."""
    channels = picture.samples.shape[2]
    return None if form == "bmp" or (form == "webp" and channels < 3) else picture.profile


def _options(picture: Picture, form: str) -> dict[str, Any]:
    """Pillow's options; of a picture that was compressed with loss, about as much is lost again."""
    if form == "jpeg" and picture.look is not None:
        return {"qtables": [list(table) for table in picture.look.tables], "subsampling": picture.look.sampling}
    if form == "jpeg":
        return {"quality": QUALITY, "subsampling": 0}
    if form == "webp":
        kept = {"lossless": True, "quality": 75} if picture.lossless else {"quality": QUALITY}
        return {**kept, "exact": True}  # the colours under transparent parts stay too
    return {"compression": "tiff_adobe_deflate"} if form == "tiff" else {}
