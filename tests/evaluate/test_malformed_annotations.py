"""Malformed annotation files of every format are read or refused by a BlurSceneError."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blurscene_stream.errors import BlurSceneError
from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.datasets import read_dataset
from blurscene_stream.evaluate.datasets.jsonl import check_inside_picture, read_video_ground_truth
from tests.detectors import CLASSES
from tests.evaluate.scripted_detector import make_picture

MAPPING = ClassMapping(CLASSES, ["*="])
BOX = [10, 10, 20, 20]
ROW = {"file": "a.png", "width": 80, "height": 60, "boxes": [{"label": "face", "xyxy": BOX}], "exhaustive": ["face"]}
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}],
    "categories": [{"id": 1, "name": "face"}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": BOX, "iscrowd": 0}],
}
TRUTH = {"frame": 0, "pts_s": 0.0, "objects": [{"track": 1, "label": "face", "xyxy": BOX, "visible": 1.0}]}
VOC = (
    '<?xml version="1.0" encoding="ENCODING"?><annotation><filename>a.png</filename><size><width>80</width><height>60'
    "</height></size><object><name>face</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>20</xmax><ymax>20</ymax>"
    "</bndbox></object></annotation>"
)
DEEP = "[" * 100_000

Read = Callable[[Path], object]


def _read_images(place: Path) -> None:
    for image in read_dataset(place, MAPPING).images:
        image.ground_truth(80, 60)


def _read_truth(place: Path) -> None:
    check_inside_picture(read_video_ground_truth(place, MAPPING), 80, 60)


JSON: dict[str, tuple[str, dict[str, Any], Read]] = {  # name of the file, what is good, its reader
    "jsonl": ("labels.jsonl", ROW, _read_images),
    "COCO": ("a.json", COCO, _read_images),
    "truth": ("a.truth.jsonl", TRUTH, _read_truth),
}
numbers = st.one_of(st.integers(), st.sampled_from([10**400, -(10**400), 10**20]), st.floats())
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), numbers, st.text(), st.sampled_from(["a.png", "n" * 300, "\0", "\ud800", "face"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one picture, in which label files come and go."""
    made = tmp_path_factory.mktemp("set")
    make_picture(made / "a.png")
    return made


def _paths(tree: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a tree of JSON."""
    yield ()
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from ((key, *rest) for rest in _paths(value))


@st.composite
def changed(draw: st.DrawFn, good: dict[str, Any]) -> Any:
    """`good` with something else in up to three places of it."""
    tree: Any = deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(tree))))
        value = draw(values)
        if not path:
            tree = value
            continue
        *way, last = path
        place = tree
        for key in way:
            place = place[key]
        if draw(st.booleans()):
            place[last] = value
        else:
            del place[last]
    return tree


def _try(file: Path, data: bytes, read: Read) -> None:
    file.write_bytes(data)
    try:
        with suppress(BlurSceneError):
            read(file)
    finally:
        file.unlink()


@pytest.mark.parametrize("kind", JSON)
def test_the_unchanged_annotations_are_valid(kind: str, folder: Path) -> None:
    name, good, read = JSON[kind]
    (folder / name).write_text(json.dumps(good))
    read(folder / name)
    (folder / name).unlink()


@pytest.mark.parametrize("kind", JSON)
@given(data=st.data())
def test_any_json_is_read_or_refused(kind: str, folder: Path, data: st.DataObject) -> None:
    name, good, read = JSON[kind]
    _try(folder / name, json.dumps(data.draw(changed(good))).encode(), read)


@pytest.mark.parametrize("kind", JSON)
@given(data=st.binary(max_size=60))
@example(data=DEEP.encode())
@example(data=b"9" * 5000)
@example(data=b'{"boxes": ' + b"9" * 5000 + b"}")
@example(data=b"\xff\xfe{\x00}\x00")
def test_any_bytes_are_read_or_refused(kind: str, folder: Path, data: bytes) -> None:
    name, _, read = JSON[kind]
    _try(folder / name, data, read)


@pytest.mark.parametrize("levels", range(900, 1010, 5))
def test_a_box_that_is_nested_as_deep_as_can_be_read_is_refused(levels: int, folder: Path) -> None:
    text = json.dumps(ROW).replace(json.dumps(BOX), "[" * levels + "]" * levels)
    _try(folder / "labels.jsonl", text.encode(), _read_images)


ENCODINGS = ["utf-8", "ISO-8859-1", "utf-16", "cp1252", "euc-jp", "nonsense", "", "hex"]


@given(
    declared=st.sampled_from(ENCODINGS),
    stored=st.sampled_from(["utf-8", "latin-1", "utf-16"]),
    place=st.sampled_from(["a.png", "80", "face", "10", "<bndbox>", "</annotation>", "1.0"]),
    other=st.text(max_size=12),
)
@example(declared="utf-8", stored="utf-8", place="80", other="²")
@example(declared="utf-8", stored="utf-8", place="80", other="9" * 5000)
@example(declared="utf-8", stored="utf-8", place="10", other="9" * 5000)
@example(declared="utf-8", stored="utf-8", place="a.png", other="n" * 5000)
def test_any_xml_is_read_or_refused(declared: str, stored: str, place: str, other: str, folder: Path) -> None:
    text = VOC.replace(place, other).replace("ENCODING", declared)
    _try(folder / "a.xml", text.encode(stored, "replace"), lambda file: _read_images(file.parent))


@given(st.text(st.sampled_from("019.-e²٣_ \n\tnaif\ufeff"), max_size=40))
@example("² 0.1 0.1 0.1 0.1")
@example("0 1e400 0.1 0.1 0.1")
@example("0 1e300 1e300 1e300 1e300")
@example("9" * 5000 + " 0 0 0 0")
def test_any_text_of_yolo_is_read_or_refused(folder: Path, text: str) -> None:
    (folder / "classes.txt").write_text("face\n")
    _try(folder / "a.txt", text.encode(), lambda file: _read_images(file.parent))
    (folder / "classes.txt").unlink()


@given(data=st.data())
def test_any_names_of_yolo_are_read_or_refused(folder: Path, data: st.DataObject) -> None:
    (folder / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    tree = data.draw(changed({"names": {"0": "face", "²": "plate"}}))
    _try(folder / "data.yaml", json.dumps(tree).encode(), _read_images)
    (folder / "a.txt").unlink()
