"""What pip installs is complete: it runs from anywhere, with nothing of the checkout at hand."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.videos import VideoSpec, make_video, read_video

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds from this tree."""
    pytest.importorskip("hatchling", reason="the wheel is built with hatchling, of the extra 'dev'")
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout into which the wheel was installed, alone."""
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--target", str(folder), str(wheel))
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    subprocess.run(command, check=True, capture_output=True)


def _run(installed: Path, folder: Path, *arguments: str) -> str:
    """Run the installed program in `folder`, with a home that is not there; its stdout."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(installed),  # comes before the checkout, whose dependencies are shared
        "HOME": str(folder / "no-home"),
    }
    program = installed / "bin" / "blurscene-stream"
    ended = subprocess.run(
        [str(program), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_wheel_holds_settings_weights_and_licences(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    for folder in ("config", "weights"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
        assert files
        for path in files:
            assert f"blurscene_stream/shipped/{path.relative_to(ROOT).as_posix()}" in held
    for name in ("LICENSE", "NOTICE"):
        assert any(entry.endswith(f".dist-info/licenses/{name}") for entry in held)


def test_the_wheel_holds_the_files_of_the_page(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    files = list((ROOT / "blurscene_stream/server/static").iterdir())
    assert files
    for path in files:
        assert path.relative_to(ROOT).as_posix() in held


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {entry.split("/")[0] for entry in zipfile.ZipFile(wheel).namelist()}
    assert sorted(top for top in tops if not top.endswith(".dist-info")) == ["blurscene_stream"]


def test_the_installed_program_knows_its_settings(installed: Path, tmp_path: Path) -> None:
    shown = _run(installed, tmp_path, "--show-config", "--set", "redact=blur", "-crf", "18")
    assert "method: blur" in shown
    assert "crf: 18" in shown


def test_the_installed_program_anonymizes_with_its_own_weights(installed: Path, tmp_path: Path) -> None:
    make_video(tmp_path / "walker.mp4", VideoSpec(frames=3))
    _run(installed, tmp_path, "walker.mp4", "out.mp4", "--size", "160", "--device", "cpu")
    assert len(read_video(tmp_path / "out.mp4").luma) == 3


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "from blurscene_stream.config.files import shipped; print(shipped('weights'), shipped('config'))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    inside = installed / "blurscene_stream" / "shipped"
    assert ended.stdout.split() == [str(inside / "weights"), str(inside / "config")]
