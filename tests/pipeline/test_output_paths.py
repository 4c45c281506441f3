"""Targets that are refused, before any work is done for them; above all the input itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from blurscene_stream.address import Address
from blurscene_stream.config.schema import EncodeConfig, Settings
from blurscene_stream.errors import BlurSceneError, SinkError, UsageError
from blurscene_stream.paths import default_target, preview_target
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from tests.detectors import SquareDetector
from tests.pipeline.runs import PLAIN, anonymize, fails
from tests.videos import read_video


def _itself(walker: Path) -> Path:
    return walker


def _with_a_detour(walker: Path) -> Path:
    return Path(f"{walker.parent}/../{walker.parent.name}/./{walker.name}")


def _symlink(walker: Path) -> Path:
    link = walker.parent.parent / "link.mp4"
    link.symlink_to(walker)
    return link


def _hard_link(walker: Path) -> Path:
    link = walker.parent.parent / "link.mp4"
    os.link(walker, link)
    return link


def _link_to_the_folder(walker: Path) -> Path:
    link = walker.parent.parent / "other"
    link.symlink_to(walker.parent)
    return link / walker.name


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("other", [_itself, _with_a_detour, _symlink, _hard_link, _link_to_the_folder])
def test_the_input_under_any_name(other: Callable[[Path], Path], overwrite: bool, walker: Path) -> None:
    target = other(walker)
    message = fails(UsageError, walker, target, overwrite=overwrite)
    assert "input and output are the same" in message


@pytest.mark.parametrize("relative", ["walker.mp4", "./walker.mp4", "../in/walker.mp4"])
def test_the_input_by_a_relative_path(relative: str, walker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(walker.parent)
    assert "are the same" in fails(UsageError, walker, Path(relative), overwrite=True)
    assert "are the same" in fails(UsageError, Path(relative), walker, overwrite=True)


@pytest.mark.parametrize("through_a_link", [False, True])
def test_an_input_that_would_be_written_over_before_it_is_complete(through_a_link: bool, walker: Path) -> None:
    """The input bears the name that the output has while it is not complete."""
    source = walker.rename(walker.parent / "out.mp4.partial")
    target = walker.parent / "out.mp4"
    if through_a_link:
        link = walker.parent.parent / "link.mp4"
        link.symlink_to(target)
        target = link
    assert "are the same" in fails(UsageError, source, target)


def _folder(folder: Path) -> Path:
    (folder / "out.mp4").mkdir()
    return folder / "out.mp4"


def _existing(folder: Path) -> Path:
    (folder / "out.mp4").write_bytes(b"old")
    return folder / "out.mp4"


def _named_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "out.mp4")
    return folder / "out.mp4"


def _loop(folder: Path) -> Path:
    (folder / "out.mp4").symlink_to(folder / "out.mp4")
    return folder / "out.mp4"


REFUSED: dict[str, tuple[Callable[[Path], Path], type[BlurSceneError], str]] = {
    # what the target is -> how it is made, the error, a part of the message
    "exists": (_existing, UsageError, "exists already; use -y"),
    "folder": (_folder, UsageError, "is not a file"),
    "named pipe": (_named_pipe, UsageError, ".mp4 cannot be written to a pipe"),
    "device": (lambda _: Path("/dev/null"), UsageError, "the ending must be one of .mp4"),
    "no folder": (lambda folder: folder / "none" / "out.mp4", UsageError, "there is no folder"),
    "file as folder": (lambda folder: _existing(folder) / "out.mp4", UsageError, "there is no folder"),
    "no suffix": (lambda folder: folder / "out", UsageError, "the ending must be one of .mp4"),
    "other suffix": (lambda folder: folder / "out.avi", UsageError, "the ending must be one of .mp4"),
    "picture": (lambda folder: folder / "out.png", UsageError, "the ending must be one of .mp4"),
    "takes no files": (lambda _: Path("/proc/out.mp4"), SinkError, "/proc takes no files; choose another folder"),
    "read-only": (lambda _: Path("/sys/out.mp4"), SinkError, "choose another name or folder"),  # root may not either
    "link to itself": (_loop, UsageError, "cannot be written"),
    "long name": (lambda folder: folder / ("n" * 252 + ".mp4"), UsageError, "too long"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_targets_that_cannot_work(what: str, walker: Path, tmp_path: Path) -> None:
    make, kind, part = REFUSED[what]
    folder = tmp_path / "out"
    folder.mkdir()
    assert part in fails(kind, walker, make(folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_folder_that_may_not_be_written_to(walker: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir(mode=0o500)
    assert "permission denied" in fails(SinkError, walker, folder / "out.mp4")


def test_a_container_says_how_its_folder_can_be_written(walker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("container", "oci")
    assert fails(SinkError, walker, Path("/sys/out.mp4")).endswith(advice(os.geteuid(), Path("/sys")))
    assert "--user" not in fails(UsageError, walker, REFUSED["long name"][0](walker.parent))


def advice(user: int, folder: Path) -> str:
    start = 'start the container with --user "$(id -u):$(id -g)" -v "$PWD:/data"'
    return f"user {user} may not write to {folder}; {start}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_container_names_the_user_and_the_folder_that_was_mounted(
    walker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("container", "oci")
    with TemporaryDirectory() as mounted:  # not below pytest's own folder, which is closed to others
        folder = Path(mounted)
        folder.chmod(0o755)
        shutil.copy(walker, folder)
        monkeypatch.chdir(folder)
        os.seteuid(10001)
        try:
            line = fails(SinkError, Path(walker.name), Path("out.mp4"))
        finally:
            os.seteuid(0)
        monkeypatch.undo()
    assert line == f"out.mp4: cannot be written: permission denied; {advice(10001, folder)}"


@pytest.mark.parametrize("what", ["exists", "other suffix", "no folder"])
def test_a_refusal_takes_no_work(what: str, tmp_path: Path) -> None:
    """The input is not even there: nobody has looked."""
    fails(UsageError, tmp_path / "none.mp4", REFUSED[what][0](tmp_path))


CODECS: dict[str, tuple[str, str]] = {
    # codec -> a target that cannot hold it, a part of the message
    "h264": ("out.webm", "webm takes no h264: choose vp9 or av1"),
    "hevc": ("out.webm", "webm takes no hevc"),
    "vp9": ("out.ts", "ts takes no vp9"),
    "av1": ("out.mts", "ts takes no av1"),
    "mpeg4": ("out.mp4", "encode.codec must be auto or one of h264, hevc, vp9, av1, ffv1"),
    "none": ("out.mp4", "encode.codec must be auto or one of"),
}


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_that_a_target_cannot_hold(codec: str, walker: Path, tmp_path: Path) -> None:
    name, part = CODECS[codec]
    with pytest.raises(UsageError) as caught:
        anonymize(walker, tmp_path / name, Settings(encode=EncodeConfig(codec=codec)))
    assert part in str(caught.value)
    assert not (tmp_path / name).exists()


def preview(source: Path, target: Path | str, overwrite: bool = False) -> None:
    job = Job(Address(str(source)), Address(str(target)), overwrite, preview=True)
    anonymize_video(job, PLAIN, Callbacks(), StopToken(), SquareDetector().load)


def test_a_preview_bears_its_name_and_never_the_one_that_was_given(walker: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    preview(walker, target)
    assert not target.exists()
    marked = tmp_path / "out_NOT_ANONYMIZED.mp4"
    assert len(read_video(marked).luma) == 25
    with pytest.raises(UsageError, match="exists already"):
        preview(walker, target)
    preview(walker, marked, overwrite=True)  # is marked already
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", marked.name]


def test_a_preview_is_not_published(walker: Path) -> None:
    with pytest.raises(UsageError, match=r"^rtsp://host/live: a preview is not anonymized"):
        preview(walker, "rtsp://user:secret@host/live")


@pytest.mark.parametrize(
    ("source", "preview", "expected"),
    [
        ("a/drive.mp4", False, "a/drive_anonymized.mp4"),
        ("drive.v2.MOV", False, "drive.v2_anonymized.MOV"),
        ("drive.avi", False, "drive_anonymized.mkv"),  # AVI is not written; MKV holds all that it can
        ("drive", False, "drive_anonymized.mkv"),
        ("drive.mp4", True, "drive_NOT_ANONYMIZED.mp4"),
    ],
)
def test_the_name_of_an_output_that_is_not_given(source: str, preview: bool, expected: str) -> None:
    target = default_target(Address(source), preview)
    assert str(preview_target(target) if preview else target) == expected


def test_an_output_that_is_not_given_is_written_beside_the_input(
    walker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    again = default_target(Address(str(walker)), preview=False)
    assert Path(str(again)).parent == walker.parent
    anonymize(walker, str(again))
    fails(UsageError, walker, again.path)  # and is not replaced by the next run
