"""Colour of 16 bits a sample, read by OpenCV and written here: Pillow would cut it to 8.

Written by ourselves because OpenCV leaves out the ICC profile and the meaning of a TIFF's alpha and has no grey with
alpha, pypng has no profile, tifffile knows one format of the two, and libvips would be a third library for pictures.
"""

from __future__ import annotations

import struct
import zlib
from typing import cast

import cv2
import numpy as np
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from blurscene_stream.errors import CorruptInputError, SourceError
from blurscene_stream.frames import Plane
from blurscene_stream.image.integrity import CUT_SHORT, PNG_SIGNATURE

PNG_DEPTH, PNG_COLOUR = 24, 25  # places in a file: IHDR comes first
PNG_GREY, PNG_GREY_ALPHA = 0, 4
PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type
# Tags of TIFF 6.0 and of its supplements
WIDTH, HEIGHT, DEPTH, COMPRESSION, PHOTOMETRIC, OFFSETS = 256, 257, 258, 259, 262, 273
ORIENTATION, CHANNELS, ROWS, COUNTS, LAYOUT, PREDICTOR = 274, 277, 278, 279, 284, 317
TILE_OFFSETS, TILE_COUNTS, EXTRA, SAMPLE_KIND, PROFILE = 324, 325, 338, 339, 34675
RGB, GREY, UNSIGNED, TOGETHER, OPACITY = 2, 1, 1, 1, 2
DEFLATE, DIFFERENCES = 8, 2
BYTES, SHORT, LONG = 7, 3, 4  # kinds of values


def is_deep(image: ImageFile, data: bytes, form: str) -> bool:
    """True for 16 bits a sample in more than one channel."""
    if form == "png":
        return data[PNG_DEPTH] == 16 and data[PNG_COLOUR] != PNG_GREY
    if not isinstance(image, TiffImageFile):
        return False
    depths, channels = image.tag_v2.get(DEPTH, (1,)), image.tag_v2.get(CHANNELS, 1)  # one depth may stand for all
    return bool(max(depths) > 8 and max(channels, len(depths)) > 1)


def read_deep(image: ImageFile, data: bytes, form: str) -> Plane:
    """The samples as stored, not yet upright: uint16 (height, width, channels), grey and alpha, RGB, or RGB and alpha.

    Raises SourceError for a kind that is not taken, CorruptInputError.
    """
    if "transparency" in image.info:
        raise SourceError("16 bits with a transparent colour are not taken; convert it to an alpha channel first")
    if isinstance(image, TiffImageFile):
        data = _plain_tiff(image, data)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {HEIGHT: image.height, WIDTH: image.width}
    size = (tags[HEIGHT], tags[WIDTH])  # as stored; Pillow tells that of the upright TIFF
    if read is None or read.ndim != 3 or read.shape[:2] != size or read.dtype != np.uint16:
        raise CorruptInputError(f"the {form} picture of 16 bits cannot be decoded, the file is damaged")
    if form == "png" and data[PNG_COLOUR] == PNG_GREY_ALPHA:
        return cast(Plane, np.ascontiguousarray(read[:, :, [0, 3]]))
    order = [2, 1, 0] if read.shape[2] == 3 else [2, 1, 0, 3]  # OpenCV has blue first
    return cast(Plane, read[:, :, order])


def _plain_tiff(image: TiffImageFile, data: bytes) -> bytes:
    """`data` without its orientation, which OpenCV heeds or not, by version and kind; ours is asked of Pillow."""
    tags = image.tag_v2
    kind = (tags.get(PHOTOMETRIC), tags.get(LAYOUT, TOGETHER), {*tags.get(SAMPLE_KIND, (UNSIGNED,))}, {*tags[DEPTH]})
    extra = {*tags.get(EXTRA, (OPACITY,))}
    if kind != (RGB, TOGETHER, {UNSIGNED}, {16}) or extra != {OPACITY} or data[2:4] not in (b"*\0", b"\0*"):
        raise SourceError("this kind of 16-bit TIFF is not taken: save it as RGB, unsigned, pixel by pixel")
    places = zip(
        tags.get(OFFSETS) or tags[TILE_OFFSETS], tags.get(COUNTS) or tags[TILE_COUNTS], strict=True
    )  # where the samples are
    if any(start + count > len(data) for start, count in places):
        raise CorruptInputError(CUT_SHORT)
    changed, order = bytearray(data), "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, directory)
    for place in range(directory + 2, directory + 2 + 12 * entries, 12):
        if struct.unpack_from(order + "H", data, place)[0] == ORIENTATION:
            struct.pack_into(order + "H", changed, place + 8, 1)
    return bytes(changed)


def deep_png(samples: Plane, profile: bytes | None) -> bytes:
    """A PNG of uint16 samples (height, width, channels)."""
    height, width, channels = samples.shape
    rows = samples.astype(">u2", order="C").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 1  # each byte less the one a pixel before it
    step = 2 * channels
    filtered[:, 1 : 1 + step] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOURS[channels], 0, 0, 0)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(filtered.data, 6)), _chunk(b"IEND", b"")]
    if profile is not None:
        parts.insert(1, _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    return PNG_SIGNATURE + b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_tiff(samples: Plane, profile: bytes | None) -> bytes:
    """A TIFF of uint16 samples (height, width, channels); grey with alpha becomes RGB, for others to read it."""
    if samples.shape[2] == 2:
        samples, profile = samples[:, :, [0, 0, 0, 1]], None
    height, width, channels = samples.shape
    little = samples.astype("<u2", order="C")
    little[:, 1:] -= samples[:, :-1]
    strip = zlib.compress(little.data, 6)
    tags: dict[int, tuple[int, bytes]] = {
        WIDTH: (LONG, struct.pack("<I", width)),
        HEIGHT: (LONG, struct.pack("<I", height)),
        DEPTH: (SHORT, struct.pack("<H", 16) * channels),
        COMPRESSION: (SHORT, struct.pack("<H", DEFLATE)),
        PHOTOMETRIC: (SHORT, struct.pack("<H", GREY if channels == 1 else RGB)),
        OFFSETS: (LONG, struct.pack("<I", 8)),
        CHANNELS: (SHORT, struct.pack("<H", channels)),
        ROWS: (LONG, struct.pack("<I", height)),
        COUNTS: (LONG, struct.pack("<I", len(strip))),
        PREDICTOR: (SHORT, struct.pack("<H", DIFFERENCES)),
        **({EXTRA: (SHORT, struct.pack("<H", OPACITY))} if channels == 4 else {}),
        **({PROFILE: (BYTES, profile)} if profile is not None else {}),
    }
    return _tiff(strip + bytes(len(strip) % 2), tags)


def _tiff(strip: bytes, tags: dict[int, tuple[int, bytes]]) -> bytes:
    """Header, samples, the one directory, and after it the values that are longer than their place in it."""
    directory = 8 + len(strip)
    end = directory + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, value) in tags.items():
        count = len(value) // {BYTES: 1, SHORT: 2, LONG: 4}[kind]
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", end + len(values))
        entries += struct.pack("<HHI", tag, kind, count) + place
        values += (value + bytes(len(value) % 2)) if len(value) > 4 else b""
    header = struct.pack("<2sHI", b"II", 42, directory)
    return header + strip + struct.pack("<H", len(tags)) + entries + bytes(4) + values
