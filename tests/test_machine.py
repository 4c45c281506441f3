"""Cores and memory that a process may use, with the limits of a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from blurscene_stream.machine import core_count, memory_bytes


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 12),  # no control groups at all, such as on macOS
        ({"cpu.max": "max 100000"}, 12),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "9900000 100000"}, 12),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 12),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({"cpu.max": "nonsense"}, 12),
    ],
)
def test_cores_are_those_of_the_container(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)), raising=False)
    _write(files, tmp_path)
    assert core_count(tmp_path) == cores


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(("text", "limited"), [("max", False), ("9223372036854771712", False), ("1048576", True)])
def test_memory_is_that_of_the_container(name: str, text: str, limited: bool, tmp_path: Path) -> None:
    _write({name: text}, tmp_path)
    assert memory_bytes(tmp_path) == (1 << 20 if limited else memory_bytes(tmp_path / "none"))
    assert memory_bytes(tmp_path / "none") > 1 << 26


def _write(files: dict[str, str], folder: Path) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text}\n")
