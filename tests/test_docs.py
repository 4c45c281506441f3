"""README and docs/ say what is so: links, files, commands, options, exit codes, and a site that can be built."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from blurscene_stream import errors
from blurscene_stream.cli import COMMANDS, DEFAULT_COMMAND, PROGRAM, load_command
from blurscene_stream.cli.console import STOP_SIGNALS
from blurscene_stream.verify import EXIT_CODES
from tests.config.test_settings_models import CONF

ROOT = Path(__file__).parent.parent
NAMED = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "weights/CARD.md", "scripts/training/README.md")
PAGES = [ROOT / name for name in NAMED] + sorted((ROOT / "docs").glob("*.md"))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
README_MAX_LINES = 200
OTHER_PROGRAMS_OPTIONS = {  # pip's, Python's, docker's and scripts'
    *("--index-url", "-m", "--user", "--tmpfs", "-p", "-e", "--secret", "--build-arg", "--upgrade"),
}


def _commands() -> list[tuple[str, list[str]]]:
    """Page and arguments of each call of the program in the shell blocks of all pages."""
    found: list[tuple[str, list[str]]] = []
    for page, text in TEXTS.items():
        lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        starts = [re.match(rf"{PROGRAM}|scripts/run|docker run .* {PROGRAM}(:\S+)?(?= )", line) for line in lines]
        found += [(page, shlex.split(start.string[start.end() :])) for start in starts if start]
    return found


def _shown(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _anchors(text: str) -> set[str]:
    headings = re.findall("^#+ (.*)", text, re.M)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_readme_fits_on_a_few_screens() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= README_MAX_LINES


@pytest.mark.parametrize("page", [*TEXTS, "CHANGELOG.md"])
def test_links_lead_to_files_and_headings(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]+))?\)", text):
        if "://" in target:
            continue
        linked = ((ROOT / page).parent / target) if target else ROOT / page
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), f"{target}#{anchor}"


@pytest.mark.parametrize("page", TEXTS)
def test_files_that_are_named_are_there(page: str) -> None:
    text = TEXTS[page].replace("`config/inference.yaml`", "")  # BlurScene's
    named = re.findall(r"`((?:blurscene_stream|config|weights|scripts|tests|docs|\.ci)/[\w./*-]*)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def _write_files_that_pages_name() -> None:
    (animals,) = re.findall(r"`animals.yaml`:\n\n```yaml\n(.*?)```", TEXTS["docs/models.md"], re.DOTALL)
    written = {"my.yaml": "detect: {batch_size: 2}\n", "animals.yaml": animals, "config/inference.yaml": ""}
    for model in ("face_model", "license_plate_model"):
        written |= {f"weights/{model}.yaml": CONF, f"weights/{model}.pt": ""}
        keys = f"{model}_conf: weights/{model}.yaml\n{model}_weights: weights/{model}.pt\n"
        written["config/inference.yaml"] += keys
    for name, text in written.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "arguments"), _commands(), ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_commands_are_understood(
    page: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_files_that_pages_name()
    named = arguments[:1] if arguments and arguments[0] in COMMANDS else []
    command = load_command(named[0] if named else DEFAULT_COMMAND)
    asks_for_help = not arguments or "--help" in arguments
    if isinstance(command, click.Group):  # it has no settings to show
        group = command.make_context(PROGRAM, arguments[1:])
        name, inner, rest = command.resolve_command(group, arguments[1:])
        assert inner is not None and inner.make_context(name, rest), page
        return
    given = [*arguments[len(named) :], "--show-config"]
    ended = command.main(given, prog_name=PROGRAM, standalone_mode=False)
    assert not ended, page
    assert asks_for_help or capsys.readouterr().out.startswith("device: ")


@pytest.mark.parametrize("page", TEXTS)
def test_options_that_are_named_are_in_the_help(page: str) -> None:
    commands = [load_command(name) for name in COMMANDS]
    commands += [each for group in commands if isinstance(group, click.Group) for each in group.commands.values()]
    if page in ("docs/training.md", "scripts/training/README.md"):
        from scripts.training.__main__ import main as training  # noqa: PLC0415  torch takes seconds to import

        context = click.Context(training)
        commands += [each for name in training.list_commands(context) if (each := training.get_command(context, name))]
    options = {name for each in commands for one in each.params if isinstance(one, click.Option) for name in one.opts}
    prose = re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)
    named = {text.split()[0].split("=")[0] for text in re.findall(r"`(--?[a-z][^`]*)`", prose)}
    assert named <= options | OTHER_PROGRAMS_OPTIONS | {"--help"}


def test_the_exit_codes_are_those_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \|", TEXTS["docs/exit-codes.md"], re.MULTILINE)
    stops = {errors.StoppedError("", number).exit_code for number in STOP_SIGNALS}
    codes = (
        {*EXIT_CODES.values(), errors.INTERNAL_ERROR_EXIT_CODE}
        | stops
        | {kind.exit_code for kind in _tree(errors.BlurSceneError)}
    )
    assert len(rows) == len(set(rows))
    assert {int(row) for row in rows} == codes


def _tree(kind: type[errors.BlurSceneError]) -> list[type[errors.BlurSceneError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _tree(child))]


def test_the_site_can_be_built_and_holds_every_page(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the site is built with mkdocs-material, the extra 'docs'")
    pytest.importorskip("material", reason="the site is built with mkdocs-material, the extra 'docs'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    made = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    for page in (ROOT / "docs").glob("*.md"):
        name = "index.html" if page.stem == "index" else f"{page.stem}/index.html"
        assert (tmp_path / "site" / name).is_file()
        assert page.name in (ROOT / "mkdocs.yml").read_text(), f"{page.name} is not in the navigation"
