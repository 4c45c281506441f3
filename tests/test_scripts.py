"""The front door keeps its promises: scripts, README, and what the repository holds."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import av
import click
import pytest

from blurscene_stream import errors
from blurscene_stream.cli import COMMANDS, PROGRAM
from blurscene_stream.verify import EXIT_CODES
from tests.config.test_settings_models import CONF

ROOT = Path(__file__).parent.parent
VIDEO = COMMANDS["video"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL_SCRIPTS = ("scripts/run", "scripts/test", ".ci/run")
# In two halves, so that this file does not hold what it looks for.
MACHINE_PATHS = ("/wor" + "k/", "/ro" + "ot/", "/ho" + "me/", "/Use" + "rs/", "/tmp/" + "venv", "/opt/" + "pypi")
REGISTRY_HOSTS = (
    "files.python" + "hosted.org",
    "pypi.org/" + "simple",
    "deb.debian" + ".org",
    "registry.npm" + "js.org",
)


def _readme_commands() -> list[list[str]]:
    """The arguments of each call of the program in README's shell blocks."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    starts = [(line, re.match(rf"{PROGRAM}|scripts/run|docker run .* {PROGRAM}(:\S+)?(?= )", line)) for line in lines]
    return [shlex.split(line[start.end() :]) for line, start in starts if start]


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


def test_the_demo_clip_is_a_video_with_sound(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the demo's picture comes with scikit-image, the extra 'demo'")
    from scripts.demo_clip import FRAME_RATE, HEIGHT, SECONDS, WIDTH, write_clip  # noqa: PLC0415

    write_clip(tmp_path / "demo.mp4")
    with av.open(str(tmp_path / "demo.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (WIDTH, HEIGHT, SECONDS * FRAME_RATE)
        sound = container.streams.audio[0]
        assert sound.duration is not None and sound.time_base is not None
        assert abs(float(sound.duration * sound.time_base) - SECONDS) < 0.1


def test_readme_names_only_files_that_are_there() -> None:
    linked = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    named = re.findall(
        r"`((?:blurscene_stream|config|weights|scripts|tests|docs|\.ci)/[\w./*-]*)`",
        README.replace("`config/inference.yaml`", ""),  # BlurScene's
    )
    assert linked and named
    assert [name for name in (*linked, *named) if not (ROOT / name).exists()] == []


def test_readme_links_to_its_own_headings() -> None:
    headings = {
        re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-") for text in re.findall("^#+ (.*)", README, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def _write_files_that_readme_names() -> None:
    (animals,) = re.findall(r"`animals.yaml`:\n\n```yaml\n(.*?)```", README, re.DOTALL)
    written = {"my.yaml": "detect: {batch_size: 2}\n", "animals.yaml": animals, "config/inference.yaml": ""}
    for model in ("face_model", "license_plate_model"):
        written |= {f"weights/{model}.yaml": CONF, f"weights/{model}.pt": ""}
        keys = f"{model}_conf: weights/{model}.yaml\n{model}_weights: weights/{model}.pt\n"
        written["config/inference.yaml"] += keys
    for name, text in written.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("arguments", _readme_commands(), ids=" ".join)
def test_readme_commands_are_understood(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_files_that_readme_names()
    named = arguments[:1] if arguments and arguments[0] in COMMANDS else []
    command = COMMANDS[named[0]] if named else VIDEO
    asks_for_help = not arguments or "--help" in arguments
    if isinstance(command, click.Group):  # it has no settings to show
        group = command.make_context(PROGRAM, arguments[1:])
        name, inner, rest = command.resolve_command(group, arguments[1:])
        assert inner is not None and inner.make_context(name, rest)
        return
    given = [*arguments[len(named) :], "--show-config"]
    ended = command.main(given, prog_name=PROGRAM, standalone_mode=False)
    assert not ended
    assert asks_for_help or capsys.readouterr().out.startswith("device: ")


def test_options_that_readme_names_are_in_the_help() -> None:
    inner = [each for group in COMMANDS.values() if isinstance(group, click.Group) for each in group.commands.values()]
    commands = [*COMMANDS.values(), *inner]
    options = {name for each in commands for one in each.params if isinstance(one, click.Option) for name in one.opts}
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    named = {text.split()[0] for text in re.findall(r"`(--?[a-z][^`]*)`", prose)}
    assert named
    assert named <= options


def test_readme_has_the_exit_codes_of_the_errors() -> None:
    _, _, section = README.partition("## Exit codes")
    rows = re.findall(r"^\| (\d+) \|", section.split("\n## ")[0], re.MULTILINE)
    stops = {errors.StoppedError("", number).exit_code for number in (2, 15)}
    codes = (
        {*EXIT_CODES.values(), errors.INTERNAL_ERROR_EXIT_CODE}
        | stops
        | {kind.exit_code for kind in _tree(errors.BlurSceneError)}
    )
    assert len(rows) == len(set(rows))
    assert {int(row) for row in rows} == codes


def _tree(kind: type[errors.BlurSceneError]) -> list[type[errors.BlurSceneError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _tree(child))]


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        if (path := ROOT / name).is_file() and path.suffix not in (".png", ".pt"):
            text = path.read_text(encoding="utf-8")
            found += [f"{name}: {word}" for word in (*MACHINE_PATHS, *REGISTRY_HOSTS) if word in text]
            found += [
                f"{name}: {url}" for url in re.findall(r"index-url[ =]+(https?://\S+)", text) if "pytorch" not in url
            ]
    assert found == []
