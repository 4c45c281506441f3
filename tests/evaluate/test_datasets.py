"""Data set formats, with boxes whose metrics are known, and malformed annotations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blurscene_stream.config.schema import MergeMethod
from blurscene_stream.errors import BlurSceneError, UsageError
from blurscene_stream.evaluate import ClassMapping, Estimate, format_image_report, measure_images
from blurscene_stream.evaluate.datasets import read_dataset
from tests.detectors import CLASSES
from tests.evaluate.scripted_detector import Answer, ScriptedDetector, make_picture, options
from tests.settings import changed

# Two pictures of 80 x 60: a plate and a face in the first, a face and what need not be found in the second.
PLATE, FACE, OTHER, IGNORED = (10, 10, 30, 20), (40, 10, 60, 40), (4, 8, 24, 38), (50, 20, 70, 50)
ANSWERS: dict[int, list[Answer]] = {
    0: [("license_plate", 0.9, PLATE), ("face", 0.15, FACE), ("face", 0.6, (0, 40, 10, 50))],
    1: [("face", 0.8, OTHER), ("face", 0.7, IGNORED)],
}


def _jsonl(folder: Path) -> Path:
    rows: list[dict[str, object]] = [
        {"file": "a.png", "boxes": [{"label": "face", "xyxy": FACE}, {"label": "license_plate", "xyxy": PLATE}]},
        {
            "file": "b.png",
            "boxes": [{"label": "face", "xyxy": OTHER}, {"label": "face", "xyxy": IGNORED, "ignore": True}],
        },
    ]
    lines = [json.dumps(row | {"width": 80, "height": 60, "exhaustive": list(CLASSES)}) for row in rows]
    _pictures(folder)
    (folder / "labels.jsonl").write_text("\n".join(lines))
    return folder


def _pictures(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        make_picture(folder / name)


def _wide(box: tuple[int, int, int, int]) -> list[int]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def _coco(folder: Path) -> Path:
    _pictures(folder / "images")
    rows = [(1, 1, FACE, 0), (1, 2, PLATE, 0), (2, 1, OTHER, 0), (2, 1, IGNORED, 1)]
    tree = {
        "images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "Human face"}, {"id": 2, "name": "Number-Plate"}],
        "annotations": [
            {"image_id": image, "category_id": kind, "bbox": _wide(box), "iscrowd": crowd}
            for image, kind, box, crowd in rows
        ],
    }
    (folder / "annotations").mkdir()
    (folder / "annotations" / "val.json").write_text(json.dumps(tree))
    return folder


def _yolo(folder: Path) -> Path:
    _pictures(folder / "images")
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("names: {0: face, 1: licence plate}\n")
    for name, rows in (("a", [(0, FACE), (1, PLATE)]), ("b", [(0, OTHER)])):
        lines = []
        for kind, (x0, y0, x1, y1) in rows:
            lines.append(f"{kind} {(x0 + x1) / 160} {(y0 + y1) / 120} {(x1 - x0) / 80} {(y1 - y0) / 60}\n")
        (folder / "labels" / f"{name}.txt").write_text("".join(lines))
    return folder


def _voc(folder: Path) -> Path:
    _pictures(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name, rows in (
        ("a", [("face", FACE, 0), ("plate", PLATE, 0)]),
        ("b", [("face", OTHER, 0), ("face", IGNORED, 1)]),
    ):
        objects = "".join(
            f"<object><name>{kind}</name><difficult>{hard}</difficult><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
            f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
            for kind, box, hard in rows
        )
        head = f"<filename>{name}.png</filename><size><width>80</width><height>60</height></size>"
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{head}{objects}</annotation>")
    return folder


MAKERS = {"jsonl": _jsonl, "COCO": _coco, "YOLO": _yolo, "Pascal VOC": _voc}


def _value(estimate: Estimate) -> float:
    assert estimate.value is not None
    return round(estimate.value, 6)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_numbers_of_known_boxes(kind: str, tmp_path: Path) -> None:
    detector = ScriptedDetector(ANSWERS)
    report = measure_images(MAKERS[kind](tmp_path), options(detector))
    assert (report.format, report.images, report.clipped, report.dropped) == (kind, 2, 0, 0)
    assert detector.thresholds == [0.02]
    face, plate = report.classes["face"], report.classes["license_plate"]
    assert {name: _value(one) for name, one in face.recall.items()} == {"0.1": 1, "0.2": 0.5, "0.3": 0.5, "own": 0.5}
    assert _value(plate.recall["own"]) == _value(plate.average_precision["AP50"]) == _value(plate.mean_coverage) == 1
    assert _value(face.recall_by_size["16-32"]) == 0.5 and face.recall_by_size["64-128"].value is None
    assert _value(face.mean_coverage) == _value(face.fully_covered) == 0.5  # at 0.2 the first face shows
    wrong = 2 if kind == "YOLO" else 1  # which has no word for what need not be found
    assert _value(face.precision["0.2"]) == round(1 / (1 + wrong), 6)
    assert _value(face.average_precision["AP50"]) == round(0.5 + 0.5 * 2 / (2 + wrong), 6)


def test_where_low_boxes_change_high_ones_the_cover_is_seen_by_a_detector_of_its_own(tmp_path: Path) -> None:
    detector = ScriptedDetector(ANSWERS)
    wanted = options(detector)
    wanted = changed(wanted, {"settings.detect.merge.method": MergeMethod.wbf})
    measure_images(_jsonl(tmp_path), wanted)
    assert detector.thresholds == [0.02, 0.2]


def test_the_table_has_a_column_for_each_class(tmp_path: Path) -> None:
    text = format_image_report(measure_images(_jsonl(tmp_path), options(ScriptedDetector(ANSWERS))))
    head, _, names, *rows = text.splitlines()
    assert "2 images, on test" in head
    assert [cell.strip() for cell in names.split("|")[1:-1]] == ["measure", "face", "license_plate"]
    assert any(row.startswith("| AP50 ") for row in rows)


def test_precision_is_stated_only_where_all_is_labelled(tmp_path: Path) -> None:
    make_picture(tmp_path / "a.png")
    row = {"file": "a.png", "boxes": [{"label": "face", "xyxy": FACE}], "exhaustive": []}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    report = measure_images(tmp_path, options(ScriptedDetector(ANSWERS)))
    face = report.classes["face"]
    assert face.precision["own"].value is face.average_precision["AP30"].value is None
    assert _value(face.recall["0.1"]) == 1
    assert "not stated" in format_image_report(report)


def test_a_box_outside_is_cut_and_counted(tmp_path: Path) -> None:
    make_picture(tmp_path / "a.png")
    boxes = [[-20, 10, 20, 30], [90, 10, 95, 20], [79.5, 10, 80.5, 30]]
    row = {"file": "a.png", "boxes": [{"label": "face", "xyxy": box} for box in boxes]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    found: dict[int, list[Answer]] = {0: [("face", 0.9, (0, 10, 20, 30))]}
    report = measure_images(tmp_path, options(ScriptedDetector(found)))
    assert (report.clipped, report.dropped) == (1, 1)
    assert report.classes["face"].recall["own"].count == 2


def test_a_class_is_mapped_by_name_or_left_out(tmp_path: Path) -> None:
    make_picture(tmp_path / "a.png")
    labels = [("Kennzeichen", PLATE), ("car", FACE), ("dog", FACE)]
    row = {"file": "a.png", "boxes": [{"label": name, "xyxy": box} for name, box in labels]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    names = ClassMapping(CLASSES, ["kennzeichen=license_plate", "*="])
    (picture,) = read_dataset(tmp_path, names).images
    assert picture.class_ids.tolist() == [1] and picture.exhaustive == {1}
    with pytest.raises(UsageError, match=r"class 'car' is not known.*--map"):
        read_dataset(tmp_path, ClassMapping(CLASSES, ["Kennzeichen=license_plate"]))
    with pytest.raises(UsageError, match="must be NAME=CLASS"):
        ClassMapping(CLASSES, ["car=vehicle"])


def _broken(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "labels.jsonl").write_text(text)


ANNOTATION = {"image_id": 1, "category_id": 1, "bbox": _wide(FACE)}
BOMB = (
    "<!DOCTYPE a [<!ENTITY b0 'ha'>"
    + "".join(f"<!ENTITY b{level} '{f'&b{level - 1};' * 10}'>" for level in range(1, 12))
    + "]><annotation>&b11;</annotation>"
)


def _coco_with(**changes: object) -> Callable[[Path], object]:
    tree = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": [ANNOTATION],
    }
    return lambda folder: (folder / "a.json").write_text(json.dumps(tree | changes))


def _yolo_with(text: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / "data.yaml").write_text("names: {0: face, 3: plate}\n")
        (folder / "a.txt").write_text(text)

    return make


REFUSED: list[tuple[Callable[[Path], object], str]] = [
    (lambda _: None, "holds no annotations in a known format"),
    (_broken(""), "the data set is empty"),
    (_broken('{"file": "a.png", "boxes": []}'), "no object is annotated"),
    (_broken('{"file": "gone.png", "boxes": []}'), "line 1: the image gone.png is missing"),
    (_broken("{"), "line 1 is not a whole line of JSON"),
    (_broken('{"file": "a.png", "boxes": [{"label": "face", "xyxy": [1, 2, "x", 4]}]}'), "a box must be four numbers"),
    (_broken('{"file": "a.png", "boxes": [{"label": "cat", "xyxy": [1, 2, 3, 4]}]}'), "class 'cat' is not known"),
    (
        _broken('{"file": "a.png", "width": 9, "height": 9, "boxes": [{"label": "face", "xyxy": [1, 2, 3, 4]}]}'),
        "is 80x60, but its annotations are for 9x9",
    ),
    (
        lambda folder: (folder / "classes.txt").write_text("face\n") and (folder / "a.txt").write_text("1 0 0 1 1\n"),
        "class 1 has no name",
    ),
    (lambda folder: (folder / "a.xml").write_text("<annotation>"), "not XML"),
    (lambda folder: (folder / "a.json").write_text("{}"), "'categories' is missing"),
    (_coco_with(categories=["face"]), "categories[0]: 'id' is missing"),
    (
        _coco_with(categories=[{"id": [1], "name": "face"}]),
        "categories[0]: 'id' is missing or of another type",
    ),
    (_coco_with(categories=[{"id": 1, "name": "face"}] * 2), "categories[1]: has the id 1 of another one"),
    (_coco_with(images=[{"file_name": "a.png"}]), "images[0]: 'id' is missing"),
    (_coco_with(annotations=[ANNOTATION | {"image_id": "1"}]), "annotations[0]: its image '1' is not listed"),
    (_coco_with(annotations=[ANNOTATION, ANNOTATION | {"category_id": 7}]), "annotations[1]: its category 7 is not"),
    (_coco_with(annotations=[ANNOTATION | {"category_id": {"a": 1}}]), "annotations[0]: 'category_id' is missing"),
    (_coco_with(annotations=[ANNOTATION | {"bbox": [10**400, 1, 2, 3]}]), "annotations[0]: a box must be four numbers"),
    (_yolo_with("0 0.1 0.1 0.5 nan 0.5 0.5"), "a.txt: line 1: 'nan' is not a number"),
    (_yolo_with("2 0.1 0.1 0.5 0.5"), "class 2 has no name; names are given to 0, 3"),
    (_yolo_with("² 0.1 0.1 0.5 0.5"), "class ² has no name"),
    (lambda folder: (folder / "a.xml").write_text(BOMB), "a.xml: not XML that can be read"),
    (
        lambda folder: (folder / "labels.jsonl").write_bytes(b"\xff"),
        "labels.jsonl: cannot be read: it is not UTF-8 text",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_malformed_annotations_are_refused(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make_picture(tmp_path / "a.png")
    make(tmp_path)
    with pytest.raises(BlurSceneError) as caught:
        measure_images(tmp_path, options(ScriptedDetector({})))
    assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    _jsonl(tmp_path)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(BlurSceneError, match=r"b\.png: not a picture"):
        measure_images(tmp_path, options(ScriptedDetector({})))


def _labels(folder: Path) -> list[str]:
    """The detector's classes of all that is labelled."""
    return [
        CLASSES[label]
        for picture in read_dataset(folder, ClassMapping(CLASSES, ["*="])).images
        for label in picture.class_ids.tolist()
    ]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_byte_order_mark_is_ignored(kind: str, tmp_path: Path) -> None:
    folder = MAKERS[kind](tmp_path)
    expected = _labels(folder)
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix != ".png":
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert _labels(folder) == expected


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-8", "windows-1252"])
def test_xml_says_how_it_is_encoded(encoding: str, tmp_path: Path) -> None:
    folder = _voc(tmp_path)
    expected = _labels(folder)
    for file in (folder / "Annotations").glob("*.xml"):
        text = file.read_text().replace("<annotation>", "<annotation><folder>Straße</folder>")
        file.write_bytes(f"<?xml version='1.0' encoding='{encoding}'?>{text}".encode(encoding))
    assert _labels(folder) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.yaml", "names: {0: car, 3: face, 7: plate}"),
        ("data.yaml", "names: [car, a, b, face, c, d, e, plate]"),
        ("classes.txt", "car\n\n\nface\n\n\n\nplate\n"),
    ],
)
def test_numbers_of_classes_are_kept_where_some_have_no_name(name: str, text: str, tmp_path: Path) -> None:
    make_picture(tmp_path / "a.png")
    (tmp_path / name).write_text(text)
    (tmp_path / "a.txt").write_text("7 0.5 0.5 0.1 0.1\n3 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n")
    assert _labels(tmp_path) == ["license_plate", "face"]


def test_a_line_ends_where_an_editor_ends_it(tmp_path: Path) -> None:
    """Not at what Python calls line ends too: they may stand in a text of JSON."""
    make_picture(tmp_path / "a\u2028b.png")
    row = {"file": "a\u2028b.png", "boxes": [{"label": "face", "xyxy": FACE}]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\r\n", encoding="utf-8")
    assert _labels(tmp_path) == ["face"]
