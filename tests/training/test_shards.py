"""Shards: what is cut is read again, each one is a fair sample, and training takes in those that come late."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import enumerate as enumerate_threads

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from blurscene_stream.errors import SourceError, UsageError
from scripts.training.__main__ import main
from scripts.training.arrivals import Arrivals
from scripts.training.crops import CropPlans
from scripts.training.data_commands import images_of
from scripts.training.export import load_network
from scripts.training.shards import INDEX, Shard, cut, read_index
from scripts.training.store import Store, TrainingImage, filled_store
from tests.conftest import ROOT
from tests.training.drawn import write_jsonl

CPU = torch.device("cpu")
MIB = 2**20
WITHOUT_PYAV = """import runpy, sys
sys.modules.update(dict.fromkeys(["av", "hydra", "omegaconf"]))  # importing one of them now raises ImportError
runpy.run_module("scripts.training", run_name="__main__")"""
TINY = ["--size", "64", "--batch", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, of 27 and 9 pictures to train on."""
    folder = tmp_path_factory.mktemp("packed")
    sets = [write_jsonl(folder / "sets" / name, count, 96) for name, count in (("many", 30), ("few", 10))]
    pack = ["pack", *map(str, sets), "--out", str(folder / "packed")]
    assert CliRunner().invoke(main, pack).output.startswith("36 pictures to train on, 4 held out")
    return folder / "packed"


@pytest.fixture
def folder(packed: Path, tmp_path: Path) -> Path:
    """Four shards and their index."""
    images = images_of(packed)
    out = tmp_path / "shards"
    whole = len(cut(images, packed / "train", out, 1)) == 1 and (out / "shard-00.tar").stat().st_size
    assert sum(cut(images, packed / "train", out, whole / 3 / MIB)) == 36
    return out


def test_each_shard_is_a_fair_sample_and_fits(folder: Path) -> None:
    shards = read_index(folder)
    assert [shard.file.name for shard in shards] == [f"shard-{number:02}.tar" for number in range(len(shards))]
    assert len(shards) == 4
    for shard in shards:
        assert shard.has_arrived()
        sets = Counter(image.file.parent.name for image in shard.images)
        assert sets["many"] in (6, 7) and sets["few"] in (2, 3)
    assert len({image.file for shard in shards for image in shard.images}) == 36


@pytest.mark.parametrize("name", ["short", "x" * 200])
def test_no_shard_is_larger_than_it_may_be(tmp_path: Path, name: str) -> None:
    source, noise = write_jsonl(tmp_path / "drawn", 40), np.random.default_rng(0)
    named = source / "images" / name
    named.mkdir()
    images = []
    for number in range(40):
        file = named / f"{number}.png"
        Image.fromarray(noise.integers(0, 255, (50 + number, 60, 3), np.uint8)).save(file)
        images.append(TrainingImage(file, 60, 50 + number, np.zeros((0, 6), np.float32), (True, True), 1.0))
    for kib in (60, 100, 300, 1000):
        counts = cut(images, source, tmp_path / str(kib), kib / 1024)
        sizes = [file.stat().st_size for file in (tmp_path / str(kib)).glob("*.tar")]
        assert sum(counts) == 40 and len(sizes) == len(counts)
        assert max(sizes) <= kib * 1024
        assert len(sizes) == 1 or sum(sizes) > 0.5 * len(sizes) * kib * 1024, "as few as can be"
    with pytest.raises(UsageError, match="does not hold the largest picture"):
        cut(images, source, tmp_path / "none", 0.01)


def test_the_annotations_are_those_of_the_packed_pictures(packed: Path, folder: Path) -> None:
    read = {image.file: image for shard in read_index(folder) for image in shard.images}
    for image in images_of(packed):
        mine = read[image.file.relative_to(packed / "train")]
        assert (mine.width, mine.height, mine.labelled) == (image.width, image.height, image.labelled)
        assert mine.weight == image.weight and np.array_equal(mine.boxes, image.boxes)


def filled_by(shards: list[Shard]) -> Store:
    store = Store([shard.images for shard in shards], CPU)
    with Arrivals(store, shards, len(shards), lambda _: None):
        return store


def pixels_by_name(store: Store) -> dict[str, list[int]]:
    return {
        stored.image.file.name + stored.image.file.parent.name: store.pixels[
            stored.levels[0].offset : stored.levels[-1].end
        ].tolist()
        for stored in store.images
    }


def test_the_pixels_are_those_of_the_packed_pictures(packed: Path, folder: Path) -> None:
    by_file, by_shard = filled_store(images_of(packed), CPU), filled_by(read_index(folder))
    assert by_file.pixels.shape == by_shard.pixels.shape
    assert pixels_by_name(by_file) == pixels_by_name(by_shard)


def test_levels_are_means_of_four_pixels(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (37, 50, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "one.png")
    image = TrainingImage(tmp_path / "one.png", 50, 37, np.zeros((0, 6), np.float32), (True, True), 1.0)
    store = filled_store([image], CPU)
    expected = torch.from_numpy(picture)
    for level in store.images[0].levels:
        found = store.pixels[level.offset : level.end].view(level.height, level.width, 3)
        assert torch.equal(found, expected)
        height, width = expected.shape[0] // 2, expected.shape[1] // 2
        parts = expected[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
        expected = parts.float().mean((1, 3)).round().to(torch.uint8)


def test_a_part_of_a_shard_is_not_read(folder: Path) -> None:
    (shard, *_) = read_index(folder)
    content = shard.file.read_bytes()
    shard.file.unlink()
    assert not shard.has_arrived()
    shard.file.write_bytes(content[:-1])
    assert not shard.has_arrived()
    shard.file.write_bytes(
        content[:5000].ljust(len(content), b"\0")
    )  # some programs make the whole file before they fill it
    assert not shard.has_arrived()
    shard.file.write_bytes(content)
    assert shard.has_arrived()


def test_crops_are_planned_of_what_is_there(folder: Path) -> None:
    shards = read_index(folder)
    away = [shard.file.rename(shard.file.with_suffix(".away")) for shard in shards]
    away[2].rename(shards[2].file)
    store, reported = Store([shard.images for shard in shards], CPU), list[Shard]()

    with Arrivals(store, shards, 1, reported.append) as arrivals:
        plans, rng = CropPlans(store.images, store.filled, 64, 30), random.Random(0)
        assert store.filled.tolist() == [False, False, True, False]
        assert shards_drawn_from(store, plans.plan(rng)["source"]) == {2}
        away[0].rename(shards[0].file)
        while not store.filled[0]:
            arrivals.check()
        assert shards_drawn_from(store, plans.plan(rng)["source"]) == {0, 2}
    assert reported == [shards[2], shards[0]]
    assert not [thread for thread in enumerate_threads() if thread.name.startswith("shards")]


def shards_drawn_from(store: Store, source: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> set[int]:
    places = {level.offset: stored.shard for stored in store.images for level in stored.levels}
    return {places[offset] for offset, _, width in source.reshape(-1, 3).tolist() if width}


def test_training_takes_in_late_shards_and_ends_when_it_is_told(folder: Path, tmp_path: Path) -> None:
    late = [shard.file.rename(shard.file.with_suffix(".away")) for shard in read_index(folder)[1:]]
    out, deadline = tmp_path / "mine.pt", tmp_path / "deadline"
    options = ["--out", str(out), "--deadline", str(deadline), "--save-every", "2", "--workers", "1", *TINY]
    options += ["--start", str(ROOT / "weights" / "face_plate_v2.pt")]
    command = [sys.executable, "-c", WITHOUT_PYAV, "train", str(folder), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines, arrivals = list[str](), list[str]()
        for line in running.stdout:
            lines.append(line.strip())
            if line.endswith(" shards on cpu\n"):
                arrivals.append(line.partition(":")[0])
            elif line.startswith("step "):
                load_network(out)  # whole at any time
                if len(arrivals) == 4:
                    deadline.write_text(str(int(time.time())))
                elif len(arrivals) + len(late) == 4:  # what came before is in
                    arrived = late.pop()
                    arrived.rename(arrived.with_suffix(".tar"))
    assert running.returncode == 0, lines
    assert arrivals == ["shard-00.tar", "shard-03.tar", "shard-02.tar", "shard-01.tar"]
    assert lines[-1] == f"{out}: sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("late", [False, True])
def test_a_shard_with_a_picture_that_cannot_be_read_ends_training(packed: Path, tmp_path: Path, late: bool) -> None:
    shutil.copytree(packed, tmp_path / "packed")
    out, shards = tmp_path / "mine.pt", ["shards", str(tmp_path / "packed"), str(tmp_path / "shards"), "--mib", "0.03"]
    CliRunner().invoke(main, shards)
    broken = read_index(tmp_path / "shards")[1]
    picture = tmp_path / "packed" / "train" / broken.images[0].file
    picture.write_bytes(bytes(picture.stat().st_size))
    CliRunner().invoke(main, shards)
    away = broken.file.rename(broken.file.with_suffix(".away"))

    def bring() -> None:
        while late and not out.is_file():
            time.sleep(0.01)
        away.rename(broken.file)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(bring)
        train = ["train", str(tmp_path / "shards"), "--out", str(out), "--save-every", "1", "--minutes", "1", *TINY]
        ended = CliRunner().invoke(main, train)
    assert ended.exit_code == 1
    assert ended.output.splitlines()[-1].startswith(f"Error: {broken.images[0].file}: cannot be read: ")
    if late:
        load_network(out)  # what was learnt until then is kept


def test_how_often_pictures_are_drawn_is_in_the_index(packed: Path, tmp_path: Path) -> None:
    usual = {image.file: image.weight for image in images_of(packed)}
    hard = tmp_path / "hard.jsonl"
    hard.write_text('{"file": "images/few/3.webp", "weight": 2.5, "left_out": []}\n')
    cutting = ["shards", str(packed), str(tmp_path / "shards"), "--hard", str(hard), "--faces", "1.4"]
    assert CliRunner().invoke(main, cutting).output == f"{tmp_path / 'shards'}: 36 pictures in 1 shards\n"
    (shard,) = read_index(tmp_path / "shards")
    for image in shard.images:
        factor = 2.5 if image.file == Path("images/few/3.webp") else 1.0
        assert image.weight == pytest.approx(1.4 * factor * usual[packed / "train" / image.file])
    train = ["train", str(tmp_path / "shards"), "--out", str(tmp_path / "mine.pt"), "--hard", str(hard), *TINY]
    assert "--hard and --faces are for `shards`" in CliRunner().invoke(main, train).output


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_another_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / INDEX).write_bytes(content)
    with pytest.raises(SourceError, match="is not the index of shards"):
        read_index(tmp_path)
