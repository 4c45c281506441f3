"""What show() prints can be given to --config, and gives the same settings."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.config.load import ResolvedSettings, resolve_settings
from blurscene_stream.config.overrides import Assignment, overrides_from_options
from blurscene_stream.config.schema import MergeMethod
from blurscene_stream.config.serialization import to_yaml
from tests.profiles import examples

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20)
WRITTEN_OUT = TEXT.filter(lambda text: "${" not in text and bool(text.strip()) and text != "???")
SHARE = st.floats(0, 1, exclude_max=True)
VALUES = {
    "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:3"]),
    "queue_frames": st.integers(1, 1024),
    "model.name": WRITTEN_OUT,
    "model.weights": WRITTEN_OUT,
    "model.network": st.fixed_dictionaries(
        {"_target_": st.just("torch.nn.Identity")},
        optional={"a": WRITTEN_OUT, "b": st.lists(st.floats(-1e9, 1e9) | st.none() | st.booleans())},
    ),
    "classes.*.threshold": SHARE,
    "classes.face.threshold": SHARE,
    "classes.license_plate.margin": st.floats(0, 5),
    "classes.*.shape": st.sampled_from(["rectangle", "ellipse"]),
    "detect.size_px": st.integers(32, 8192),
    "detect.variants.mirror_image": st.booleans(),
    "detect.variants.rotations": st.sampled_from(["auto", "none", [], [180], [90, 180, 270]]),
    "detect.variants.scales": st.lists(st.floats(0, 1, exclude_min=True), min_size=1, max_size=8),
    "detect.merge.iou_threshold": st.floats(0, 1, exclude_min=True),
    "detect.merge.method": st.sampled_from([each.name for each in MergeMethod]),
    "detect.merge.pre_merge_score_threshold": SHARE,
    "redact.method": st.sampled_from(["mosaic", "solid", "blur"]),
    "encode.crf": st.none() | st.integers(0, 255),
    "encode.hardware": st.sampled_from(["never", "auto"]),
    "encode.audio": st.sampled_from(["copy", "drop", "aac", "opus"]),
    "encode.preset": st.none() | WRITTEN_OUT | st.sampled_from(["8", "no", "null", "1e3", "0x1f", "~", "a: b", "#"]),
    "encode.bitrate": st.none() | st.sampled_from(["800", "800k", "4.5M"]),
    "rtsp.gop_s": st.floats(0, 3600, exclude_min=True),
    "processing.pre_merge_score_threshold": SHARE,
    "processing.enlarged_regions_n": st.integers(0, 8),
    "processing.merging_method": st.sampled_from(["nms", "wbf", "nmm"]),
    "logging.format": WRITTEN_OUT.map(lambda text: "%(message)s" + text.replace("%", "%%")),
    "logging.json": st.booleans(),
}
RUNNING = [Assignment("processing.use", True, "a test")]


def reloaded(loaded: ResolvedSettings) -> ResolvedSettings:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "shown.yaml"
        file.write_text(to_yaml(loaded), encoding="utf-8")
        return resolve_settings(config=file)


@examples(60)
@given(values=st.fixed_dictionaries({}, optional=VALUES), source=TEXT, running=st.booleans())
def test_what_is_shown_loads_again(values: dict[str, object], source: str, running: bool) -> None:
    assignments = [Assignment(key, value, source) for key, value in values.items()]
    loaded = resolve_settings(options=assignments + RUNNING * running)
    assert reloaded(loaded).settings == loaded.settings


def test_an_option_that_won_over_processing_is_kept() -> None:
    sets = ["processing.use=true", "processing.post_merge_score_threshold=0.6"]
    loaded = resolve_settings(sets, options=overrides_from_options({"--face-thresh": 0.1}))
    assert [found.threshold for found in loaded.settings.classes.values()] == [0.1, 0.6]
    assert reloaded(loaded).settings == loaded.settings


def test_other_classes_are_kept() -> None:
    loaded = resolve_settings(["model.classes=[head, n, sign-2]"])
    assert reloaded(loaded).settings == loaded.settings


@pytest.mark.parametrize(
    "line",
    [
        "device: auto   # default",
        "  size_px: 960   # --set detect.size_px=960",
        "    threshold: 0.5   # option --thresh",
        "  method: solid   # --set redact=solid",
        '  sha256: "6920ffd5f6f533983ecaa6376ef2bfd7d3b7ae7a67599d7ea9789875541ca924"   # default',
        "  classes: [face, license_plate]   # default",
        "  margins: [0.4, 0.3]   # default",
        "    margin: 0.4   # default",
        "  bitrate: null   # default",
        "    scales: [1.0, 0.5]   # --set detect.variants.scales=[1,0.5]",
        "    method: wbf   # --set processing.use=true (processing)",
        '  format: "%(message)s"   # default',
        "  json: false   # default",
    ],
)
def test_each_line_has_its_source(line: str) -> None:
    sets = ["redact=solid", "detect.size_px=960", "detect.variants.scales=[1,0.5]", "processing.use=true"]
    loaded = resolve_settings(sets, options=overrides_from_options({"--thresh": 0.5}))
    assert line in to_yaml(loaded).splitlines()


def test_every_setting_has_a_line_with_a_source() -> None:
    loaded = resolve_settings()
    lines = [line for line in to_yaml(loaded).splitlines() if "#" in line]
    assert len(lines) == len(loaded.sources)
