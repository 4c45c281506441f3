"""A file of detections that does not fit the video, frame by frame, ends the run, and nothing is left."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from blurscene_stream.address import Address
from blurscene_stream.errors import BlurSceneError, DetectionError, SourceError, UsageError
from blurscene_stream.pipeline import Callbacks, Job, StopToken, render_video
from blurscene_stream.sidecar import reader
from tests.sidecar.doubles import Line, edit, lines, put, render, repeatable, write
from tests.videos import VideoSpec, make_video

LAST = 24
Edit = Callable[[list[Line]], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A video, and the text of its file of detections."""
    folder = tmp_path_factory.mktemp("written")
    source = make_video(folder / "walker.mp4", VideoSpec())
    write(source, folder / "out.mp4", folder / "out.jsonl")
    return source, (folder / "out.jsonl").read_text()


@pytest.fixture
def source(written: tuple[Path, str]) -> Path:
    return written[0]


@pytest.fixture
def file(written: tuple[Path, str], tmp_path: Path) -> Path:
    (tmp_path / "edited.jsonl").write_text(written[1])
    return tmp_path / "edited.jsonl"


def refused(kind: type[BlurSceneError], source: Path, file: Path, folder: Path, target: str = "out.mp4") -> str:
    """Render, expect exactly `kind`, and give its message: one line. Nothing new is in `folder`, and no thread more."""
    before = sorted(folder.iterdir()), threading.active_count()
    with pytest.raises(BlurSceneError) as caught:
        render(source, folder / target, file)
    assert type(caught.value) is kind, f"{type(caught.value).__name__}: {caught.value}"
    assert (sorted(folder.iterdir()), threading.active_count()) == before
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    return message


def change(line: int, **changed: object) -> Edit:
    return lambda content: content[line].update(changed)


def drop(line: int, key: str) -> Edit:
    return lambda content: content[line].pop(key)


FRAMES: dict[str, tuple[Edit, str]] = {  # what was edited -> how, what is said; all DetectionError
    "the first frame has gone": (lambda content: content.pop(1), "line 2 is for frame 1, but the input"),
    "a frame has gone": (lambda content: content.pop(14), "line 15 is for frame 14, but"),
    "the last frame has gone": (lambda content: content.pop(), "ends before frame 24; every frame needs its line"),
    "all frames have gone": (lambda content: content.__delitem__(slice(1, None)), "ends before frame 0"),
    "a frame is there twice": (lambda content: content.insert(9, content[9]), "line 11 is for frame 8"),
    "two have changed places": (lambda content: content.insert(5, content.pop(6)), "line 6 is for frame 5"),
    "one frame too many": (
        lambda content: content.append({"frame": 25, "pts": 12800, "boxes": []}),
        "line 27 is left over: the input ends with frame 24",
    ),
    "another time": (change(8, pts=3585), "line 9 is for pts 3585, but the input goes on with pts 3584"),
    "the first has another time": (change(1, pts=1), "line 2 is for pts 1"),
    "another number": (change(8, frame=17), "line 9 is for frame 17"),
    "no boxes at all": (drop(25, "boxes"), "line 26 lacks 'boxes'"),
    "boxes misspelt": (change(3, Boxes=[]), "line 4 has the unknown key 'Boxes'"),
    "a class that is not known": (
        change(20, boxes=[{"label": "cat", "xyxy": [1, 2, 3, 4]}]),
        "line 21 box 1: label must be face or license_plate, got 'cat'",
    ),
    "a wrong type": (change(20, boxes=[{"label": "face", "xyxy": "1, 2, 3, 4"}]), "line 21 box 1: xyxy must be a list"),
    "no number": (change(20, boxes=[{"label": "face", "xyxy": [1, 2, 3, float("nan")]}]), "line 21 holds NaN"),
}  # fmt: skip


@pytest.mark.parametrize("what", FRAMES)
def test_a_frame_without_an_answer(what: str, source: Path, file: Path, tmp_path: Path) -> None:
    edited, said = FRAMES[what]
    message = refused(DetectionError, source, edit(file, edited), tmp_path)
    assert message.startswith(f"{source}: {file}: ")
    assert said in message


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short(share: float, source: Path, file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    file.write_text(text[: int(len(text) * share)])
    kind = SourceError if share < 0.05 else DetectionError
    assert "is not a whole line of JSON" in refused(kind, source, file, tmp_path)


def test_a_file_without_its_last_line_end_is_whole(source: Path, file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text().removesuffix("\n"))
    assert render(source, tmp_path / "out.mp4", file).frames == 25


def test_more_behind_the_end(source: Path, file: Path, tmp_path: Path) -> None:
    kept = file.read_text()
    for more in ("x", "\n\n  {}", "\0"):
        file.write_text(kept + more)
        assert "is left over" in refused(DetectionError, source, file, tmp_path)


HEADERS: dict[str, tuple[Edit, str]] = {  # what was edited -> how, what is said; all SourceError
    "no header": (lambda content: content.pop(0), "line 1 lacks 'format'"),
    "another format": (change(0, format="coco"), "line 1 format must be 'blurscene-stream detections', got 'coco'"),
    "a later version": (change(0, format_version=2), "line 1 format_version 2 is not known, only 1"),
    "version as text": (change(0, format_version="1"), "format_version must be a whole number"),
    "no width": (drop(0, "width"), "line 1 lacks 'width'"),
    "height as text": (change(0, height="120"), "height must be a whole number from 1, got '120'"),
    "no height": (change(0, height=0), "height must be a whole number from 1, got 0"),
    "time base as a number": (change(0, time_base=0.04), "time_base must be a ratio such as '1/12800', got 0.04"),
    "time base of nothing": (change(0, time_base="1/0"), "time_base must be a ratio"),
    "huge time base": (change(0, time_base="1e999999999"), "time_base must be a ratio"),
    "unknown class": (change(0, classes=["face", "license_plate", "cat"]), "line 1 has the class 'cat', which"),
    "no class": (change(0, classes=[]), "classes must be different names, got []"),
    "a class twice": (change(0, classes=["face", "face"]), "classes must be different names"),
    "classes as numbers": (change(0, classes=[0, 1]), "classes must be different names"),
    "classes as text": (change(0, classes="face"), "classes must be a list"),
    "an area as text": (change(0, always="0,0 1,1"), "line 1 always must be a list, got '0,0 1,1'"),
    "an area as numbers": (change(0, always=[[0, 0, 1, 1]]), "always must be a list of polygons, got"),
    "no area": (change(0, always=["0,0 1,1", "0,0"]), "always must be a list of polygons such as"),
}  # fmt: skip


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_cannot_be_used(what: str, source: Path, file: Path, tmp_path: Path) -> None:
    edited, said = HEADERS[what]
    message = refused(SourceError, source, edit(file, edited), tmp_path)
    assert message.startswith(f"{file}: is no file of detections that can be used: ")
    assert said in message


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {  # what it is -> how it is made, what is said
    "not there": (lambda path: path.unlink(), "there is no such file"),
    "empty": (lambda path: path.write_bytes(b""), "line 1 is not a whole line of JSON"),
    "blank": (lambda path: path.write_bytes(b"\n \n"), "is not a whole line of JSON"),
    "a video": (lambda path: make_video(path.with_name("x.mp4"), VideoSpec(2)).rename(path), "is not a whole line"),
    "a folder": (_folder, "is a folder, a file of detections is expected"),
    "a link to itself": (_loop, "cannot be read: "),
    "one endless line": (lambda path: path.write_bytes(b"[" * (1 << 24) + b"[["), "is longer than 16,777,216 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_such_file(what: str, source: Path, file: Path, tmp_path: Path) -> None:
    make, said = OTHERS[what]
    make(file)
    message = refused(SourceError, source, file, tmp_path)
    assert message.startswith(f"{file}: ")
    assert said in message


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (VideoSpec(width=162), "is of another input than"),
        (VideoSpec(width=162), "width 160 instead of 162"),
        (VideoSpec(height=90), "height 120 instead of 90"),
        (VideoSpec(rate=30), "time_base 1/12800 instead of 1/15360"),
    ],
)
def test_another_video(spec: VideoSpec, said: str, file: Path, tmp_path: Path) -> None:
    other = make_video(tmp_path / "other.mp4", spec)
    assert said in refused(UsageError, other, file, tmp_path)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (VideoSpec(frames=20), "line 22 is left over: the input ends with frame 19"),
        (VideoSpec(frames=30), "ends before frame 25"),
        (VideoSpec(times=[*range(10), *range(11, 26)]), "line 12 is for pts 5120, but the input goes on with pts 5632"),
    ],
)
def test_another_video_of_the_same_shape(spec: VideoSpec, said: str, file: Path, tmp_path: Path) -> None:
    edit(file, lambda content: [line.pop("checksum") for line in content[1:]])
    other = make_video(tmp_path / "other.mp4", replace(spec, audio=()))
    assert said in refused(DetectionError, other, file, tmp_path)


def test_other_pictures_of_the_same_number_and_times(file: Path, tmp_path: Path) -> None:
    other = make_video(tmp_path / "other.mp4", VideoSpec(options={"crf": "40"}))
    said = refused(DetectionError, other, file, tmp_path)
    assert f"{file}: line 2 is for another picture than frame 0 of the input shows; give the input " in said
    edit(file, lambda content: [line.pop("checksum") for line in content[1:]])
    render(other, tmp_path / "out.mp4", file)


def test_a_file_that_cannot_be_read_to_its_end(
    source: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()

    class Torn:
        """A file on a disk that breaks."""

        def __init__(self, whole: BinaryIO) -> None:
            self._whole = whole
            self.close = whole.close

        def readline(self, most: int) -> bytes:
            if next(calls) == 9:
                raise OSError(5, "Input/output error")
            return self._whole.readline(most)

    opened = Path.open

    def torn(self: Path, *how: Any) -> Any:
        return Torn(cast(BinaryIO, opened(self, *how))) if self == file else opened(self, *how)

    monkeypatch.setattr(Path, "open", torn)
    assert "cannot be read any more: input/output error" in refused(SourceError, source, file, tmp_path)


def test_memory_does_not_grow_with_the_length(source: Path, file: Path, tmp_path: Path) -> None:
    """Only as much is read of a file as there are frames to judge."""
    with file.open("a") as more:
        more.write("{}\n" * 200_000)
    judgement = reader.DetectionsFile(file, repeatable())
    with judgement:
        assert judgement.file.tell() < 2000
        assert judgement._number == 1
    assert "line 27 is left over" in refused(DetectionError, source, file, tmp_path)


def test_a_live_stream(file: Path, tmp_path: Path) -> None:
    job = Job(Address("rtsp://user:secret@127.0.0.1:9/cam"), Address(str(tmp_path / "out.mp4")))
    with pytest.raises(UsageError) as caught:
        render_video(job, file, repeatable(), Callbacks(), StopToken())
    assert str(caught.value).startswith("rtsp://127.0.0.1:9/cam: a live stream cannot be rendered")


@pytest.mark.parametrize("detour", ["same", "symlink", "hard link"])
@pytest.mark.parametrize("preview", [False, True])
def test_the_file_is_not_written_over(detour: str, preview: bool, source: Path, file: Path, tmp_path: Path) -> None:
    """It may bear any ending, a video's too."""
    mark = "_NOT_ANONYMIZED" if preview else ""
    file = file.rename(tmp_path / f"out{mark}.mp4")
    target = tmp_path / f"other{mark}.mp4"
    if detour == "symlink":
        target.symlink_to(file)
    elif detour == "hard link":
        os.link(file, target)
    else:
        target = file
    kept = file.read_bytes()
    job = Job(Address(str(source)), Address(str(target).replace(mark, "")), overwrite=True, preview=preview)
    with pytest.raises(UsageError, match="file of detections and output are the same"):
        render_video(job, file, repeatable(), Callbacks(), StopToken())
    assert file.read_bytes() == kept


def test_the_input_is_not_written_over(source: Path, file: Path) -> None:
    with pytest.raises(UsageError, match="input and output are the same"):
        render(source, source, file, overwrite=True)


def test_a_header_may_hold_more(source: Path, file: Path, tmp_path: Path) -> None:
    """A note of one's own, and what a later program tells of itself."""
    header, *frames = lines(file)
    put(file, [{**header, "note": "faces of the staff removed"}, *frames])
    assert json.loads(file.read_text().splitlines()[0])["note"]
    assert render(source, tmp_path / "out.mp4", file).frames == LAST + 1
