"""Pascal VOC annotations (VOC 2012 development kit): one XML file for each image.

`difficult` marks ignored objects. Corners are taken as they are written: tools count pixels from 0 or from 1, which
moves a box by one pixel at most. Every class that the data set has is taken to be annotated exhaustively.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from blurscene_stream.errors import SourceError, first_line
from blurscene_stream.evaluate.annotations import Annotation, ImageAnnotations
from blurscene_stream.evaluate.datasets.parsing import (
    IMAGE_SUFFIXES,
    find_image,
    parse_index,
    parse_size,
    parse_xyxy,
    refuse,
)

IMAGE_FOLDERS = (".", "../JPEGImages", "../images", "images", "JPEGImages")  # relative to the XML file


def find(path: Path) -> Path | None:
    """Find the folder of the XML files: `path` itself, or the one in it."""
    folders = (path, path / "Annotations", path / "annotations") if path.is_dir() else ()
    return next((folder for folder in folders if any(folder.glob("*.xml"))), None)


def read(folder: Path) -> Iterator[ImageAnnotations]:
    """Yield the annotations of every image that has an XML file.

    Raises SourceError.
    """
    for file in sorted(folder.glob("*.xml")):
        try:
            # Bytes, for only XML itself says how it is encoded. Expat stops entities that grow out of bounds.
            root = ElementTree.fromstring(file.read_bytes())
        except (ElementTree.ParseError, ValueError, LookupError) as error:  # the last two: encodings that are unknown
            raise SourceError(f"{file}: not XML that can be read: {first_line(error)}") from error
        annotations = [_annotation(each, file) for each in root.iter("object")]
        yield ImageAnnotations(_image(root, file), annotations, _size(root))


def _image(root: ElementTree.Element, file: Path) -> Path:
    """Find the image that is named, else the one with the name of the XML file."""
    folders = [file.parent / folder for folder in IMAGE_FOLDERS]
    named = Path((root.findtext("filename") or "").strip()).name
    for name in (named, *(file.stem + suffix for suffix in IMAGE_SUFFIXES)):
        for folder in folders:
            if name and (folder / name).is_file():
                return folder / name
    return find_image(named or file.stem, folders, str(file))


def _annotation(element: ElementTree.Element, file: Path) -> Annotation:
    values = [element.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
    name = (element.findtext("name") or "").strip()
    if not name:
        refuse(str(file), "an object has no name")
    return Annotation(name, parse_xyxy(values, str(file)), (element.findtext("difficult") or "0").strip() == "1")


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    width, height = ((root.findtext(f"size/{name}") or "").strip() for name in ("width", "height"))
    return parse_size({"width": parse_index(width), "height": parse_index(height)})
