"""Where values come from, which of them wins, and what must not matter."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from blurscene_stream.config.files import shipped
from blurscene_stream.config.load import load_settings, resolve_settings
from blurscene_stream.config.overrides import overrides_from_options
from blurscene_stream.config.schema import ClassConfig, RedactMethod, Settings, Shape
from blurscene_stream.errors import ConfigError
from tests.processes import PATIENCE_S


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("detect: {size_px: 640, batch_size: 2}\nredact: {method: blur, min_margin_px: 9}\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "conf"
    (path / "redact").mkdir(parents=True)
    (path / "config.yaml").write_text("defaults: [{redact: coarse}, _self_]\nqueue_frames: 3\n")
    (path / "redact" / "coarse.yaml").write_text("defaults: [mosaic, _self_]\ncells: 2\n")
    return path


def changed(sources: dict[str, str]) -> dict[str, str]:
    return {key: source for key, source in sources.items() if source != "default"}


def test_nothing_given_is_the_defaults() -> None:
    loaded = resolve_settings()
    assert loaded.settings == Settings()
    assert changed(dict(loaded.sources)) == {}


def test_an_option_wins_over_set_over_file_over_defaults(file: Path) -> None:
    loaded = resolve_settings(
        ["detect.batch_size=3", "detect.size_px=700"], config=file, options=overrides_from_options({"--size": 800})
    )
    detect = loaded.settings.detect
    assert (detect.size_px, detect.batch_size, detect.merge.iou_threshold) == (800, 3, 0.5)
    assert changed(dict(loaded.sources)) == {
        "detect.size_px": "option --size",
        "detect.batch_size": "--set detect.batch_size=3",
        "redact.method": str(file),
        "redact.min_margin_px": str(file),
    }


def test_overrides_may_be_a_mapping_of_python_values(file: Path) -> None:
    values = {"redact": "solid", "detect.variants.scales": (1, 0.5), "classes.face": {"shape": Shape.ellipse}}
    settings = load_settings(values, config=file)
    assert settings.redact.method is RedactMethod.solid and settings.redact.min_margin_px == 9
    assert settings.detect.variants.scales == (1.0, 0.5)
    assert settings.classes["face"].shape is Shape.ellipse
    assert resolve_settings(values).sources["redact.method"] == "overrides"
    with pytest.raises(ConfigError, match=r"^overrides: redact.cells must be a whole number in 1\.\.6.*, got 64$"):
        load_settings({"redact.cells": 64})
    with pytest.raises(ConfigError, match=r"^overrides must be a mapping or a list of KEY=VALUE"):
        load_settings("redact=solid")


def test_the_last_override_of_a_key_wins() -> None:
    assert load_settings(["queue_frames=2", "queue_frames=5"]).queue_frames == 5


def test_a_choice_wins_over_the_file_and_leaves_its_other_keys(file: Path) -> None:
    loaded = resolve_settings(["redact=solid"], config=file)
    assert loaded.settings.redact.method is RedactMethod.solid
    assert loaded.settings.redact.min_margin_px == 9
    assert loaded.sources["redact.method"] == "--set redact=solid"


def test_a_value_wins_over_a_choice_whatever_their_order() -> None:
    for overrides in (["redact=solid", "redact.solid_luma=99"], ["redact.solid_luma=99", "redact=solid"]):
        assert load_settings(overrides).redact.solid_luma == 99


def test_a_section_can_be_set_at_once() -> None:
    detect = load_settings(["detect={size_px: 99, precision: fp32}"]).detect
    assert (detect.size_px, detect.precision.name) == (99, "fp32")


def test_a_section_with_every_line_commented_out_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("detect:\n#  size_px: 99\nclasses:\n  face:\n")
    assert load_settings(config=tmp_path / "a.yaml") == Settings()


def test_a_folder_of_the_user_may_lack_keys_and_groups(folder: Path) -> None:
    loaded = resolve_settings(config=folder)
    assert (loaded.settings.redact.cells, loaded.settings.queue_frames) == (2, 3)
    assert changed(dict(loaded.sources)) == {
        "redact.method": "config/redact/mosaic.yaml",
        "redact.cells": f"{folder}/redact/coarse.yaml",
        "queue_frames": f"{folder}/config.yaml",
    }


@pytest.mark.parametrize("choice", ["coarse", "mosaic", "solid", "blur"])
def test_a_choice_is_found_in_both_folders(folder: Path, choice: str) -> None:
    loaded = resolve_settings([f"redact={choice}"], config=folder)
    assert loaded.settings.redact.method.name == {"coarse": "mosaic"}.get(choice, choice)
    assert loaded.settings.redact.cells == (2 if choice == "coarse" else 6)
    assert loaded.sources["redact.method"] == f"--set redact={choice}"


def test_a_group_can_be_chosen_that_the_users_defaults_do_not_have(folder: Path) -> None:
    (folder / "config.yaml").write_text("queue_frames: 3\n")
    assert load_settings(["redact=coarse"], config=folder).redact.cells == 2


def test_a_group_of_the_user_may_hold_keys_of_any_section(folder: Path) -> None:
    (folder / "camera").mkdir()
    (folder / "camera" / "door.yaml").write_text("# @package _global_\ndetect: {size_px: 99}\n")
    assert load_settings(["camera=door"], config=folder).detect.size_px == 99


def test_a_choice_wins_over_the_folders_config_yaml(folder: Path) -> None:
    (folder / "config.yaml").write_text("defaults: [_self_]\nredact: {method: blur}\n")
    assert load_settings(["redact=solid"], config=folder).redact.method is RedactMethod.solid


def test_a_folder_with_signs_in_its_name_is_found(folder: Path) -> None:
    odd = folder.rename(folder.parent / "it's [a=b], $x \\ ü")
    assert load_settings(["redact=solid"], config=odd).redact.method is RedactMethod.solid


def composed_by_hydra(folder: Path, choices: list[str]) -> Settings:
    with initialize_config_dir(str(folder), version_base="1.3"):
        composed = OmegaConf.to_container(compose("config", choices))
    assert isinstance(composed, dict)
    return load_settings({str(key): value for key, value in composed.items()})


@pytest.mark.parametrize("choices", [[], ["redact=solid"], ["redact=blur"], ["model=face_plate_v2", "redact=mosaic"]])
def test_our_composition_is_hydras(choices: list[str]) -> None:
    assert composed_by_hydra(shipped("config"), choices) == load_settings(choices)


def test_hydra_composes_the_other_model_with_the_margins_that_config_yaml_sets() -> None:
    """Its composition does not tell what is a default."""
    choice = ["model=face_plate_v1"]
    ours, theirs = load_settings(choice), composed_by_hydra(shipped("config"), choice)
    assert replace(theirs, classes=ours.classes) == ours
    assert [found.margin for found in theirs.classes.values()] == [0.4, 0.3]


FOLDER = {
    "redact/coarse.yaml": "defaults: [fine, _self_]\ncells: 2\n",
    "redact/fine.yaml": "method: solid\ncells: 5\nmin_margin_px: 7\n",
    "redact/sharp.yaml": "defaults: [_self_, fine]\ncells: 1\n",
    "detect/day.yaml": "defaults: [{merge: strict}]\nsize_px: 640\n",
    "detect/merge/strict.yaml": "iou_threshold: 0.9\n",
    "camera/door.yaml": "# @package _global_\nqueue_frames: 9\ndetect: {size_px: 99}\n",
    "base.yaml": "queue_frames: 5\ntrack: {max_gap_s: 0.1}\n",
}


@pytest.mark.filterwarnings("ignore:In 'config'. Defaults list is missing")
@pytest.mark.parametrize("choices", [[], ["redact=fine"], ["redact=sharp"]])
@pytest.mark.parametrize(
    "defaults",
    [
        "[{redact: coarse}, _self_]",
        "[_self_, {redact: coarse}]",
        "[{redact: sharp}, base]",
        "[base, {detect: day}, {redact: fine}, {camera: door}]",
        "[_self_, {camera: door}, {detect: day}, {redact: coarse}, base]",
    ],
)
def test_defaults_lists_are_expanded_as_by_hydra(tmp_path: Path, defaults: str, choices: list[str]) -> None:
    for name, text in FOLDER.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "config.yaml").write_text(f"defaults: {defaults}\nqueue_frames: 3\nredact: {{cells: 4}}\n")
    ours, theirs = load_settings(choices, config=tmp_path), composed_by_hydra(tmp_path, choices)
    assert ours == theirs or choices  # a choice wins over the folder's config.yaml here, wherever _self_ stands there
    assert replace(ours, redact=theirs.redact) == theirs


def test_a_model_brings_its_own_classes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("model: {classes: [head]}\nclasses: {head: {threshold: 0.5}}\n")
    loaded = resolve_settings(["classes.head.margin=0.3"], config=tmp_path / "a.yaml")
    assert loaded.settings.classes == {"head": ClassConfig(threshold=0.5, margin=0.3)}
    assert "classes.face.margin" not in loaded.sources


def test_the_working_folder_and_the_environment_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config" / "redact").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_text("queue_frames: 1\n")
    (tmp_path / "config.yaml").write_text("queue_frames: 1\n")
    (tmp_path / "config" / "redact" / "mosaic.yaml").write_text("cells: 1\n")
    monkeypatch.chdir(tmp_path)
    for name in ("HYDRA_FULL_ERROR", "QUEUE_FRAMES", "DEVICE", "HYDRA_MAIN_MODULE"):
        monkeypatch.setenv(name, "1")
    assert load_settings() == Settings()
    assert load_settings(["redact=mosaic"]) == Settings()


def test_a_relative_path_is_meant_from_the_working_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    loaded = resolve_settings(config=Path("mine.yaml"))
    assert loaded.settings.detect.size_px == 640
    assert loaded.sources["detect.size_px"] == "mine.yaml"


def test_an_edited_default_is_named_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in shipped("config").rglob("*.yaml"):
        copy = tmp_path / "config" / path.relative_to(shipped("config"))
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text().replace("size_px: 1280", "size_px: 640"))
    monkeypatch.setattr("blurscene_stream.config.load.shipped", lambda name: tmp_path / name)
    loaded = resolve_settings()
    assert loaded.settings.detect.size_px == 640
    assert changed(dict(loaded.sources)) == {"detect.size_px": "config/config.yaml"}


def test_an_edited_default_wins_over_the_margins_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copytree(shipped("config"), tmp_path / "config")
    file = tmp_path / "config" / "config.yaml"
    file.write_text(file.read_text().replace("margin: 0.4", "margin: 0.6").replace("margin: 0.3", "margin: 0.7"))
    monkeypatch.setattr("blurscene_stream.config.load.shipped", lambda name: tmp_path / name)
    assert [found.margin for found in load_settings().classes.values()] == [0.6, 0.7]


def test_loading_imports_no_hydra() -> None:
    code = "import sys; from blurscene_stream.config import load_settings; load_settings(['redact=solid']); "
    code += "print({'hydra', 'omegaconf', 'torch', 'numpy'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_several_threads_load_each_its_own(file: Path) -> None:
    found: dict[int, Settings] = {}

    def load(size_px: int) -> None:
        config = file if size_px % 2 else None
        choice = "solid" if size_px % 3 else "blur"
        found[size_px] = load_settings([f"detect.size_px={size_px}", f"redact={choice}"], config=config)

    sizes = range(100, 112)
    threads = [threading.Thread(target=load, args=(size_px,), daemon=True) for size_px in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for size_px in sizes:
        assert found[size_px].detect.size_px == size_px
        assert found[size_px].detect.batch_size == (2 if size_px % 2 else 4)
        assert found[size_px].redact.method.name == ("solid" if size_px % 3 else "blur")
