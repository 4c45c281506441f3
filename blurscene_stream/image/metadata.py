"""Metadata of an image file that this program never writes: the mark of an original."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from blurscene_stream.image.decode import READERS
from blurscene_stream.image.integrity import format_of

OWN_INFO = {  # Pillow's names of what is in the files that `encode` writes
    "jpeg": {"jfif", "jfif_version", "jfif_unit", "jfif_density", "icc_profile"},
    "png": {"icc_profile"},
    "webp": {"icc_profile", "background", "loop", "timestamp", "duration"},
    "bmp": {"compression", "dpi"},
    "tiff": {"compression", "dpi", "resolution", "icc_profile"},
}
OWN_SEGMENTS = {"APP0", "APP2"}  # of a JPEG: JFIF, and its ICC profile
OWN_TAGS = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 338, 34675}  # of a TIFF: its samples, and a profile


def is_foreign(path: Path) -> bool:
    """Return whether a file holds metadata that `encode` does not write, or is no image; False for an empty one.

    An image without metadata may be an original all the same: nobody can tell.
    """
    try:
        data = path.read_bytes()
        file_format = format_of(data)
        if file_format is None:
            return bool(data)
        with READERS[file_format](BytesIO(data)) as image:
            tags = set(image.tag_v2) if isinstance(image, TiffImageFile) else set()  # loading turns it, and drops one
            segments = {name for name, _ in image.applist} if isinstance(image, JpegImageFile) else set()
            image.load()  # a PNG may have texts behind its samples
            return not (set(image.info) <= OWN_INFO[file_format] and tags <= OWN_TAGS and segments <= OWN_SEGMENTS)
    except Exception:  # Pillow's readers raise whatever they run into
        return True
