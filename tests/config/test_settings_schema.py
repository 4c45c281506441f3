"""The schema: every key has its effect, and config/*.yaml says the same as the dataclasses."""

import copy
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import cast

import pytest

from blurscene_stream.config import schema
from blurscene_stream.config.files import read_yaml, shipped
from blurscene_stream.config.keys import LEAVES, expand_classes, schema_key
from blurscene_stream.config.load import load_settings, resolve_settings
from blurscene_stream.config.schema import (
    PAIR_KEYS,
    ClassConfig,
    DetectConfig,
    KeepConfig,
    MergeConfig,
    ModelConfig,
    RedactConfig,
    RedactMethod,
    Settings,
    VariantsConfig,
    class_configs,
)
from blurscene_stream.errors import ConfigError

OTHER = {  # a value that is not the default, for each key
    "device": "cpu",
    "queue_frames": "3",
    "files_at_once": "3",
    "model.name": "mine",
    "model.weights": "mine.pt",
    "model.sha256": "'" + "a" * 64 + "'",
    "model.onnx_sha256": "'" + "b" * 64 + "'",
    "model.int8_sha256": "'" + "c" * 64 + "'",
    "model.classes": "[head]",
    "model.labels": "[3, 1]",
    "model.thresholds": "[0.4, 0.3]",
    "model.margins": "[0.4, 0.2]",
    "model.network": "{_target_: torch.nn.Identity}",
    "model.with_amp": "true",
    "model.input.width_px": "640",
    "model.input.height_px": "480",
    "model.input.pad_rgb": "[1, 2, 3]",
    "classes.*.enabled": "false",
    "classes.*.threshold": "0.7",
    "classes.*.margin": "0",
    "classes.*.shape": "ellipse",
    "source.video_stream": "1",
    "source.max_pixels": "100",
    "source.threads": "3",
    "detect.size_px": "640",
    "detect.batch_size": "1",
    "detect.backend": "torch",
    "detect.precision": "fp32",
    "detect.on_device": "false",
    "detect.threads": "2",
    "detect.variants.mirror_image": "true",
    "detect.variants.enlarged_regions_n": "3",
    "detect.variants.region_overlap": "0.5",
    "detect.variants.scales": "[1, 0.5]",
    "detect.variants.reduced_min_size_px": "32",
    "detect.variants.rotations": "[90, 270]",
    "detect.variants.rotation_check_interval_s": "2.5",
    "detect.merge.method": "ensemble_wbf",
    "detect.merge.iou_threshold": "0.9",
    "detect.merge.area_method": "int",
    "detect.merge.pre_merge_score_threshold": "0.1",
    "detect.merge.post_merge_score_threshold": "0.1",
    "detect.merge.soft_nms_sigma": "0.1",
    "track.enabled": "false",
    "track.lookahead_s": "0.6",
    "track.lookahead_frames": "16",
    "track.max_gap_s": "0.1",
    "track.post_roll_s": "0.4",
    "track.pre_roll_s": "0.1",
    "track.uncertain_roll_s": "0.2",
    "track.low_score_ratio": "1",
    "redact.method": "blur",
    "redact.cells": "1",
    "redact.min_margin_px": "0",
    "redact.solid_luma": "200",
    "areas.roi": "['0.1,0.2 0.5,0.9']",
    "areas.exclude": "['10,20 100,20 10,200', '0,0 1,1']",
    "areas.always": "['0,0 640,360']",
    "encode.codec": "libx265",
    "detect.max_upscale": "3.5",
    "encode.crf": "18",
    "encode.preset": "8",
    "encode.bitrate": "4.5M",
    "encode.format": "mpegts",
    "encode.threads": "2",
    "encode.hardware": "auto",
    "encode.audio": "opus",
    "keep.streams": "[subtitles, chapters]",
    "keep.tags": "[creation_time]",
    "rtsp.open_timeout_s": "1",
    "rtsp.read_timeout_s": "1",
    "rtsp.write_timeout_s": "1",
    "rtsp.gop_s": "1",
    "server.max_body_bytes": "1000",
    "server.max_pixels": "1000",
    "server.max_pixels_at_once": "100000000",
    "server.max_detections_bytes": "1000",
    "server.max_video_bytes": "1000",
    "server.max_video_s": "1",
    "server.max_video_pixels": "1000",
    "server.max_jobs": "2",
    "server.max_spool_bytes": "1000",
    "server.queue_size": "1",
    "server.min_transfer_bytes_per_s": "0",
    "server.transfer_window_s": "1",
    "server.batch_wait_ms": "0",
    "server.min_threshold": "0",
    "server.max_threshold": "0.5",
    "server.min_mask_scale": "1.2",
    "server.max_mask_scale": "11",
    "server.job_lifetime_s": "1",
    "server.spool_folder": "spool",
    "server.allowed_hosts": "[localhost, '[::1]']",
    "processing.use": "true",
    "processing.pre_merge_score_threshold": "0.1",
    "processing.post_merge_score_threshold": "0.1",
    "processing.merge_iou_threshold": "0.1",
    "processing.merging_method": "nms",
    "processing.area_method": "float",
    "processing.mirror_image": "true",
    "processing.enlarged_regions_n": "2",
    "logging.level": "ERROR",
    "logging.format": "'%(name)s'",
    "logging.json": "true",
}
FILES = {"extra_models", *PAIR_KEYS}  # tests/config/test_settings_models.py
TOGETHER = {  # what else a key needs
    "model.labels": ["model.network={_target_: torch.nn.Identity}"],
    "model.with_amp": ["model.network={_target_: torch.nn.Identity}"],
    "model.input.width_px": ["model.network={_target_: torch.nn.Identity}", "model.input.height_px=480"],
    "model.input.height_px": ["model.network={_target_: torch.nn.Identity}", "model.input.width_px=640"],
    "model.input.pad_rgb": ["model.network={_target_: torch.nn.Identity}"],
}


def test_every_key_is_in_these_tests() -> None:
    assert OTHER.keys() | FILES == LEAVES.keys()


@pytest.mark.parametrize("key", OTHER)
def test_every_key_changes_the_settings(key: str) -> None:
    results = []
    for name in expand_classes(key, ["face", "license_plate"]):
        others = TOGETHER.get(key, [])
        loaded = resolve_settings([*others, f"{name}={OTHER[key]}"])
        plain = load_settings([other for other in others if "px" not in other])
        assert loaded.settings != plain
        assert loaded.sources[name] == f"--set {name}={OTHER[key]}"
        results.append(loaded.settings)
    assert len(results) == 1 or results[0] != results[1]


def flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in tree.items():
        if prefix + name in LEAVES:
            found[prefix + name] = value
            continue
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def yaml_defaults() -> dict[str, object]:
    """What the files in config/ that make the defaults say, by dotted keys."""
    tree = read_yaml(shipped("config") / "config.yaml", "config.yaml")
    tree.pop("defaults")
    found = flat(tree)
    for group, choice in (("model", "face_plate_v2"), ("redact", "mosaic")):
        found |= flat(read_yaml(shipped("config") / group / f"{choice}.yaml", choice), f"{group}.")
    return found


def test_the_yaml_defaults_are_the_dataclass_defaults() -> None:
    loaded = resolve_settings()
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_the_yaml_files_hold_every_setting() -> None:
    expected = {name for key in LEAVES for name in expand_classes(key, ["face", "license_plate"])}
    assert expected - yaml_defaults().keys() == {"redact.solid_luma"}  # it is in redact/solid.yaml


@pytest.mark.parametrize("file", [path.relative_to(shipped("config")) for path in shipped("config").rglob("*.yaml")])
def test_each_line_of_the_yaml_files_says_what_the_setting_means(file: Path) -> None:
    sections = [] if file.parent == Path() else [str(file.parent)]
    checked = 0
    for line in (shipped("config") / file).read_text().partition("- _self_")[2].splitlines() or (
        (shipped("config") / file).read_text().splitlines()
    ):
        if not (found := re.fullmatch(r"( *)(\w+):(.*?)(?:  # (.*))?", line)):
            continue
        indent, name, value, comment = found.groups()
        path = [*sections[: len(indent) // 2 + (file.parent != Path())], name]
        if value:
            assert comment == LEAVES[schema_key(".".join(path))].setting.description
            checked += 1
        else:
            sections = path
    assert checked


@pytest.mark.parametrize("method", ["mosaic", "solid", "blur"])
def test_each_way_of_redacting_can_be_chosen(method: str) -> None:
    assert load_settings([f"redact={method}"]).redact.method.name == method


def test_the_dataclasses_check_themselves() -> None:
    with pytest.raises(ConfigError, match=r"^detect.size_px must be a whole number in 32\.\.8192, got 5$"):
        DetectConfig(size_px=5)
    with pytest.raises(ConfigError, match="classes must be the model's own: face, license_plate, got"):
        Settings(classes={"face": ClassConfig()})


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: RedactConfig(cells=64), r"redact\.cells must be a whole number in 1\.\.6: more could be .*, got 64"),
    (lambda: replace(RedactConfig(), cells=64), r"redact\.cells must be"),
    (lambda: RedactConfig(cells=cast(int, 2.5)), r"redact\.cells must be .*, got 2\.5"),
    (lambda: RedactConfig(method=cast(RedactMethod, "none")), r"redact\.method must be mosaic, solid or blur, got"),
    (lambda: KeepConfig(streams=["data", "faces"]), r"keep\.streams must be a list of .*, got 'faces'"),
    (lambda: Settings(redact=cast(RedactConfig, 5)), r"redact must be a RedactConfig, got 5"),
    (lambda: Settings(classes={"face": cast(ClassConfig, None)}), r"classes\.face must be a ClassConfig, got null"),
    (lambda: DetectConfig(merge=cast(MergeConfig, {})), r"detect\.merge must be a MergeConfig, got {}"),
    (lambda: ModelConfig(network={"_target_": "x", "path": Path()}), r"model\.network must be a mapping"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_settings_are_checked_however_they_are_made(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        make()


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(FrozenInstanceError):
        settings.redact.cells = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        settings.device = "cpu"  # type: ignore[misc]
    classes, network = cast(dict[str, object], settings.classes), cast(dict[str, object], settings.model.network)
    changes: list[Callable[[], object]] = [lambda: classes.pop("face"), lambda: network.update(_target_="os.system")]
    for change in (classes.clear, *changes):
        with pytest.raises(TypeError, match=r"frozen: make a changed copy with dataclasses\.replace"):
            change()
    scales, own = [1.0], {"face": ClassConfig(), "license_plate": ClassConfig()}
    made = Settings(detect=DetectConfig(variants=VariantsConfig(scales=scales)), classes=own)
    scales.append(9.0)
    own.clear()
    assert made.detect.variants.scales == (1.0,) and set(made.classes) == {"face", "license_plate"}


def test_values_are_converted() -> None:
    assert RedactConfig(method=cast(RedactMethod, "solid")).method is RedactMethod.solid
    assert ClassConfig(threshold=0).threshold == 0.0 and isinstance(ClassConfig(threshold=0).threshold, float)
    assert Settings(face_model_conf=cast(str, Path("a.yaml"))).face_model_conf == "a.yaml"


def test_settings_can_be_copied_and_pickled() -> None:
    settings = Settings(detect=DetectConfig(size_px=99))
    assert copy.deepcopy(settings) == pickle.loads(pickle.dumps(settings)) == settings


def test_chosen_follows_the_names() -> None:
    plate = ClassConfig(threshold=0.5)
    settings = Settings(classes={"face": ClassConfig(), "license_plate": plate})
    assert class_configs(settings, ["license_plate", "face"]) == [plate, ClassConfig()]


def test_the_schema_is_imported_without_hydra() -> None:
    code = "import sys, blurscene_stream.config.schema; print({'hydra', 'omegaconf', 'yaml'} & sys.modules.keys())"
    root = str(Path(schema.__file__).parents[2])
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
