"""Start-up: help, version and refusals load no heavy library; a run says that it loads the model before it does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blurscene_stream.cli import COMMANDS
from tests.conftest import ROOT
from tests.detect.needs import need
from tests.videos import VideoSpec, make_video

HEAVY = {
    "torch",
    "torchvision",
    "openvino",
    "onnxruntime",
    "scipy",
    "av",
    "cv2",
    "numpy",
    "hydra",
    "omegaconf",
    "tqdm",
    "PIL",
    "matplotlib",
}
SCRIPT = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules}))))
sys.argv = ["blurscene-stream", *sys.argv[1:]]
from blurscene_stream.cli import main
main()
"""


def run_program(folder: Path, *arguments: str) -> tuple[int, str, set[str]]:
    """Run the command line; return its exit code, the last line of stderr and the top-level modules that it loaded."""
    program = [sys.executable, "-c", SCRIPT, *arguments]
    ended = subprocess.run(
        program, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr.strip().rpartition("\n")[2], set(json.loads(ended.stdout.splitlines()[-1]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of the names that the arguments hold; none of them is opened."""
    for name in ("in.mp4", "out.mp4", "in.png", "out.png", "found.jsonl"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("audit", "verify", "--help")], ids=" ".join)
def test_version_and_help_load_no_heavy_library(arguments: tuple[str, ...], folder: Path) -> None:
    code, _, modules = run_program(folder, *arguments)
    assert code == 0
    assert modules & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_no_heavy_library(command: str, folder: Path) -> None:
    code, _, modules = run_program(folder, command, "--help")
    assert code == 0
    assert modules & HEAVY == set()


REFUSALS = [  # arguments, exit code, the message
    (("--tresh", "0.3", "in.mp4"), 2, "No such option"),
    (("video", "-y"), 2, "INPUT is missing"),
    (("vidoe", "out.mp4", "-y"), 1, "vidoe: there is no such file"),
    (("none.mp4", "new.mp4"), 1, "none.mp4: there is no such file"),
    (("in.mp4", "out.mp4"), 2, "out.mp4: exists already; use -y to replace it"),
    (("in.mp4", "in.mp4"), 2, "input and output are the same"),
    (("in.mp4", "new.gif"), 2, ".mp4 .m4v"),
    (("in.mp4", "none/new.mp4"), 2, "there is no folder none"),
    (
        ("--thresh", "1.5", "in.mp4", "new.mp4"),
        2,
        "--thresh: classes.face.threshold must be a number in [0, 1), got '1.5'",
    ),
    (("--size", "large", "in.mp4", "new.mp4"), 2, "detect.size_px must be a whole number in 32..8192, got 'large'"),
    (("--device", "tpu", "in.mp4", "new.mp4"), 2, "option --device: device must be auto, cpu, cuda or cuda:N"),
    (("--replacewith", "glitter", "in.mp4", "new.mp4"), 2, "'mosaic', 'solid', 'blur'"),
    (("--roi", "1 2", "in.mp4", "new.mp4"), 2, "option --roi: areas.roi must be a list of polygons"),
    (("render", "in.mp4", "new.mp4"), 2, "--from FILE is missing"),
    (("render", "in.mp4", "out.mp4", "--from", "found.jsonl"), 2, "out.mp4: exists already"),
    (("picture", "none.png", "new.png"), 1, "none.png: there is no such file"),
    (("picture", "in.png", "out.png"), 2, "out.png: exists already"),
    (("detect", "--quiet"), 2, "PICTURE is missing"),
    (("detect", "none.png"), 1, "none.png: there is no such file"),
    (("evaluate", "-y"), 2, "give either DATASET or --video"),
    (("evaluate", "none"), 1, "none: there is no such file or folder"),
    (("verify", "in.mp4"), 2, "OUTPUT is missing"),
    (("verify", "in.mp4", "none.mp4"), 1, "none.mp4: there is no such file"),
    (("verify", "in.mp4", "out.mp4", "--json", "found.jsonl"), 2, "found.jsonl: exists already"),
    (("audit", "verfy"), 2, "No such command"),
    (("export", "-y"), 2, "MODEL is missing"),
    (("export", "face_plate_v1"), 2, "OUT is missing"),
    (("export", "face_plate_v1", "new.pt"), 2, "new.pt: the ending must be .onnx or .xml"),
    (("inspect", "none.mp4"), 1, "none.mp4: there is no such file"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSALS, ids=[" ".join(row[0]) for row in REFUSALS])
def test_a_refusal_loads_no_heavy_library(arguments: tuple[str, ...], code: int, message: str, folder: Path) -> None:
    ended, line, modules = run_program(folder, *arguments)
    assert (ended, message in line) == (code, True), line
    assert modules & HEAVY == set()


def test_a_setting_by_its_key_is_refused_before_the_network_is_loaded(folder: Path) -> None:
    code, line, modules = run_program(folder, "--set", "detect.sise_px=9", "in.mp4", "new.mp4")
    assert (code, "did you mean 'detect.size_px'" in line) == (2, True), line
    assert modules & {"torch", "scipy", "av", "cv2", "numpy"} == set()


@pytest.mark.parametrize("flags", [(), ("--json-log",), ("--quiet",)], ids=" ".join)
def test_a_run_says_that_it_loads_the_model_before_it_does(flags: tuple[str, ...], folder: Path) -> None:
    """The libraries that are loaded for a run are taken away, so that it ends there."""
    script = f"import sys; sys.modules['av'] = None; sys.modules['torch'] = None; {SCRIPT}"
    ended = subprocess.run(
        [sys.executable, "-c", script, *flags, "in.mp4"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 70
    *before, error = ended.stderr.splitlines()
    assert "ModuleNotFoundError" in error
    message = "in.mp4 -> in_anonymized.mp4: loading the model"
    if flags == ("--json-log",):
        assert [(line["event"], line["message"]) for line in map(json.loads, before)] == [("loading", message)]
    else:
        assert before == ([] if flags else [message])


def test_the_package_runs_as_a_module(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "blurscene_stream", "--version"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("blurscene-stream, version ")


RUN = """
import atexit, gc, json, sys, threading
from blurscene_stream.cli.progress import Progress
at_frame, add_frame = [], Progress.add_frame
def note(self, frame):
    at_frame.append([gc.isenabled(), gc.get_freeze_count() > 10_000])
    add_frame(self, frame)
Progress.add_frame = note
def report():
    print(json.dumps([sorted(sys.modules), at_frame, [thread.name for thread in threading.enumerate()]]))
atexit.register(report)
sys.argv = ["blurscene-stream", *sys.argv[1:]]
from blurscene_stream.cli import main
main()
"""


def run_and_report(folder: Path, *arguments: str) -> tuple[int, str, list[str], list[list[bool]]]:
    """Run the command line; return exit code, stderr, loaded modules, and of each frame what is said of garbage."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    modules, at_frame, threads = json.loads(ended.stdout.splitlines()[-1])
    assert threads == ["MainThread"]
    return ended.returncode, ended.stderr, modules, at_frame


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_video(tmp_path / "film.mp4", VideoSpec(3, 64, 48))


def test_a_video_loads_no_more_than_it_needs_and_collects_garbage_again(film: Path) -> None:
    need("openvino")
    code, errors, modules, at_frame = run_and_report(film.parent, "--fast", "film.mp4", "out.mp4")
    assert (code, at_frame) == (0, [[True, True]] * 3), errors
    assert "openvino" in modules
    assert not {"PIL", "torch", "importlib.metadata", "openvino.tools.ovc", "openvino_telemetry.main"} & set(modules)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("empty.mp4 out.mp4", 1, "empty.mp4: the file is empty"),
        ("film.mp4 out.webm -c:v h264", 2, "webm takes no h264"),
        ("film.mp4 out.mp4", 2, "the sha256 of these weights begins with"),
    ],
)
def test_a_bad_input_or_output_is_refused_before_a_bad_model(
    arguments: str, code: int, message: str, film: Path
) -> None:
    """Though the model is loaded beside: nothing is written, and no thread is left."""
    need("openvino")
    (film.parent / "empty.mp4").touch()
    before = sorted(film.parent.iterdir())
    wrong = ("--set", f"model.onnx_sha256={64 * 'a'}", "--set", "detect.precision=fp32")
    ended, errors, _, _ = run_and_report(film.parent, *arguments.split(), *wrong)
    assert message in errors.splitlines()[-1], errors
    assert ended == code
    assert sorted(film.parent.iterdir()) == before


def test_what_loads_networks_early_does_not_wait_for_opencv() -> None:
    script = "import sys, blurscene_stream.detect.loading; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
