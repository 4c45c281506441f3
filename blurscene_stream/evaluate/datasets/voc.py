"""Pascal VOC's XML (VOC 2012 development kit): one file a picture.

`difficult` marks what need not be found. Corners are taken as they are written: tools count pixels from 0 or from 1,
which moves a box by one pixel at most. Every class that the set has is taken to be labelled exhaustively.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from blurscene_stream.errors import SourceError, first_line
from blurscene_stream.evaluate.datasets.values import PICTURES, corners, picture, refuse, size, whole
from blurscene_stream.evaluate.labels import Box, Entry

BESIDE = (".", "../JPEGImages", "../images", "images", "JPEGImages")  # where the pictures may lie, seen from the XML


def find(place: Path) -> Path | None:
    """The folder of the XML files, if `place` is or holds one."""
    folders = (place, place / "Annotations", place / "annotations") if place.is_dir() else ()
    return next((folder for folder in folders if any(folder.glob("*.xml"))), None)


def read(folder: Path) -> Iterator[Entry]:
    """Every picture that has an XML file.

    Raises SourceError.
    """
    for file in sorted(folder.glob("*.xml")):
        try:
            # Bytes, for only XML itself says how it is encoded. Expat stops entities that grow out of bounds.
            root = ElementTree.fromstring(file.read_bytes())
        except (ElementTree.ParseError, ValueError, LookupError) as error:  # the last two: encodings that are unknown
            raise SourceError(f"{file}: not XML that can be read: {first_line(error)}") from error
        yield Entry(_picture(root, file), [_box(each, file) for each in root.iter("object")], _size(root))


def _picture(root: ElementTree.Element, file: Path) -> Path:
    """The picture that is named, else the one with the name of the XML file."""
    folders = [file.parent / folder for folder in BESIDE]
    named = Path((root.findtext("filename") or "").strip()).name
    for name in (named, *(file.stem + ending for ending in PICTURES)):
        for folder in folders:
            if name and (folder / name).is_file():
                return folder / name
    return picture(named or file.stem, folders, str(file))


def _box(each: ElementTree.Element, file: Path) -> Box:
    values = [each.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
    name = (each.findtext("name") or "").strip()
    if not name:
        refuse(str(file), "an object has no name")
    return Box(name, corners(values, str(file)), (each.findtext("difficult") or "0").strip() != "1")


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    width, height = ((root.findtext(f"size/{name}") or "").strip() for name in ("width", "height"))
    return size({"width": whole(width), "height": whole(height)})
