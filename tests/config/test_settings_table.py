"""The settings table in docs/settings.md is the schema's."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from blurscene_stream.config.keys import LEAVES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings_table", ROOT / "scripts" / "settings_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["settings_table.py", *arguments])
    return int(script.main())


def test_the_table_has_a_line_for_each_setting(script: ModuleType) -> None:
    lines = script.table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == list(LEAVES)
    assert all(line.replace("\\|", "").count("|") == 5 for line in lines)
    assert (
        "| `detect.size_px` | `1280` | a whole number in 32..8192 | "
        "longer side of the network's input; larger finds smaller objects |"
    ) in lines


def test_a_stale_table_is_found_and_written_anew(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- settings -->\nold\n<!-- /settings -->\nafter\n")
    assert run(script, monkeypatch, "--check", str(readme)) == 1
    assert "out of date" in capsys.readouterr().out
    assert run(script, monkeypatch, "--write", str(readme)) == 0
    assert run(script, monkeypatch, "--check", str(readme)) == 0
    text = readme.read_text()
    assert text.startswith("before\n<!-- settings -->\n| Setting |")
    assert text.endswith("|\n<!-- /settings -->\nafter\n")


def test_the_readme_is_up_to_date(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(script, monkeypatch, "--check", str(ROOT / "docs" / "settings.md")) == 0


def test_a_file_without_the_table_is_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("no markers\n")
    with pytest.raises(ValueError, match="no <!-- settings -->"):
        run(script, monkeypatch, "--check", str(tmp_path / "README.md"))
