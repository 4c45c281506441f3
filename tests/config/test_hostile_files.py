"""Files that are no settings: small ones that stand for very much, endless ones, and ones that are not for a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from blurscene_stream.config import load_settings
from blurscene_stream.errors import ConfigError

LEVELS = "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcd", "bcde", strict=True)
)
FILES = {  # content -> what is said
    f"a: &a [x, x]\n{LEVELS}detect: {{size_px: *e}}": "line 5: aliases stand for too many values, write them out",
    "a: &a {b: *a}\nc: *a": "line 2: aliases stand for too many values, write them out",
    "Name of the patient: Jane Doe\nroom: 5": "holds lines that are no KEY: VALUE of a setting; see --show-config",
    "Jane Doe: 1\nJane Doe: 2": "line 2: found duplicate key",
    "x" * (17 << 20): "is larger than 16 MiB, too much for settings",
}


@pytest.mark.parametrize("content", FILES, ids=FILES.values())
def test_a_file_that_is_no_settings(content: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(config=file)
    assert str(caught.value) == f"{file}: {FILES[content]}"


def test_an_endless_file_ends() -> None:
    with pytest.raises(ConfigError, match="/dev/zero: is larger than 16 MiB"):
        load_settings(config=Path("/dev/zero"))


def test_a_few_aliases_are_well(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("classes: {face: &both {threshold: 0.2}, license_plate: *both}")
    assert load_settings(config=file).classes["license_plate"].threshold == 0.2
