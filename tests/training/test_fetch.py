"""Rebuilding of picture sets out of git repositories, here ones that are made on the fly."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from blurscene_stream.evaluate import ClassMapping
from blurscene_stream.evaluate.datasets import read_dataset
from scripts.training import manifest
from scripts.training.fetch import rebuild
from scripts.training.label_rules import iwpod, voc, yolo
from scripts.training.manifest import PictureSet, parse_files, read_sets
from scripts.training.snapshots import Snapshot, SnapshotError


def jpeg(width: int, height: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 30)).save(made, "JPEG")
    return made.getvalue()


FILES = {
    "train/images/a b.jpg": jpeg(200, 100),
    "train/labels/a b.txt": b"0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.1 0.1\n0 0.2 0.2 0.4 0.2 0.4 0.6 0.2 0.6\n",
    "train/images/big.jpg": jpeg(400, 200),
    "train/labels/big.txt": b"0 0.5 0.5 0.2 0.4\n",
    "train/images/bare.jpg": jpeg(50, 50),
    "xml/c.jpg": jpeg(20, 10),
    "xml/c.xml": b"<a><size><width>40</width><height>20</height></size>"
    b"<object><name>person</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
    b"<object><name>face</name><bndbox><xmin>10</xmin><ymin>2</ymin><xmax>20</xmax><ymax>8</ymax></bndbox></object></a>",
    "iw/d.jpg": jpeg(20, 10),
    "iw/d.txt": b"4,0.1,0.4,0.4,0.1,0.2,0.2,0.6,0.6,,\n",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of snapshots with one of someone/pictures, and its commit."""
    folder = tmp_path_factory.mktemp("repositories")
    tree = tmp_path_factory.mktemp("tree")
    for name, content in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    git = ["git", f"--git-dir={folder / 'someone+pictures'}", f"--work-tree={tree}"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, *author, "commit", "--quiet", "-m", "pictures"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    return folder, commit


@pytest.fixture
def picture_set(repository: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PictureSet:
    (tmp_path / "files").mkdir()
    lines = [
        "@repo someone/pictures " + repository[1],
        "@dir train/images/",
        "a b.jpg",
        "big.jpg\tsmall.jpg\tq90 200 100",
    ]
    (tmp_path / "files" / "drawn.txt").write_text("\n".join(lines))
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    labels = {"rule": "yolo", "label": "license_plate", "classes": [0]}
    digest = {"labels": "", "images": ""}
    return PictureSet("drawn", "CC0", labels, ["license_plate"], "base", 1.0, 2, 3, digest)


def test_a_set_is_rebuilt_and_compared_with_the_record(
    repository: tuple[Path, str], picture_set: PictureSet, tmp_path: Path
) -> None:
    made = rebuild(picture_set, repository[0], tmp_path / "sets")
    assert (made.images, made.boxes, made.problems) == (2, 3, {})
    assert made.differences == ["labels", "images"] and not made.as_recorded
    dataset = read_dataset(tmp_path / "sets" / "drawn", ClassMapping(["face", "license_plate"]))
    by_name = {image.file.name: image for image in dataset.images}
    assert by_name["a_b.jpg"].boxes.tolist() == [[80, 30, 120, 70], [40, 20, 80, 60]]
    assert by_name["small.jpg"].boxes.tolist() == [[80, 30, 120, 70]]
    with Image.open(by_name["small.jpg"].file) as opened:
        assert opened.size == (200, 100)
    assert by_name["a_b.jpg"].file.read_bytes() == FILES["train/images/a b.jpg"]
    assert all(image.exhaustive == {1} for image in dataset.images)


def test_what_is_missing_is_counted(repository: tuple[Path, str], picture_set: PictureSet, tmp_path: Path) -> None:
    with (tmp_path / "files" / "drawn.txt").open("a") as file:
        file.write("\nbare.jpg\ngone.jpg\n")
    made = rebuild(picture_set, repository[0], tmp_path / "sets")
    assert made.problems == {"label missing": 1, "picture missing": 1}


def test_incomplete_labels_are_not_exhaustive(
    repository: tuple[Path, str], picture_set: PictureSet, tmp_path: Path
) -> None:
    rebuild(replace(picture_set, incomplete={"images/a_b.jpg": [[1, 2, 9, 12]]}), repository[0], tmp_path / "sets")
    dataset = read_dataset(tmp_path / "sets" / "drawn", ClassMapping(["face", "license_plate"]))
    (image,) = [image for image in dataset.images if image.file.name == "a_b.jpg"]
    assert not image.exhaustive and image.ignored.tolist() == [False, False, True]


def test_a_repository_that_is_gone_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.training.snapshots._ADDRESS", str(tmp_path / "{name}"))
    with pytest.raises(SnapshotError, match=r"someone/gone at 0000 cannot be fetched: "):
        Snapshot(tmp_path, "someone/gone", "0000")


def test_other_forms_of_labels(repository: tuple[Path, str]) -> None:
    with Snapshot(repository[0], "someone/pictures", repository[1]) as snapshot:
        assert voc(snapshot, "xml/c.jpg", ".", ["person"]) == ([(10, 2, 20, 8)], (40, 20))
        assert voc(snapshot, "other/c.jpg", "/xml") is not None
        assert iwpod(snapshot, "iw/d.jpg") == ([(0.1, 0.2, 0.4, 0.6)], (1, 1))
        assert yolo(snapshot, "xml/c.jpg") is None


def test_the_manifest_is_complete() -> None:
    sets = read_sets()
    files = {path.stem for path in (manifest.FOLDER / "files").iterdir()}
    assert sets.keys() == files
    assert len(sets) == 47 and sum(one.images for one in sets.values()) == 23962
    for one in sets.values():
        assert sum(len(each.files) for each in one.repositories()) == one.images
        assert all(len(each.commit) == 40 for each in one.repositories())


def test_pictures_that_are_left_out_are_of_their_set() -> None:
    for one in read_sets().values():
        files = [file for repository in one.repositories() for file in repository.files]
        assert set(one.left_out) <= {one.file_name(file, b"") for file in files}


def test_the_form_of_a_list_of_files() -> None:
    (made,) = parse_files("# note\n@repo a/b c0ffee\n@dir x/\none.jpg\ntwo.png\tsecond.jpg\tq92 400 210 r\n")
    assert (made.name, made.commit, made.files[0].path, made.files[1].name) == (
        "a/b",
        "c0ffee",
        "x/one.jpg",
        "second.jpg",
    )
    how = made.files[1].reencoding
    assert how is not None and (how.quality, how.width, how.height, how.upright) == (92, 400, 210, False)
