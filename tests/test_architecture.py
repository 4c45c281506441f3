"""The rules of the house: who may import whom, one door for each outside library, one maker of RedactedFrame."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = "blurscene_stream"
FLOORS = {  # a module imports its own room, or a lower floor
    "errors": 0,
    "credentials": 0,
    "boxes": 0,
    "streams": 0,
    "frames": 0,
    "levels": 0,
    "address": 0,
    "atomic_file": 0,
    "paths": 0,
    "own_files": 0,
    "config": 0,
    "json_lines": 0,
    "log_lines": 0,
    "machine": 0,
    "crash_report": 0,
    "source": 1,
    "detect": 1,
    "track": 1,
    "redact": 1,
    "sink": 1,
    "image": 1,
    "sidecar": 2,
    "audit": 2,
    "pipeline": 3,
    "server": 4,
    "relay": 4,
    "bulk": 4,
    "evaluate": 4,
    "verify": 4,
    "api": 4,
    "cli": 5,
    "__main__": 6,
}
OWN_MODELS = ("detect/torchvision_model", "detect/faster_rcnn", "detect/allowed_targets", "detect/nan_guard")
DOORS = {  # outside library -> the rooms that may import it
    "av": {"source", "sink"},
    "torch": {"detect/backends/torch", *OWN_MODELS},
    "torchvision": set(OWN_MODELS),
    "triton": {"detect/backends/torch/draw_triton"},
    "onnx": {"detect/backends/torch/export"},
    "onnxruntime": {"detect/backends/onnxruntime"},
    "openvino": {"detect/backends/openvino"},
    "ensemble_boxes": {"detect/ensemble"},
    "cv2": {"redact", "detect/preprocessor", "detect/contrast", "track/shot_detection", "verify/contact_sheet"},
    "PIL": {"image"},
    "hydra": {"config"},
    "omegaconf": {"config"},
    "yaml": {"config"},
    "click": {"cli"},
    "tqdm": {"cli"},
    "threading": {
        "cli/files_progress",  # a lock: each file counts its frames on its own thread
        "detect/backends/torch/layers",  # cuDNN's switch is one for all threads
        "pipeline/at_once",
        "pipeline/batching",
        "pipeline/prefetch",
        "server/jobs/runner",
        "server/places",
    },
    "queue": {"pipeline/at_once", "pipeline/prefetch", "server/jobs/runner"},
    "multiprocessing": set[str](),
    "concurrent": set[str](),
    "numpy": {
        "api",
        "boxes",
        "frames",
        "levels",
        "source",
        "detect",
        "track",
        "redact",
        "image",
        "sidecar",
        "evaluate",
        "verify",
    },
    "fontTools": {"source/scrub/font_files"},
    "matplotlib": {"evaluate/report"},
    "scipy": {"track"},
    "flask": {"server"},
    "werkzeug": {"server"},
    "gunicorn": {"server"},
    "prometheus_client": {"server/gunicorn_hooks", "server/metrics"},
}
SOURCES = sorted((ROOT / PACKAGE).rglob("*.py"))
LONGEST_MODULE_LINES = 300


def _room(path: Path) -> str:
    return path.relative_to(ROOT / PACKAGE).with_suffix("").parts[0]


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_its_own_room_or_a_lower_floor(path: Path) -> None:
    room = _room(path)
    for line, name in _imports(path):
        first, _, rest = name.partition(".")
        if first != PACKAGE or room == "__init__":
            continue
        other = rest.partition(".")[0]
        allowed = other == room or FLOORS[other] < FLOORS[room] or FLOORS[other] == FLOORS[room] == 0
        assert allowed, f"{path.name}:{line}: {room} must not import {other}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_outside_library_has_one_door(path: Path) -> None:
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    places = {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    for line, name in _imports(path):
        library = name.partition(".")[0]
        if library in DOORS:
            doors = DOORS[library]
            assert places & doors, f"{path.name}:{line}: {name} belongs to {', '.join(sorted(doors)) or 'nobody'}"
        else:
            known = {PACKAGE, *sys.stdlib_module_names}
            assert library in known, f"{path.name}:{line}: {library} is not listed in DOORS"


def _imported_modules(path: Path) -> set[Path]:
    """Modules of the package that a module imports, inside functions too, but not for type hints alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set[Path]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {_file(name) or _file(node.module) or path for name in names}
        elif isinstance(node, ast.Import):
            found |= {_file(alias.name) or path for alias in node.names}
    return found - {path}


def _file(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path in SOURCES), None)


def test_no_modules_import_one_another_in_a_circle() -> None:
    tuple(TopologicalSorter({path: _imported_modules(path) for path in SOURCES}).static_order())  # or CycleError


def test_verify_and_cli_use_no_pyav_objects() -> None:
    """PyAV's objects travel as `native`, from source to sink alone."""
    users = {
        str(path.relative_to(ROOT / PACKAGE))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "native"
    }
    assert users
    assert not {path for path in users if path.startswith(("verify/", "cli/"))}


def test_only_redact_makes_redacted_frames() -> None:
    makers = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name == "RedactedFrame":
                makers.add(_room(path))
    assert makers == {"redact"}


def test_nothing_but_detect_knows_the_names_of_the_classes() -> None:
    knowing = {
        _room(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "license_plate"
    }
    assert knowing <= {"config", "detect", "cli"}, "class names travel with the model"


def test_importing_the_package_reads_nothing_and_starts_nothing() -> None:
    script = (
        "import sys, threading, blurscene_stream\n"
        "assert threading.active_count() == 1\n"
        "heavy = {'torch', 'av', 'cv2', 'hydra', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_main_job_needs_no_torchvision() -> None:
    script = (
        "import sys\n"
        "sys.modules['torchvision'] = None\n"  # importing it now raises ImportError
        "import blurscene_stream.cli, blurscene_stream.detect\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_no_module_is_named_for_what_it_is_not() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    assert not {path.stem for path in SOURCES} & vague
    assert not {part for path in SOURCES for part in path.relative_to(ROOT).parts} & vague


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE_LINES
    assert ast.get_docstring(ast.parse(text))


def test_onnxruntime_is_loaded_where_it_is_silenced() -> None:
    """It reports to its makers from its import on, unless that is prevented before."""
    files = [path for folder in ("blurscene_stream", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")]
    loading = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    found = [str(path.relative_to(ROOT)) for path in files if loading.search(path.read_text(encoding="utf-8"))]
    assert found == ["blurscene_stream/detect/backends/onnxruntime.py"]
