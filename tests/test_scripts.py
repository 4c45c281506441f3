"""Scripts do what README says of them, and the repository holds nothing of a machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).parent.parent
SHELL_SCRIPTS = ("scripts/run", "scripts/test", "scripts/lock", "scripts/try_container", ".ci/run")
# In two halves, so that this file does not hold what it looks for.
MACHINE_PATHS = ("/wor" + "k/", "/ro" + "ot/", "/ho" + "me/", "/Use" + "rs/", "/tmp/" + "venv", "/opt/" + "pypi")
REGISTRY_HOSTS = (
    "files.python" + "hosted.org",
    "pypi.org/" + "simple",
    "deb.debian" + ".org",
    "registry.npm" + "js.org",
)


@pytest.mark.parametrize("script", SHELL_SCRIPTS)
def test_shell_scripts_can_be_run(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111, "not executable"
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    checkout = _copy_of_scripts(tmp_path)
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\n[ "$1" = -V ]\n', encoding="utf-8")
    old.chmod(0o755)
    ended = _run_script(checkout, old)
    assert ended.returncode == 1
    assert (
        ended.stderr
        == "run: Python 3.9.2 is too old, 3.10 or newer is needed; name another one with PYTHON=python3.12\n"
    )


def test_a_python_without_venv_is_refused_in_one_line(tmp_path: Path) -> None:
    checkout = _copy_of_scripts(tmp_path)
    bare = tmp_path / "bare-python"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', encoding="utf-8")
    bare.chmod(0o755)
    ended = _run_script(checkout, bare)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "apt install python3-venv" in ended.stderr


def _copy_of_scripts(folder: Path) -> Path:
    """A checkout with nothing in it but scripts/run, so that the real .venv is left alone."""
    (folder / "checkout" / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", folder / "checkout")
    return Path(shutil.copy(ROOT / "scripts" / "run", folder / "checkout" / "scripts"))


def _run_script(script: Path, python: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHON": str(python)}
    return subprocess.run(
        [str(script), "in.mp4", "out.mp4"], env=environment, capture_output=True, text=True, check=False
    )


def test_the_demo_clip_is_a_video_with_audio(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the demo's picture comes with scikit-image, the extra 'demo'")
    from scripts.demo_clip import FRAME_RATE, HEIGHT, SECONDS, WIDTH, write_clip  # noqa: PLC0415

    write_clip(tmp_path / "demo.mp4")
    with av.open(str(tmp_path / "demo.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (WIDTH, HEIGHT, SECONDS * FRAME_RATE)
        audio = container.streams.audio[0]
        assert audio.duration is not None and audio.time_base is not None
        assert abs(float(audio.duration * audio.time_base) - SECONDS) < 0.1


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        if (path := ROOT / name).is_file() and path.suffix not in (".jpg", ".png", ".pt", ".onnx"):
            text = path.read_text(encoding="utf-8")
            found += [f"{name}: {word}" for word in (*MACHINE_PATHS, *REGISTRY_HOSTS) if word in text]
            found += [
                f"{name}: {url}" for url in re.findall(r"index-url[ =]+(https?://\S+)", text) if "pytorch" not in url
            ]
    assert found == []
