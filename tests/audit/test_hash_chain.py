"""The file of the audit log: whatever is done to it afterwards shows."""

from __future__ import annotations

import json
import multiprocessing
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from blurscene_stream.audit import hash_chain
from blurscene_stream.audit.hash_chain import append, check_log, verify_log
from blurscene_stream.errors import SinkError, SourceError, UsageError
from tests.profiles import examples

FOUR = [{"found": {"face": number}, "name": "straße.mp4", "seconds": 1 / 3} for number in range(4)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log of four entries."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    for content in FOUR:
        append(path, content)
    return path.read_bytes()


def problems(content: bytes, folder: Path, known: str | None = None) -> list[str]:
    path = folder / "looked_at.jsonl"
    path.write_bytes(content)
    return verify_log(path, known)[1]


def test_what_was_written_is_whole_and_says_what_it_was_given(written: bytes, tmp_path: Path) -> None:
    assert problems(written, tmp_path) == []
    entries, _ = verify_log(tmp_path / "looked_at.jsonl")
    assert [{key: entry[key] for key in FOUR[0]} for entry in entries] == FOUR
    assert [entry["previous_sha256"] for entry in entries] == [None, *[entry["sha256"] for entry in entries[:-1]]]


@examples(300, suppress=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_that_changes_shows(written: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """But for white space and ways of writing the same, which change nothing that is said."""
    place = data.draw(st.integers(0, len(written) - 1))
    changed = bytearray(written)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        same = [json.loads(line) for line in bytes(changed).split(b"\n")[:-1]] == [
            json.loads(line) for line in written.split(b"\n")[:-1]
        ] and changed.endswith(b"\n")
    except ValueError:
        same = False
    assert bool(problems(bytes(changed), tmp_path)) == (not same)


@pytest.mark.parametrize("order", [(1, 2, 3), (0, 2, 3), (0, 1, 1, 2, 3), (0, 2, 1, 3), (), (0, 1, 2, 3, 0)])
def test_lines_that_are_removed_moved_or_there_twice_show(
    order: tuple[int, ...], written: bytes, tmp_path: Path
) -> None:
    lines = written.splitlines(keepends=True)
    assert problems(b"".join(lines[number] for number in order), tmp_path)


def test_a_cut_shows_by_the_checksum_that_was_noted(written: bytes, tmp_path: Path) -> None:
    lines = written.splitlines(keepends=True)
    last = json.loads(lines[-1])["sha256"]
    assert problems(written[:-5], tmp_path), "a line that is cut"
    assert problems(b"".join(lines[:3]), tmp_path) == [], "the rest is a whole log"
    assert "there is no entry" in problems(b"".join(lines[:3]), tmp_path, last)[0]
    assert problems(written, tmp_path, last) == []


def _several(path: Path, who: int) -> None:
    for number in range(10):
        append(path, {"who": who, "number": number})


def test_several_programs_may_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    spawned = multiprocessing.get_context("spawn")
    writers = [spawned.Process(target=_several, args=(path, who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(50)
        assert writer.exitcode == 0
    entries, wrong = verify_log(path)
    assert wrong == []
    assert sorted((entry["who"], entry["number"]) for entry in entries) == [(w, n) for w in range(4) for n in range(10)]


@pytest.mark.parametrize("room_bytes", [0, 100, 1500, 2600, 9000])
def test_a_disk_that_is_full_leaves_the_log_as_it_was(room_bytes: int, tmp_path: Path) -> None:
    """An entry is about 3 kB, less than what Python holds back, and longer ones are written in several steps."""
    path = tmp_path / "log.jsonl"
    append(path, {"long": "x" * 2500})
    written, limit = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    for length in (2500, 10_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(written) + min(room_bytes, length), limit[1]))
        try:
            with pytest.raises(SinkError, match=r"log\.jsonl: cannot be written: file too large; it is as it was"):
                append(path, {"long": "y" * length})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert path.read_bytes() == written
    append(path, {"long": "x" * 10_000})
    assert verify_log(path)[1] == []


def test_a_log_that_could_not_be_begun_can_be_begun_later(tmp_path: Path) -> None:
    path, limit = tmp_path / "log.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(SinkError, match="file too large"):
            append(path, {"long": "x" * 2500})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    append(path, {"long": "x" * 2500})
    assert verify_log(path)[1] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not JSON\n", "the last line is not a whole line of JSON; give the audit another file"),
        (b'{"a": 1}\n', "the last line lacks 'format'"),
        (b'{"format": "blurscene-stream audit", "format_version": 1, "entry"', "the last line is cut short"),
    ],
)
def test_a_file_of_another_kind_is_not_added_to(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        check_log(path)
    with pytest.raises(SinkError, match=said):
        append(path, {})
    assert path.read_bytes() == content


def test_an_entry_that_was_changed_is_not_added_to(written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(written.replace(b'"face": 3', b'"face": 0'))
    with pytest.raises(UsageError, match="the last line was changed after it was written"):
        check_log(path)


def test_places_that_cannot_be(tmp_path: Path) -> None:
    check_log(tmp_path / "new.jsonl")
    for path, said in ((tmp_path / "none" / "log.jsonl", "there is no folder"), (tmp_path, "is not a file")):
        with pytest.raises(UsageError, match=said):
            check_log(path)
    with pytest.raises(SourceError, match="there is no such file"):
        verify_log(tmp_path / "new.jsonl")
    (tmp_path / "empty.jsonl").touch()
    check_log(tmp_path / "empty.jsonl")
    assert verify_log(tmp_path / "empty.jsonl")[1] == [f"{tmp_path / 'empty.jsonl'}: holds no entry"]
    assert hash_chain.FORMAT == "blurscene-stream audit"
