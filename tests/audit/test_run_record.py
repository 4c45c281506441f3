"""What a run tells in the audit log; and a run that cannot tell it leaves nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from blurscene_stream.address import Address
from blurscene_stream.audit import FileCheck, RunRecord, append_run, check_files, verify_log
from blurscene_stream.boxes import Detections
from blurscene_stream.cli import run
from blurscene_stream.cli.verify import audit_command
from blurscene_stream.config.schema import Settings
from blurscene_stream.config.serialization import settings_sha256
from blurscene_stream.errors import BlurSceneError, CorruptInputError, SinkError, UsageError
from blurscene_stream.frames import Frame
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video, render_video
from blurscene_stream.source import Source, open_source
from tests.detectors import SquareDetector
from tests.pipeline.runs import PLAIN, solid
from tests.videos import VideoSpec, make_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def job(source: Path, folder: Path, **more: Address | bool) -> Job:
    target, log = Address(str(folder / "out.mp4")), Address(str(folder / "log.jsonl"))
    return Job(Address(str(source)), target, **{"audit": log, **more})  # type: ignore[arg-type]


def go(asked: Job, settings: Settings = PLAIN, detector: SquareDetector | None = None) -> Summary:
    return anonymize_video(asked, settings, Callbacks(), StopToken(), (detector or SquareDetector()).load)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_entry_names_input_output_program_models_and_settings(walker: Path, folder: Path) -> None:
    summary = go(job(walker, folder))
    text = (folder / "log.jsonl").read_text()
    entry = json.loads(text)  # one run: one JSON document
    assert entry["input"] == {"name": str(walker), "bytes": walker.stat().st_size, "sha256": sha256(walker)}
    out = folder / "out.mp4"
    named = {"name": str(out), "bytes": out.stat().st_size, "sha256": sha256(out), "preview": False}
    assert entry["output"] == named
    assert entry["detections"] is None
    assert entry["program"]["name"] == "blurscene-stream"
    assert [len(model["sha256"]) for model in entry["models"]] == [64]
    assert entry["settings_sha256"] == settings_sha256(PLAIN)
    assert entry["settings"]["classes"]["face"]["threshold"] == PLAIN.classes["face"].threshold
    assert entry["frames"] == 25 and entry["found"] == {"license_plate": 25} == dict(summary.found)
    assert entry["started"] <= entry["ended"] and entry["ended"].endswith("Z")
    assert summary.audit == entry["sha256"]


def test_runs_share_a_log_and_a_rendering_names_what_it_was_made_from(walker: Path, folder: Path) -> None:
    lines = folder / "found.jsonl"
    go(job(walker, folder, detections=Address(str(lines))))
    target = Address(str(folder / "again.mp4"))
    asked = Job(Address(str(walker)), target, audit=Address(str(folder / "log.jsonl")))
    render_video(asked, lines, PLAIN, Callbacks(), StopToken())
    first, second = verify_log(folder / "log.jsonl")[0]
    assert second["previous_sha256"] == first["sha256"]
    assert second["detections"]["sha256"] == sha256(lines) and second["models"] == []
    assert verify_log(folder / "log.jsonl")[1] == []


class _Meddler(SquareDetector):
    """Somebody does something to a file while the run is going on, once."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__(self._meddle_once)
        self._meddle: Callable[[], object] | None = meddle

    def _meddle_once(self, _: Sequence[Frame]) -> None:
        if self._meddle is not None:
            self._meddle()
        self._meddle = None


@pytest.mark.parametrize("what", ["replaced", "deleted"])
def test_an_input_is_attested_as_it_was_read(what: str, walker: Path, folder: Path) -> None:
    read = {"name": str(walker), "bytes": walker.stat().st_size, "sha256": sha256(walker)}
    other = make_video(folder / "other.mp4", VideoSpec(frames=3))
    meddle = walker.unlink if what == "deleted" else lambda: other.replace(walker)
    go(job(walker, folder), detector=_Meddler(meddle))
    assert json.loads((folder / "log.jsonl").read_text())["input"] == read


def test_an_input_that_is_written_to_while_it_is_read_is_not_attested(walker: Path, folder: Path) -> None:
    def append() -> None:
        with walker.open("ab") as file:
            file.write(b"\0\0\0\x08free")

    with pytest.raises(CorruptInputError, match=r"walker\.mp4: was changed while it was read"):
        go(job(walker, folder), detector=_Meddler(append))
    assert list(folder.iterdir()) == []


def test_an_input_that_is_replaced_while_it_is_opened(
    walker: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_video(folder / "other.mp4", VideoSpec(frames=3))
    opened = open_source

    def late(*given: Any) -> Source:
        other.replace(walker)
        return opened(*given)

    monkeypatch.setattr("blurscene_stream.pipeline.video.open_source", late)
    with pytest.raises(CorruptInputError, match="was replaced while it was opened"):
        go(job(walker, folder))
    assert list(folder.iterdir()) == []


def test_detections_are_attested_as_they_were_read(walker: Path, folder: Path) -> None:
    lines = folder / "found.jsonl"
    go(job(walker, folder, detections=Address(str(lines))))
    read = sha256(lines)

    def replace(_: object) -> None:
        lines.unlink(missing_ok=True)
        lines.write_text("others")

    asked = Job(Address(str(walker)), Address(str(folder / "again.mp4")), audit=Address(str(folder / "log.jsonl")))
    render_video(asked, lines, PLAIN, Callbacks(on_start=replace), StopToken())
    assert verify_log(folder / "log.jsonl")[0][1]["detections"]["sha256"] == read


class _Vandal(SquareDetector):
    """Somebody writes into the log while the run is going on."""

    def __init__(self, log: Path) -> None:
        super().__init__(self._spoil)
        self._log = log

    def _spoil(self, _: Sequence[Frame]) -> list[Detections] | None:
        self._log.write_text("mine\n")
        return None


GOOD = b'{"format": "blurscene-stream detections"}'  # nothing else is replaced by a file of detections


@pytest.mark.parametrize("beside", [False, True])
def test_a_run_that_cannot_be_recorded_leaves_nothing(beside: bool, walker: Path, folder: Path) -> None:
    more = {"detections": Address(str(folder / "found.jsonl"))} if beside else {}
    log = folder / "log.jsonl"
    with pytest.raises(SinkError, match="the last line is not a whole line of JSON; give the audit another file"):
        go(job(walker, folder, **more), detector=_Vandal(log))
    assert list(folder.iterdir()) == [log]


@pytest.mark.parametrize("beside", [False, True])
def test_an_entry_that_fails_leaves_the_old_output(beside: bool, walker: Path, folder: Path) -> None:
    """Of a run that may replace it: it is replaced only when the log tells of the new one."""
    more = {"detections": Address(str(folder / "found.jsonl"))} if beside else {}
    old = [folder / name for name in ("out.mp4", "found.jsonl")[: 1 + beside]]
    for file in old:
        file.write_bytes(GOOD)
    with pytest.raises(SinkError, match="the last line is not a whole line"):
        go(job(walker, folder, overwrite=True, **more), detector=_Vandal(folder / "log.jsonl"))
    assert sorted(folder.iterdir()) == sorted([folder / "log.jsonl", *old])
    assert {file.read_bytes() for file in old} == {GOOD}


class _Occupier(SquareDetector):
    """Somebody makes a folder of the output's name while the run is going on."""

    def __init__(self, target: Path) -> None:
        super().__init__(self._occupy)
        self._target = target

    def _occupy(self, _: Sequence[Frame]) -> None:
        self._target.mkdir(exist_ok=True)


def test_an_output_that_cannot_be_named_is_taken_back_in_the_log(
    walker: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SinkError, match="cannot be completed"):
        go(job(walker, folder, overwrite=True), detector=_Occupier(folder / "out.mp4"))
    (first, second), wrong = verify_log(folder / "log.jsonl")
    assert wrong == [] and second["withdrawn"] == first["sha256"]
    assert run(audit_command, ["verify", str(folder / "log.jsonl"), "--files"], "blurscene-stream audit") == 0
    assert "2 entries" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["input", "output", "detections", "live", "link to the input"])
def test_a_log_that_is_another_file_is_refused_before_any_work(what: str, walker: Path, folder: Path) -> None:
    found = folder / "found.jsonl"
    link = folder / "link.jsonl"
    link.symlink_to(walker)
    places = {
        "input": walker,
        "output": folder / "out.mp4",
        "detections": found,
        "live": "rtsp://user:secret@h/x",
        "link to the input": link,
    }
    detector = SquareDetector()
    before = walker.read_bytes()
    with pytest.raises(UsageError, match="audit log") as caught:
        go(job(walker, folder, audit=Address(str(places[what])), detections=Address(str(found))), detector=detector)
    assert "secret" not in str(caught.value)
    assert detector.frame_numbers == [] and walker.read_bytes() == before and list(folder.iterdir()) == [link]


def test_a_failed_run_leaves_no_entry(walker: Path, folder: Path) -> None:
    walker.write_bytes(walker.read_bytes()[:20_000])
    with pytest.raises(BlurSceneError):
        go(job(walker, folder))
    assert list(folder.iterdir()) == []


def test_a_camera_has_a_name_without_a_password_and_no_checksum(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("-").write_text("a file that is called like standard output")
    camera, pipe = Address("rtsp://user:secret@h/x?key=secret"), Address("-")
    start = datetime(2026, 1, 2, tzinfo=timezone.utc)
    ran = RunRecord(
        camera,
        pipe,
        False,
        input_file=None,
        detections=None,
        start=start,
        counts={},
    )
    entry = append_run(folder / "log.jsonl", ran, PLAIN, None)
    assert entry["input"] == {"name": "rtsp://h/x", "bytes": None, "sha256": None}
    assert entry["output"] == {"name": "-", "bytes": None, "sha256": None, "preview": False}
    assert entry["started"] == "2026-01-02T00:00:00Z"
    assert "secret" not in (folder / "log.jsonl").read_text()


def test_the_command(walker: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = go(job(walker, folder))
    log = str(folder / "log.jsonl")

    def check(*arguments: str) -> tuple[int, str]:
        code = run(audit_command, ["verify", *arguments], "blurscene-stream audit")
        return code, capsys.readouterr().out

    code, said = check(log, "--files", "--known", summary.audit)
    assert (code, said) == (0, f"PASS: {log} is as it was written, 1 entry, the last is {summary.audit}\n")
    code, said = check(log, "--known", "0" * 64)
    assert code == 4 and "there is no entry 000" in said and said.endswith(f"FAIL: {log} is not as it was written\n")
    with (folder / "out.mp4").open("ab") as file:
        file.write(b"more")
    assert check(log)[0] == 0
    code, said = check(log, "--files")
    assert code == 4 and f"{folder / 'out.mp4'}: has changed since\n" in said
    assert said.endswith(f"FAIL: {log} is as it was written; 1 of its 2 files are not\n"), "the log was not changed"
    (folder / "out.mp4").unlink()
    assert "out.mp4: is not there any more\n" in check(log, "--files")[1]
    assert check(str(folder / "none.jsonl"))[0] == 1


def test_one_file_under_several_names_is_what_the_last_run_made(
    walker: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    log = Address("log.jsonl")
    go(Job(Address(str(walker)), Address("out.mp4"), audit=log))
    go(Job(Address(str(walker)), Address("./out.mp4"), True, audit=log), settings=solid())
    (folder / "link.mp4").symlink_to("out.mp4")
    assert check_files(verify_log(log.path)[0], log.path) == FileCheck(2, ())
    go(Job(Address(str(walker)), Address("../out/link.mp4"), True, audit=log))
    assert check_files(verify_log(log.path)[0], log.path) == FileCheck(2, ())


def test_names_are_looked_up_beside_the_log_too(walker: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    go(Job(Address(str(walker)), Address("out.mp4"), audit=Address("log.jsonl")))
    monkeypatch.chdir(walker.parent)
    log = folder / "log.jsonl"
    assert check_files(verify_log(log)[0], log) == FileCheck(2, ())
    (folder / "out.mp4").unlink()
    assert check_files(verify_log(log)[0], log) == FileCheck(2, ("out.mp4: is not there any more",))
