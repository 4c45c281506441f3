"""Rendered from the file that a run has written, a video is the one of that run; what was edited is what changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from blurscene_stream.address import Address
from blurscene_stream.boxes import Origin
from blurscene_stream.config.schema import RedactMethod, Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, render_video
from tests.conftest import ROOT
from tests.detectors import SquareDetector
from tests.pipeline.runs import solid
from tests.pipeline.test_exactness import decoded
from tests.settings import changed
from tests.sidecar.doubles import Line, edit, lines, render, repeatable, write
from tests.videos import VideoSpec, audio_packets, make_video, read_video

SMALL = VideoSpec(frames=20, width=96, height=72)
IRREGULAR = [0, 40, 80, 100, 101, 140, 400, 440, 441, 480, 520, 560, 600, 610, 640, 680, 900, 901, 902, 960]
VIDEOS: dict[str, tuple[str, VideoSpec, str]] = {  # what is special -> file, how it is made, output
    "audio": ("in.mp4", SMALL, "out.mp4"),
    "two audio tracks": ("in.mkv", replace(SMALL, audio=("aac", "aac")), "out.mkv"),
    "variable rate": ("in.mkv", replace(SMALL, times=IRREGULAR, time_base=Fraction(1, 1000)), "out.mp4"),
    "turned": ("in.mp4", replace(SMALL, rotation=90), "out.mov"),
    "10 bits": ("in.mkv", replace(SMALL, codec="ffv1", pixel_format="yuv420p10le", audio=()), "out.mkv"),
    "colour, B-frames": ("in.mp4", replace(SMALL, colour=True, options={"bf": "2"}), "out.ts"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.mark.parametrize("method", RedactMethod)
@pytest.mark.parametrize("what", VIDEOS)
def test_the_same_pictures_audio_and_times_as_in_one_pass(
    what: str, method: RedactMethod, tmp_path: Path, file: Path
) -> None:
    name, spec, output = VIDEOS[what]
    source, settings = make_video(tmp_path / name, spec), Settings()
    # without loss, the pictures are what reached the encoder, whatever bytes it makes of them
    settings = changed(settings, {"redact.method": method, "encode.crf": 0})
    target, again = tmp_path / output, tmp_path / f"again_{output}"
    one = write(source, target, file, settings=settings)
    other = render(source, again, file, settings=settings)
    assert (one.frames, one.found, one.added) == (other.frames, other.found, other.added)
    assert one.frames == spec.frames and one.added > 0
    for before, after in zip(decoded(target), decoded(again), strict=True):
        assert all(np.array_equal(*planes) for planes in zip(before, after, strict=True))
    first, second = read_video(target), read_video(again)
    assert (first.times, first.rotation, first.formats) == (second.times, second.rotation, second.formats)
    for track in range(len(spec.audio)):
        assert audio_packets(again, track) == audio_packets(target, track) != []


@pytest.mark.parametrize(
    "output", ["out.mp4", "out.mov", "out.ts"]
)  # each Matroska file has a random number of its own
def test_the_same_bytes_as_in_one_pass(output: str, walker: Path, tmp_path: Path, file: Path) -> None:
    write(walker, tmp_path / output, file)
    render(walker, tmp_path / f"again_{output}", file)
    assert (tmp_path / f"again_{output}").read_bytes() == (tmp_path / output).read_bytes()


def test_the_file_holds_what_the_tracker_added(walker: Path, tmp_path: Path, file: Path) -> None:
    write(walker, tmp_path / "out.mp4", file)
    header, *frames = lines(file)
    assert [(one["frame"], one["pts"]) for one in frames] == [(number, number * 512) for number in range(25)]
    assert [one["time_s"] for one in frames] == pytest.approx([number / 25 for number in range(25)])
    assert header["classes"] == ["face", "license_plate"]
    assert (header["width"], header["height"], header["time_base"]) == (160, 120, "1/12800")
    origins = Counter(box["origin"] for one in frames for box in one["boxes"])
    assert set(origins) == {origin.name for origin in Origin} - {"extrapolated"}
    assert all(len({box["track"] for box in one["boxes"]}) == 3 for one in frames), "three objects all the time"


def test_what_was_found_at_the_end_is_held(walker: Path, tmp_path: Path, file: Path) -> None:
    class Blind(SquareDetector):
        """Sees nothing after frame 20."""

        def _find(self, frame):  # type: ignore[no-untyped-def]
            found = super()._find(frame)
            return found if frame.number <= 20 else found[np.zeros(len(found), np.bool_)]

    write(walker, tmp_path / "out.mp4", file, Blind())
    assert [box["origin"] for one in lines(file)[22:] for box in one["boxes"]] == ["extrapolated"] * 4
    render(walker, tmp_path / "again.mp4", file)
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "out.mp4").read_bytes()


def test_the_header_tells_with_what_it_was_made_and_not_from_where(walker: Path, tmp_path: Path, file: Path) -> None:
    headers = []
    for change in ("nothing", "encoder", "threshold", "cells"):
        settings = Settings()
        if change == "encoder":
            settings = changed(settings, {"encode.crf": 30})
        if change == "threshold":
            settings = changed(settings, {"classes.face.threshold": 0.3})
        if change == "cells":
            settings = changed(settings, {"redact.cells": 5})
        write(walker, tmp_path / "out.mp4", file, settings=settings, overwrite=True)
        headers.append(lines(file)[0])
        assert walker.name not in file.read_text() and str(tmp_path) not in file.read_text()
    assert headers[0]["models"] == [{"name": Settings().model.name, "sha256": Settings().model.sha256}]
    assert headers[0]["program"]["name"] == "blurscene-stream"
    sums = [header["settings_sha256"] for header in headers]
    assert sums[0] == sums[1] and len(set(sums)) == 3


def test_what_was_always_covered_is_so_again(walker: Path, tmp_path: Path, file: Path) -> None:
    settings = changed(solid(), {"areas.always": ["0,0 0.25,0.25"]})
    write(walker, tmp_path / "out.mp4", file, settings=settings)
    render(walker, tmp_path / "again.mp4", file, solid())
    assert max(_brightest(tmp_path / "again.mp4", VideoSpec(), (0, 0, 40, 30))) < 30
    twice = changed(solid(), {"areas.always": ["0.5,0 1,0.25", "0,0 0.25,0.25"]})
    render(walker, tmp_path / "more.mp4", file, twice)
    assert max(_brightest(tmp_path / "more.mp4", VideoSpec(), (80, 0, 160, 30))) < 30
    for before, after in zip(decoded(tmp_path / "out.mp4"), decoded(tmp_path / "again.mp4"), strict=True):
        assert all(np.array_equal(*planes) for planes in zip(before, after, strict=True))


def _brightest(video: Path, spec: VideoSpec, box: tuple[int, int, int, int]) -> list[int]:
    x0, y0, x1, y1 = box
    assert spec.width >= x1 and spec.height >= y1
    return [int(luma[y0:y1, x0:x1].max()) for luma in read_video(video).luma]


def _add(content: list[Line]) -> None:
    content[4]["boxes"].append({"label": "face", "xyxy": [0, 0, 160, 120]})


def _clear(content: list[Line]) -> None:
    for line in content[1:]:
        line["boxes"] = []


def _move(content: list[Line]) -> None:
    for line in content[1:]:
        for box in line["boxes"]:
            box["xyxy"] = [0, 0, 30, 30]


def test_edited_files_are_rendered_as_they_say(walker: Path, tmp_path: Path, file: Path) -> None:
    square = (0, 48, 160, 72)  # where it walks
    write(walker, tmp_path / "out.mp4", file, settings=solid())
    kept = file.read_text()
    bright: dict[str, list[int]] = {}
    for edited in (_add, _clear, _move):
        file.write_text(kept)
        edit(file, edited)
        assert render(walker, tmp_path / f"{edited.__name__}.mp4", file, solid()).frames == 25
        bright[edited.__name__] = _brightest(tmp_path / f"{edited.__name__}.mp4", VideoSpec(), square)
    assert max(bright["_add"]) < 150, "still covered in all frames"
    assert read_video(tmp_path / "_add.mp4").luma[3].max() < 30, "the box by hand covers all of frame 3"
    assert read_video(tmp_path / "_add.mp4").luma[4].max() > 90
    assert min(bright["_clear"]) > 200
    assert min(bright["_move"]) > 200 and max(_brightest(tmp_path / "_move.mp4", VideoSpec(), (0, 0, 30, 30))) < 30


def test_spaces_blank_lines_and_windows_line_ends_do_not_matter(walker: Path, tmp_path: Path, file: Path) -> None:
    write(walker, tmp_path / "out.mp4", file)
    text = file.read_text().replace(": ", " :   ").replace("\n", "\r\n\r\n").removesuffix("\r\n\r\n")
    file.write_bytes(text.encode())
    render(walker, tmp_path / "again.mp4", file)
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "out.mp4").read_bytes()


def test_the_order_of_boxes_is_kept(walker: Path, tmp_path: Path, file: Path) -> None:
    """Where they overlap it tells what is averaged over what."""
    write(walker, tmp_path / "out.mp4", file, SquareDetector())
    both = [{"label": "face", "xyxy": [20, 20, 80, 80]}, {"label": "face", "xyxy": [50, 50, 140, 110]}]
    pictures = []
    for order in (both, both[::-1]):

        def boxes(content: list[Line], order: list[Line] = order) -> None:
            for line in content[1:]:
                line["boxes"] = order

        edit(file, boxes)
        render(walker, tmp_path / "again.mp4", file, overwrite=True)
        pictures.append(read_video(tmp_path / "again.mp4").luma[9])
    assert np.any(pictures[0] != pictures[1])


def test_a_preview_shows_what_the_file_says(walker: Path, tmp_path: Path, file: Path) -> None:
    write(walker, tmp_path / "out.mp4", file)
    job = Job(Address(str(walker)), Address(str(tmp_path / "look.mp4")), preview=True)
    summary = render_video(job, file, repeatable(), Callbacks(), StopToken())
    assert summary.frames == len(read_video(tmp_path / "look_NOT_ANONYMIZED.mp4").luma) == 25


def test_rendering_needs_no_torch(walker: Path, tmp_path: Path, file: Path) -> None:
    write(walker, tmp_path / "out.mp4", file)
    script = "import sys; sys.modules['torch'] = None; from blurscene_stream.cli import main; main()"
    arguments = ["render", str(walker), str(tmp_path / "again.mp4"), "--from", str(file), "--json-log"]
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stderr.splitlines()[-1])["frames"] == 25
