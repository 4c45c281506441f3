"""Encoding of a redacted image: samples and ICC profile to the bytes of a file, and nothing else."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blurscene_stream.errors import SinkError, UsageError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.image.samples import DecodedImage
from blurscene_stream.paths import IMAGE_FORMATS

WITH_ALPHA = ("png", "webp", "tiff")
QUALITY = 95  # of what is encoded with loss, and was not a JPEG stored upright


def format_for(path: Path) -> str:
    """Return the format that a file's extension asks for.

    Raises UsageError when there is none.
    """
    file_format = IMAGE_FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise UsageError(f"{path}: the ending must be one of {' '.join(IMAGE_FORMATS)}")
    return file_format


def refuse_loss(image: DecodedImage, file_format: str) -> None:
    """Refuse a format that cannot hold the image.

    Raises UsageError.
    """
    if image.translucent and file_format not in WITH_ALPHA:
        raise UsageError(f"has transparent parts, which {file_format} cannot hold; choose {' or '.join(WITH_ALPHA)}")


def encode(frame: RedactedFrame, file_format: str) -> bytes:
    """Encode a redacted image in one of IMAGE_FORMATS. PNG, BMP and TIFF keep every sample.

    Raises SinkError.
    """
    decoded = DecodedImage.of(frame)
    samples = decoded.color if file_format not in WITH_ALPHA else decoded.samples  # opaque there, see refuse_loss
    image = Image.fromarray(np.ascontiguousarray(samples[:, :, 0] if samples.shape[2] == 1 else samples))
    written = BytesIO()
    try:
        image.save(
            written, file_format, icc_profile=_icc_profile(decoded, file_format), **_options(decoded, file_format)
        )
    except (OSError, ValueError) as error:
        size = f"{image.width}x{image.height}"
        raise SinkError(f"{file_format} cannot hold a picture of {size} pixels; choose another format") from error
    return written.getvalue()


def _icc_profile(image: DecodedImage, file_format: str) -> bytes | None:
    """BMP has no place for one, and a WebP is never grey."""
    channels = image.samples.shape[2]
    return None if file_format == "bmp" or (file_format == "webp" and channels < 3) else image.icc_profile


def _options(image: DecodedImage, file_format: str) -> dict[str, Any]:
    """Pillow's options; of an image that was compressed with loss, about as much is lost again."""
    if file_format == "jpeg" and image.jpeg_encoding is not None:
        tables = [list(table) for table in image.jpeg_encoding.quantization_tables]
        return {"qtables": tables, "subsampling": image.jpeg_encoding.subsampling}
    if file_format == "jpeg":
        return {"quality": QUALITY, "subsampling": 0}
    if file_format == "webp":
        kept = {"lossless": True, "quality": 75} if image.lossless else {"quality": QUALITY}
        return {**kept, "exact": True}  # the colours under transparent parts stay too
    return {"compression": "tiff_adobe_deflate"} if file_format == "tiff" else {}
