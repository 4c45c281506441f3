"""Inputs that are cut short, corrupt or no video at all: the right error, and nothing is left."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from blurscene_stream.errors import BlurSceneError, CorruptInputError, SourceError
from tests.detectors import SquareDetector
from tests.pipeline.runs import anonymize, fails
from tests.videos import VideoSpec, make_video, read_video

FASTSTART = "fast.mp4"
KINDS = {  # name of the file -> what is in it
    "plain.mp4": VideoSpec(),
    FASTSTART: VideoSpec(),
    "film.mov": VideoSpec(),
    "film.mkv": VideoSpec(),
    "film.ts": VideoSpec(),
    "film.webm": VideoSpec(codec="libvpx-vp9", audio=("libopus",), options={"cpu-used": "8", "deadline": "realtime"}),
    "part2.mp4": VideoSpec(codec="mpeg4"),
    "part2.avi": VideoSpec(codec="mpeg4", audio=("mp2",)),
    "h264.avi": VideoSpec(audio=("mp2",)),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file of KINDS."""
    folder = tmp_path_factory.mktemp("films")
    for name, spec in KINDS.items():
        make_video(folder / name, spec, {"movflags": "+faststart"} if name == FASTSTART else {})
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "out.mp4"


def changed(source: Path, folder: Path, change: Callable[[bytes], bytes]) -> Path:
    copy = folder / source.name
    copy.write_bytes(change(source.read_bytes()))
    return copy


@pytest.mark.parametrize("share", [0.95, 0.6, 0.2])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_cut_short(name: str, share: float, films: Path, tmp_path: Path, target: Path) -> None:
    source = changed(films / name, tmp_path, lambda data: data[: round(len(data) * share) | 1])
    message = fails(CorruptInputError, source, target)
    assert "cut short" in message


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_of_each_kind_goes_through(name: str, films: Path, target: Path) -> None:
    assert anonymize(films / name, target).frames == KINDS[name].frames


@pytest.mark.parametrize("name", KINDS)
def test_a_picture_in_the_middle_is_overwritten(name: str, films: Path, tmp_path: Path, target: Path) -> None:
    """It is covered whole where the decoder says that it is damaged; where it gives no picture, the run ends."""
    source = changed(films / name, tmp_path, lambda data: _overwrite(films / name, data, 12))
    try:
        summary = anonymize(source, target)
    except CorruptInputError as error:
        assert "nothing was written" in str(error)
        assert not target.exists()
    else:
        assert summary.frames == KINDS[name].frames
        assert summary.covered_whole >= 1


def test_audio_whose_time_goes_back(tmp_path: Path, target: Path) -> None:
    """Two recordings in one: the error is the input's, not the output's."""
    film = make_video(tmp_path / "film.ts", VideoSpec(20))
    film.write_bytes(film.read_bytes() * 2)
    message = fails(CorruptInputError, film, target)
    assert "the time of the audio jumps back by" in message


def _overwrite(path: Path, data: bytes, number: int) -> bytes:
    """Noise in place of what the `number`th packet of the video holds."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    payload = packets[number][20:100]
    place = data.index(payload)
    return data[:place] + random.Random(number).randbytes(len(payload)) + data[place + len(payload) :]


@pytest.mark.parametrize("name", ["plain.mp4", "film.mkv", "film.ts"])
@pytest.mark.parametrize("share", [0, 1 / 3])
def test_the_file_shrinks_while_it_is_read(name: str, share: float, films: Path, tmp_path: Path, target: Path) -> None:
    source = changed(films / name, tmp_path, lambda data: data)
    length = round(source.stat().st_size * share)

    def shrink(_: object) -> None:
        if source.exists():
            os.truncate(source, length)
            source.unlink()  # the name tells nothing any more

    with pytest.raises(CorruptInputError, match=re.escape(str(source))):
        anonymize(source, target, detector=SquareDetector(shrink))
    assert not list(target.parent.iterdir())


def test_the_file_is_deleted_while_it_is_read(films: Path, tmp_path: Path, target: Path) -> None:
    source = changed(films / "film.mkv", tmp_path, lambda data: data)
    # an open file stays whole until it is closed, so that there are two good ends and no third
    detector = SquareDetector(lambda _: source.unlink(missing_ok=True))
    try:
        assert anonymize(source, target, detector=detector).frames == KINDS["film.mkv"].frames
    except CorruptInputError as error:
        assert str(source) in str(error)
        assert not list(target.parent.iterdir())


def _folder(path: Path) -> None:
    path.mkdir()


def _audio_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        track = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=1024)
        frame.sample_rate = 48_000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(track.encode(frame))
        container.mux(track.encode(None))


def _picture(path: Path) -> None:
    with av.open(str(path), "w", format="image2", container_options={"update": "1"}) as container:
        stream = container.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        frame = av.VideoFrame(32, 32, "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _header_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()  # which writes the header, though no frame follows


def _list_of_files(path: Path) -> None:
    make_video(path.with_name("part.mp4"), VideoSpec(frames=3))
    path.write_text("ffconcat version 1.0\nfile part.mp4\nfile part.mp4\n")


NO_VIDEO: dict[str, tuple[str, Callable[[Path], object], type[BlurSceneError], str]] = {
    # what it is -> its name, how it is made, the error, a part of the message
    "missing": ("gone.mp4", lambda _: None, SourceError, "no such file"),
    "long name": ("n" * 300, lambda _: None, SourceError, "cannot be read: file name too long"),
    "link to itself": ("loop.mp4", lambda path: path.symlink_to(path), SourceError, "no such file"),
    "folder": ("folder.mp4", _folder, SourceError, "is a folder"),
    "empty": ("empty.mp4", lambda path: path.write_bytes(b""), SourceError, "the file is empty"),
    "text": ("text.mp4", lambda path: path.write_text("This is no video.\n" * 99), SourceError, "cannot be read"),
    "noise": ("noise.mkv", lambda path: path.write_bytes(random.Random(1).randbytes(9999)), SourceError, "cannot be"),
    "zeros": ("zeros.ts", lambda path: path.write_bytes(bytes(9999)), SourceError, "cannot be read"),
    "one byte": ("byte.mp4", lambda path: path.write_bytes(b"x"), SourceError, "cannot be read"),
    "audio": ("audio.mp4", _audio_only, SourceError, "there is no video in it, only audio stream 0 (aac)"),
    "picture": ("picture.png", _picture, SourceError, "is a single picture"),
    "no frames": ("none.mp4", _header_only, SourceError, "there is no video in it, only nothing"),
    "list": ("list.mp4", _list_of_files, SourceError, "is a list of other files"),  # a missing part would go unseen
}


@pytest.mark.parametrize("what", NO_VIDEO)
def test_inputs_that_are_no_video(what: str, tmp_path: Path, target: Path) -> None:
    name, make, error_type, part = NO_VIDEO[what]
    make(tmp_path / name)
    message = fails(error_type, tmp_path / name, target)
    assert part in message


def test_the_file_vanishes_before_it_is_opened(
    films: Path, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = changed(films / "plain.mp4", tmp_path, lambda data: data)
    monkeypatch.setattr(Path, "exists", lambda path: path == source)
    source.unlink()
    assert "no such file" in fails(SourceError, source, target)


def test_a_raw_mjpeg_of_one_frame_is_a_video(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mjpeg", VideoSpec(1, codec="mjpeg", pixel_format="yuvj420p", audio=()))
    assert anonymize(source, tmp_path / "out.mkv").frames == 1
    assert len(read_video(tmp_path / "out.mkv").luma) == 1
