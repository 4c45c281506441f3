"""An output file has its final name only when it is complete, and files of other programs are kept."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blurscene_stream.atomic_file import AtomicFile, partial_path
from blurscene_stream.errors import SinkError, StoppedError, UsageError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.pipeline import Callbacks
from blurscene_stream.sink.encoder_presets import X264
from tests.pipeline.runs import anonymize, fails
from tests.videos import read_video


def test_only_the_partial_file_is_there_while_it_is_written(walker: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    seen: list[list[str]] = []
    callbacks = Callbacks(on_frame=lambda _: seen.append(sorted(path.name for path in tmp_path.iterdir())))
    anonymize(walker, target, callbacks=callbacks)
    assert set(map(tuple, seen)) == {("in", "out.mp4.partial")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.mp4"]


def _killed(target: Path) -> Path:
    """What a run leaves that is killed on the spot."""
    with AtomicFile(target, overwrite=False) as file:
        left = file.path.rename(file.path.with_suffix(".left"))
    return left.rename(partial_path(target))


def test_what_a_killed_run_has_left_is_replaced_with_y_alone(
    walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "out.mp4"
    left = _killed(target)
    if not (hasattr(os, "listxattr") and os.listxattr(left)):
        pytest.skip("no extended attributes here")
    anonymize(walker, target)
    assert len(read_video(target).luma) == 25
    assert left.exists()
    assert f"{left}: is left of a run that was killed, or not ours, and is not touched" in caplog.text
    anonymize(walker, target, overwrite=True)
    assert len(read_video(target).luma) == 25
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.mp4"]
    assert not os.listxattr(target), "a complete file bears no mark"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_of_somebody_else_under_the_partial_name_stays(
    overwrite: bool, walker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a download, which may be a video that begins as ours do."""
    target, left = tmp_path / "out.mp4", tmp_path / "out.mp4.partial"
    left.write_bytes(walker.read_bytes()[:3000])
    before = left.stat()
    anonymize(walker, target, overwrite=overwrite)
    assert len(read_video(target).luma) == 25
    assert os.path.samestat(before, left.stat()) and left.read_bytes() == walker.read_bytes()[:3000]
    assert f"{left}: is left of a run that was killed, or not ours, and is not touched" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.mp4", "out.mp4.partial"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("link", [os.link, os.symlink, lambda _, place: os.mkfifo(place)])
def test_a_link_in_place_of_the_partial_file_is_not_written_through(
    link: Callable[[Path, Path], None], overwrite: bool, walker: Path, tmp_path: Path
) -> None:
    precious, place = tmp_path / "precious", tmp_path / "out.mp4.partial"
    precious.write_bytes(b"precious")
    link(precious, place)
    before = place.lstat()
    anonymize(walker, tmp_path / "out.mp4", overwrite=overwrite)
    assert len(read_video(tmp_path / "out.mp4").luma) == 25
    assert precious.read_bytes() == b"precious"
    assert os.path.samestat(before, place.lstat())


@pytest.mark.parametrize("frame", [0, 24])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_file_that_is_put_in_place_of_the_partial_file_does_not_become_the_output(
    name: str, frame: int, walker: Path, tmp_path: Path
) -> None:
    """As by `mv raw.mp4 out.mp4.partial`, at any time."""
    target = tmp_path / name
    raw = tmp_path / "raw.mp4"
    raw.write_bytes(walker.read_bytes())

    def swap(redacted: RedactedFrame) -> None:
        if redacted.number == frame:
            raw.replace(partial_path(target))

    with pytest.raises(SinkError, match=f"put its own file in the place of {name}.partial; nothing was left"):
        anonymize(walker, target, callbacks=Callbacks(on_frame=swap))
    assert not target.exists()
    assert partial_path(target).read_bytes() == walker.read_bytes(), "it is not ours to delete"


def test_a_file_that_is_put_in_place_at_the_last_moment_gets_its_name_back(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "out", overwrite=False) as file:
        replace = Path.replace

        def swapped(path: Path, final: Path) -> Path:
            if path == file.path:
                path.unlink()
                path.write_bytes(b"raw")
            return replace(path, final)

        with pytest.MonkeyPatch.context() as patched, pytest.raises(SinkError, match="its own file in the place"):
            patched.setattr(Path, "replace", swapped)
            file.commit()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.partial": b"raw"}


def test_two_runs_do_not_write_one_file(walker: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    refused: list[str] = []

    def second(_: object) -> None:
        if not refused:
            with pytest.raises(SinkError) as caught:
                anonymize(walker, target)
            refused.append(str(caught.value))

    assert anonymize(walker, target, callbacks=Callbacks(on_frame=second)).frames == 25
    assert refused == [f"{target}: another run is writing it; wait for its end or choose another name"]
    assert len(read_video(target).luma) == 25


@pytest.mark.parametrize("end", [lambda partial: partial.unlink(), lambda partial: partial.rename(f"{partial}.other")])
def test_a_run_that_ends_between_opening_and_locking(
    end: Callable[[Path], object], walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is on a file that has lost its name: it protects nothing."""
    target = tmp_path / "out" / "out.mp4"
    target.parent.mkdir()
    flock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        end(partial_path(target))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(SinkError, match="another run is writing it"):
        anonymize(walker, target)
    assert not target.exists()
    assert not partial_path(target).exists()


def test_a_file_that_appears_while_another_is_written_is_kept(walker: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "out.mp4"

    def appear(_: object) -> None:
        target.write_bytes(b"precious")

    with pytest.raises(SinkError, match="is not replaced"):
        anonymize(walker, target, callbacks=Callbacks(on_frame=appear))
    assert target.read_bytes() == b"precious"
    assert not partial_path(target).exists()


def test_a_link_stays_a_link(walker: Path, tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real.mp4", tmp_path / "link.mp4"
    real.parent.mkdir()
    link.symlink_to(real)
    anonymize(walker, link)  # leads nowhere yet
    assert link.is_symlink()
    assert len(read_video(real).luma) == 25
    with pytest.raises(UsageError, match="exists already"):
        anonymize(walker, link)
    before = real.stat().st_ino
    anonymize(walker, link, overwrite=True)
    assert link.is_symlink()
    assert real.stat().st_ino != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "in", "link.mp4"]


def test_stopped_when_it_is_too_late(walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has its name: to say that nothing was left would be a lie."""
    target = tmp_path / "out.mp4"
    fsync = os.fsync

    def stop(descriptor: int) -> None:
        fsync(descriptor)
        if target.exists():
            raise StoppedError("stopped by SIGTERM; nothing was left", 15)

    monkeypatch.setattr(os, "fsync", stop)
    assert anonymize(walker, target).frames == 25
    assert len(read_video(target).luma) == 25


def test_the_data_are_on_the_disk_before_the_name(
    walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        fsync(descriptor)
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, (tmp_path / "out.mp4").exists()))

    monkeypatch.setattr(os, "fsync", spy)
    anonymize(walker, tmp_path / "out.mp4")
    assert synced == [("out.mp4.partial", False), (tmp_path.name, True)]


def test_a_name_that_may_not_last_is_taken_back(walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder cannot be flushed to the disk: nothing is left, as the error says."""
    target = tmp_path / "out" / "out.mp4"
    target.parent.mkdir()
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if target.exists():
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    assert "input/output error; nothing was left" in fails(SinkError, walker, target)


def test_an_error_is_not_hidden_by_the_clearing_up_after_it(
    walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the partial file can be deleted, on a disk that has become read-only."""
    (tmp_path / "out").mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SinkError, match=r"out\.mp4: cannot be completed: read-only file system"):
        anonymize(walker, tmp_path / "out" / "out.mp4")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["out.mp4.partial"]


NAMES = (
    "-y.mp4",
    "% d %03d.mp4",
    "a:b?c#d.mp4",
    "'quoted' \"twice\".mp4",
    "ünï ßcode 影.mkv",
    "http:/x.mp4",
    ".mp4.ts",
    "concat:a.mp4",
    "rtsp:x.mp4",
    "file:x.mp4",
    "pipe:1.mkv",
    "two\nlines\r\x1b[2J.mp4",
    "caf\u00e9.mp4",
    "cafe\u0301.mp4",  # the same to the eye, and another file
    "\U0001f468\u200d\U0001f469\u200d\U0001f467.mp4",
    "n" * 251 + ".mp4",
    "影" * 83 + "n.mp4",  # 254 bytes
    "n" * 244 + ".mp4",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_to_others(name: str, walker: Path, tmp_path: Path) -> None:
    """Options, patterns, protocols of libav: a name is a name, of an input and of an output."""
    target = tmp_path / "out" / name
    target.parent.mkdir(parents=True)
    anonymize(walker, target)
    assert anonymize(target, tmp_path / "again.mp4").frames == 25


def test_the_partial_file_of_a_long_name_has_a_name_of_its_own(tmp_path: Path) -> None:
    """It fits, it is the same in the next run, and two targets do not share one."""
    names = ["n" * length + end for length in (240, 243, 244, 247, 251) for end in (".mp4", ".mkv")]
    names += ["影" * 80 + f"{number}.mp4" for number in range(10)]
    partials = [partial_path(tmp_path / name).name for name in names]
    assert len(set(partials)) == len(names)
    assert all(len(os.fsencode(partial)) <= 255 and partial.endswith(".partial") for partial in partials)
    assert partials == [partial_path(tmp_path / name).name for name in names]


def test_a_name_that_is_no_text(walker: Path, tmp_path: Path) -> None:
    target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4"))
    anonymize(walker, target)
    assert anonymize(target, tmp_path / "again.mp4").frames == 25


def test_nothing_is_left_of_an_encoder_that_does_not_open(
    walker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setitem(X264.fixed_options, "profile", "nonsense")
    message = fails(SinkError, walker, tmp_path / "out" / "out.mp4")
    assert "libx264 does not open for 160x120 pictures as yuv420p: invalid argument; choose another" in message
