"""BLURSCENE_* variables are a layer between config files and --set, checked like every other one."""

import subprocess
import sys
from pathlib import Path

import pytest

from blurscene_stream.config.keys import LEAVES
from blurscene_stream.config.load import load_settings, resolve_settings
from blurscene_stream.config.overrides import overrides_from_options
from blurscene_stream.config.schema import RedactMethod, Settings
from blurscene_stream.errors import ConfigError

SECRET = "hunter2hunter2"


def show_config(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blurscene_stream", "--show-config", *arguments]
    return subprocess.run(
        command, check=False, env={**environment, "PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )


def test_set_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("detect: {size_px: 640, batch_size: 2}\nqueue_frames: 3\n")
    variables = {"BLURSCENE_DETECT__SIZE_PX": "700", "BLURSCENE_DETECT__BATCH_SIZE": "5", "BLURSCENE_DEVICE": "cpu"}
    loaded = resolve_settings(
        ["detect.size_px=800"],
        config=tmp_path / "a.yaml",
        environment=variables,
        options=overrides_from_options({"--device": "cuda"}),
    )
    detect = loaded.settings.detect
    assert (detect.size_px, detect.batch_size, loaded.settings.queue_frames) == (800, 5, 3)
    assert loaded.settings.device == "cuda"
    assert loaded.sources["detect.batch_size"] == "environment BLURSCENE_DETECT__BATCH_SIZE"


@pytest.mark.parametrize("key", [key for key in LEAVES if "*" not in key])
def test_every_setting_has_a_variable(key: str) -> None:
    name = "BLURSCENE_" + key.replace(".", "__").upper()
    with pytest.raises(ConfigError, match=f"^environment {name}: {key} must be .*, got"):
        load_settings(environment={name: "[{}]"})


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("BLURSCENE_REDACT__METHOD", "solid", lambda settings: settings.redact.method is RedactMethod.solid),
        ("BLURSCENE_REDACT", "solid", lambda settings: settings.redact.method is RedactMethod.solid),
        ("BLURSCENE_MODEL", "face_plate_v1", lambda settings: settings.model.name == "face_plate_v1"),
        ("BLURSCENE_DETECT", "{size_px: 99, precision: fp32}", lambda settings: settings.detect.size_px == 99),
        (
            "BLURSCENE_DETECT__VARIANTS__SCALES",
            "[1, 0.5]",
            lambda settings: settings.detect.variants.scales == (1, 0.5),
        ),
        ("BLURSCENE_CLASSES__LICENSE_PLATE__THRESHOLD", "0.1", lambda s: s.classes["license_plate"].threshold == 0.1),
        ("BLURSCENE_LOGGING__FORMAT", "'%(levelname)s %(message)s'", lambda s: s.logging.format.startswith("%(level")),
        ("BLURSCENE_AREAS__ROI", "['0,0 1,1']", lambda settings: settings.areas.roi == ("0,0 1,1",)),
        ("BLURSCENE_ENCODE__CRF", "null", lambda settings: settings == Settings()),
    ],
)
def test_a_value_is_yaml_as_for_set(name: str, text: str, found: object) -> None:
    assert callable(found) and found(load_settings(environment={name: text}))


def test_a_value_in_a_section_wins_over_the_section() -> None:
    variables = {"BLURSCENE_DETECT__SIZE_PX": "700", "BLURSCENE_DETECT": "{size_px: 99, batch_size: 2}"}
    detect = load_settings(environment=variables).detect
    assert (detect.size_px, detect.batch_size) == (700, 2)


def test_a_choice_of_set_wins_over_a_value_of_the_environment() -> None:
    variables = {
        "BLURSCENE_REDACT__METHOD": "blur",
        "BLURSCENE_REDACT__SOLID_LUMA": "99",
        "BLURSCENE_MODEL": "face_plate_v1",
    }
    loaded = resolve_settings(["redact=solid", "model=face_plate_v2"], environment=variables)
    assert loaded.settings.redact.method is RedactMethod.solid
    assert loaded.settings.model == Settings().model
    assert loaded.sources["redact.method"] == "--set redact=solid"


def test_a_group_of_the_users_folder_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "camera").mkdir()
    (tmp_path / "config.yaml").write_text("queue_frames: 3\n")
    (tmp_path / "camera" / "door.yaml").write_text("# @package _global_\ndetect: {size_px: 99}\n")
    variables = {"BLURSCENE_CONFIG": str(tmp_path), "BLURSCENE_CAMERA": "door"}
    assert load_settings(environment=variables).detect.size_px == 99


def test_the_config_of_the_command_line_stands_in_for_that_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "env.yaml").write_text("queue_frames: 3\ndetect: {size_px: 99}\n")
    (tmp_path / "own.yaml").write_text("queue_frames: 5\n")
    variables = {"BLURSCENE_CONFIG": str(tmp_path / "env.yaml")}
    assert load_settings(environment=variables).detect.size_px == 99
    assert load_settings(config=tmp_path / "own.yaml", environment=variables).detect.size_px == 1280


@pytest.mark.parametrize(
    ("name", "text", "refusal"),
    [
        ("BLURSCENE_DETECT__SIZE_PX", "7", "detect.size_px must be a whole number in 32..8192, got 7"),
        ("BLURSCENE_DEVICE", "", "device must be auto, cpu, cuda or cuda:N, got ''"),
        ("BLURSCENE_DEVICE", "${HOME}", "device holds '${HOME}': a value must be written out, ${...} is not filled in"),
        ("BLURSCENE_REDACT", "sold", "redact must be one of blur, mosaic, solid, got 'sold'"),
        (
            "BLURSCENE_CLASSES__FASE__MARGIN",
            "1",
            "unknown key 'classes.fase.margin'; did you mean 'classes.face.margin'?",
        ),
        ("BLURSCENE_CONFIG", "", "must be the path of a file or folder, got ''"),
        ("BLURSCENE_DETECT__SIZ_PX", SECRET, "there is no such setting; did you mean BLURSCENE_DETECT__SIZE_PX?"),
        ("BLURSCENE_DETECT_SIZE_PX", SECRET, "there is no such setting; did you mean BLURSCENE_DETECT__SIZE_PX?"),
        ("BLURSCENE_detect__size_px", SECRET, "there is no such setting; did you mean BLURSCENE_DETECT__SIZE_PX?"),
        ("BLURSCENE_TOKENS", SECRET, "there is no such setting; did you mean BLURSCENE_TOKEN?"),
        (
            "BLURSCENE_QX",
            SECRET,
            "there is no such setting; BLURSCENE_DETECT__SIZE_PX is detect.size_px, and so on; "
            "reserved are BLURSCENE_CONFIG, BLURSCENE_TOKEN, BLURSCENE_TORCH",
        ),
        ("BLURSCENE_DEVICE", f"{SECRET}: [", "must be one YAML value, such as 12, solid, [a, b] or '%(message)s'"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(name: str, text: str, refusal: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve_settings(environment={name: text})
    assert str(refused.value) == f"environment {name}: {refusal}"


def test_the_program_shows_the_variable_and_no_token() -> None:
    ended = show_config({"BLURSCENE_DETECT__SIZE_PX": "960", "BLURSCENE_TOKEN": SECRET, "BLURSCENE_TORCH": "torch"})
    assert "  size_px: 960   # environment BLURSCENE_DETECT__SIZE_PX" in ended.stdout.splitlines()
    assert SECRET not in ended.stdout + ended.stderr


def test_the_program_refuses_an_unknown_variable() -> None:
    ended = show_config({"BLURSCENE_DEVISE": SECRET})
    assert ended.returncode == 2
    refusal = "environment BLURSCENE_DEVISE: there is no such setting; did you mean BLURSCENE_DEVICE?"
    assert ended.stderr == f"blurscene-stream: error: {refusal}\n"
