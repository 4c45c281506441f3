"""Of a picture made of two moments neither shows what is covered, and it is still coded as two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from blurscene_stream.config.schema import Settings
from blurscene_stream.streams import FieldOrder
from tests.exact.clips import Clip, make_clip
from tests.exact.media_properties import media_properties
from tests.pipeline.runs import anonymize, solid
from tests.settings import changed
from tests.videos import GREY, YELLOW, VideoSpec, read_video

Picture = NDArray[np.uint8]
SIDE, TOP = 20, 14  # of the object, and the first row in which it is: not the first of a block of chroma
STEP = 6  # how far it moves from field to field


def noise(number: int, spec: VideoSpec) -> Picture:
    values = np.random.default_rng(number).integers(GREY - 20, GREY + 20, (spec.height, spec.width, 1))
    return np.repeat(values.astype(np.uint8), 3, axis=2)


def place(number: int, field: int) -> int:
    """The left edge of the object in a field of a picture."""
    return 4 + (2 * number + field) * STEP % 60


def moving(number: int, spec: VideoSpec) -> Picture:
    """Each field shows the object elsewhere."""
    made = noise(number, spec)
    for row in range(TOP, TOP + SIDE):
        left = place(number, row % 2)
        made[row, left : left + SIDE] = YELLOW
    return made


def flashing(number: int, spec: VideoSpec) -> Picture:
    """Only the field of the even rows shows it, such as under a flash."""
    made = noise(number, spec)
    for row in range(TOP, TOP + SIDE, 2):
        made[row, place(number, 0) : place(number, 0) + SIDE] = YELLOW
    return made


SCENES: dict[str, tuple[Callable[[int, VideoSpec], Picture], tuple[int, ...]]] = {
    "it moves from field to field": (moving, (0, 1)),
    "it is in one field alone": (flashing, (0,)),
}


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, tuple[int, ...]]:
    """A video, and which fields show the object."""
    draw, fields = SCENES[request.param]
    clip = Clip(tuple(range(6)), codec="ffv1", size=(96, 48), audio=(), field_order=FieldOrder.top_first, draw=draw)
    return make_clip(tmp_path / "in.mkv", clip), fields


def samples(plane: VideoPlane) -> Picture:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]


def test_one_colour_covers_luma_and_chroma_of_both_fields(scene: tuple[Path, tuple[int, ...]]) -> None:
    """In 4:2:0 the chroma rows of each field lie between those of the other (ISO/IEC 13818-2, 6.1.1.8)."""
    source, fields = scene
    target = source.with_name("out.mkv")
    anonymize(source, target, solid())
    with av.open(str(target)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            luma, *chromas = map(samples, frame.planes)
            for row in range(TOP, TOP + SIDE):
                left = place(number, row % 2 if row % 2 in fields else fields[0])
                assert len(np.unique(luma[row, left : left + SIDE])) == 1, f"frame {number}, row {row}"
                for chroma in chromas:
                    own = chroma[row // 4 * 2 + row % 2, left // 2 : (left + SIDE) // 2]
                    assert len(np.unique(own)) == 1, f"frame {number}, chroma of row {row}"


def test_the_cells_of_a_mosaic_hold_both_fields(scene: tuple[Path, tuple[int, ...]]) -> None:
    """Were the fields told apart, every row would differ from the next."""
    source, fields = scene
    settings = Settings()
    settings = changed(settings, {"encode.crf": 0})
    target = source.with_name("out.mkv")
    anonymize(source, target, settings)
    for number, luma in enumerate(read_video(target).luma):
        for field in fields:
            inside = luma[TOP : TOP + SIDE, place(number, field) : place(number, field) + SIDE].astype(int)
            assert np.any(np.diff(inside, axis=0), axis=1).sum() <= settings.redact.cells
    assert media_properties(target).properties["field_order"] == "T" * 6


CONTAINERS = {  # -> as it is written: top field first, bottom field first
    "mp4": (b"fiel\x02\x01", b"fiel\x02\x06"),  # QuickTime File Format, field handling: two fields, and their order
    "mov": (b"fiel\x02\x01", b"fiel\x02\x06"),
    "mkv": (b"\x9d\x81\x01", b"\x9d\x81\x06"),  # FieldOrder, RFC 9559
}


@pytest.mark.parametrize("target", CONTAINERS)
@pytest.mark.parametrize("fields", [FieldOrder.top_first, FieldOrder.bottom_first])
def test_the_container_says_what_the_encoder_cannot(target: str, fields: FieldOrder, tmp_path: Path) -> None:
    """H.265 has no pictures of two fields; a player may still look at the container."""
    source = make_clip(tmp_path / "in.mkv", Clip(tuple(range(4)), audio=(), field_order=fields))
    settings = Settings()
    settings = changed(settings, {"encode.codec": "hevc", "encode.preset": "ultrafast"})
    anonymize(source, tmp_path / f"out.{target}", settings)
    top, bottom = (order in (tmp_path / f"out.{target}").read_bytes() for order in CONTAINERS[target])
    assert (top, bottom) == (fields is FieldOrder.top_first, fields is FieldOrder.bottom_first)
