"""ICC profiles written anew from the numbers that make colours, with no text and no bytes of others (ICC.1:2022)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import pairwise

HEADER_BYTES, ENTRY_BYTES = 128, 12  # 7.2 and 7.3
CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
D50 = bytes.fromhex("0000f6d6 00010000 0000d32d")  # the illuminant of every profile (7.2.16)
LAST_INTENT = 3
REQUIRED = {  # colour space -> tags of a matrix, or of a grey curve (8.3 and 8.4)
    b"RGB ": (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"),
    b"GRAY": (b"kTRC",),
}
OPTIONAL = (b"wtpt", b"bkpt", b"lumi", b"chad", b"cicp")
TYPES = {b"chad": (b"sf32",), b"cicp": (b"cicp",)}  # the others end with TRC, or are XYZ
FIXED_BYTES = {b"XYZ ": 12, b"sf32": 36, b"cicp": 4}  # of content, behind the type and four zeros
CURVE_PARAMETERS = (1, 3, 4, 5, 7)  # of the functions of parametricCurveType (10.18)
MAX_CURVE_POINTS = 4096
TEXTS = {b"desc": "colour profile", b"cprt": "none"}  # that every profile must have (8.2)


def rebuilt_profile(profile: bytes, space: bytes) -> bytes | None:
    """Return a profile of the same colours; None for what is none, or makes colours by large tables.

    space: b"RGB " or b"GRAY"; a profile for another one is None too
    Tables may hold anything; a curve must rise, which no picture does.
    """
    try:
        if profile[36:40] != b"acsp" or profile[16:20] != space or profile[12:16] not in CLASSES:
            return None
        if space == b"RGB " and profile[20:24] != b"XYZ ":
            return None
        found = _elements(profile)
        elements = {tag: _element(tag, found[tag]) for tag in REQUIRED[space]}
        elements |= {tag: _element(tag, found[tag]) for tag in OPTIONAL if tag in found}
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    version = profile[8]
    return _profile(_header(profile), {tag: _text(text, version, tag) for tag, text in TEXTS.items()} | elements)


def _elements(profile: bytes) -> dict[bytes, bytes]:
    """Return the elements by their tags."""
    (count,) = struct.unpack_from(">I", profile, HEADER_BYTES)
    elements: dict[bytes, bytes] = {}
    for place in range(min(count, len(profile) // ENTRY_BYTES)):
        tag, start, size = struct.unpack_from(">4sII", profile, HEADER_BYTES + 4 + ENTRY_BYTES * place)
        elements.setdefault(tag, profile[start : start + size])
    return elements


def _element(tag: bytes, data: bytes) -> bytes:
    """Return an element as its type has it and no longer. Raises ValueError when it is not of a type for this tag."""
    kind = data[:4]
    if kind not in ((b"curv", b"para") if tag.endswith(b"TRC") else TYPES.get(tag, (b"XYZ ",))):
        raise ValueError
    start, size = 8, FIXED_BYTES.get(kind, 0)
    fields = b""
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        points = struct.unpack_from(f">{min(count, MAX_CURVE_POINTS)}H", data, 12)
        if count > MAX_CURVE_POINTS or any(one > other for one, other in pairwise(points)):
            raise ValueError
        size = 4 + 2 * count
    elif kind == b"para":
        (function,) = struct.unpack_from(">H", data, 8)
        fields, start, size = data[8:10] + bytes(2), 12, 4 * CURVE_PARAMETERS[function]
    if len(data) < start + size:
        raise ValueError
    return kind + bytes(4) + fields + data[start : start + size]


def _header(profile: bytes) -> bytes:
    """Return the header without size, names of programs, makers and devices, times and checksum."""
    version = profile[8:10] + bytes(2)
    intent = min(profile[67], LAST_INTENT)
    spaces = profile[12:24]  # class, colour space, space of the connection
    return bytes(4) + version + spaces + bytes(12) + b"acsp" + bytes(24) + struct.pack(">I", intent) + D50 + bytes(48)


def _text(text: str, version: int, tag: bytes) -> bytes:
    """Return a text as version 4 has it, or version 2: ICC.1:2001-04, 6.5.17 and 6.5.18."""
    if version >= 4:
        words = text.encode("utf-16-be")
        return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words
    words = text.encode() + b"\0"
    if tag == b"cprt":
        return b"text" + bytes(4) + words
    return b"desc" + bytes(4) + struct.pack(">I", len(words)) + words + bytes(4 + 4 + 2 + 1 + 67)


def _profile(header: bytes, elements: Mapping[bytes, bytes]) -> bytes:
    """Return the profile; elements that are alike are in it once."""
    start = HEADER_BYTES + 4 + ENTRY_BYTES * len(elements)
    places: dict[bytes, int] = {}
    body = b""
    for element in elements.values():
        if element not in places:
            places[element] = start + len(body)
            body += element + bytes(-len(element) % 4)
    entries = [struct.pack(">4sII", tag, places[element], len(element)) for tag, element in elements.items()]
    size = struct.pack(">I", start + len(body))
    return size + header + struct.pack(">I", len(elements)) + b"".join(entries) + body
