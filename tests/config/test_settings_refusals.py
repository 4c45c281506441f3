"""Every refusal is a ConfigError of one line with the place, the key, the value and what is allowed."""

from pathlib import Path

import pytest

from blurscene_stream.config.load import resolve_settings
from blurscene_stream.errors import ConfigError

ROTATIONS = "detect.variants.rotations must be auto, none or a list of different numbers of 90, 180 and 270"
OVERRIDES = [  # the override, and what its refusal says after "--set OVERRIDE: "
    ("detect.sise_px=1", "unknown key 'detect.sise_px'; did you mean 'detect.size_px'?"),
    ("size_px=960", "unknown key 'size_px'; did you mean 'detect.size_px'?"),
    (
        "detect.zzz=1",
        "unknown key 'detect.zzz'; known here: size_px, max_upscale, batch_size, "
        "backend, precision, on_device, threads, variants, merge",
    ),
    ("detect.cells=1", "unknown key 'detect.cells'; did you mean 'redact.cells'?"),
    ("devise=cpu", "unknown key 'devise'; did you mean 'device'?"),
    ("classes.fase.margin=1", "unknown key 'classes.fase.margin'; did you mean 'classes.face.margin'?"),
    ("classes.face.treshold=0", "unknown key 'classes.face.treshold'; did you mean 'classes.face.threshold'?"),
    (
        "detect=3",
        "detect is a section with the keys size_px, max_upscale, batch_size, "
        "backend, precision, on_device, threads, variants, merge, got 3",
    ),
    ("classes.face=0.1", "classes.face is a section with the keys enabled, threshold, margin, shape, got 0.1"),
    ("detect.size_px=abc", "detect.size_px must be a whole number in 32..8192, got 'abc'"),
    ("detect.size_px=31", "detect.size_px must be a whole number in 32..8192, got 31"),
    ("detect.size_px=8193", "detect.size_px must be a whole number in 32..8192, got 8193"),
    ("detect.size_px=99.5", "detect.size_px must be a whole number in 32..8192, got 99.5"),
    ("detect.size_px=true", "detect.size_px must be a whole number in 32..8192, got true"),
    ("detect.size_px=null", "detect.size_px must be a whole number in 32..8192, got null"),
    ("detect.size_px=[1]", "detect.size_px must be a whole number in 32..8192, got [1]"),
    ("detect.batch_size=0", "detect.batch_size must be a whole number in 1..256, got 0"),
    ("detect.merge.iou_threshold=0", "detect.merge.iou_threshold must be a number in (0, 1], got 0"),
    ("detect.merge.iou_threshold=nan", "detect.merge.iou_threshold must be a number in (0, 1], got 'nan'"),
    ("detect.merge_iou=0.4", "unknown key 'detect.merge_iou'; did you mean 'detect.merge'?"),
    ("detect.merge=nms", "detect.merge is a section with the keys method, iou_threshold, area_method, "),
    (
        "detect.merge.method=best",
        "detect.merge.method must be nms, wbf, nmm, ensemble_wbf, ensemble_nmw or ensemble_soft_nms, got 'best'",
    ),
    ("detect.merge.area_method=px", "detect.merge.area_method must be int or float, got 'px'"),
    (
        "detect.merge.pre_merge_score_threshold=1",
        "detect.merge.pre_merge_score_threshold must be a number in [0, 1), got 1",
    ),
    (
        "detect.merge.post_merge_score_threshold=-0.1",
        "detect.merge.post_merge_score_threshold must be a number in [0, 1), got -0.1",
    ),
    ("detect.merge.soft_nms_sigma=0", "detect.merge.soft_nms_sigma must be a number in (0, 100], got 0"),
    (
        "detect.variants.mirror=true",
        "unknown key 'detect.variants.mirror'; did you mean 'detect.variants.mirror_image'?",
    ),
    (
        "detect.variants.enlarged_regions_n=-1",
        "detect.variants.enlarged_regions_n must be a whole number in 0..8, got -1",
    ),
    (
        "detect.variants.enlarged_regions_n=9",
        "detect.variants.enlarged_regions_n must be a whole number in 0..8, got 9",
    ),
    ("detect.variants.region_overlap=1", "detect.variants.region_overlap must be a number in [0, 0.75], got 1"),
    ("detect.variants.scales=[]", "detect.variants.scales must be a list of 1 to 8 numbers in (0, 4], got []"),
    ("detect.variants.scales=[1,0]", "detect.variants.scales must be a list of 1 to 8 numbers in (0, 4], got [1, 0]"),
    ("detect.variants.scales=[nan]", "detect.variants.scales must be a list of 1 to 8 numbers in (0, 4], got ['nan']"),
    ("detect.variants.scales=[a]", "detect.variants.scales must be a list of 1 to 8 numbers in (0, 4], got ['a']"),
    ("detect.variants.scales=1", "detect.variants.scales must be a list of 1 to 8 numbers in (0, 4], got 1"),
    ("detect.variants.rotations=[45]", f"{ROTATIONS}, got [45]"),
    ("detect.variants.rotations=[90,90]", f"{ROTATIONS}, got [90, 90]"),
    ("detect.variants.rotations=90", f"{ROTATIONS}, got 90"),
    ("detect.variants.rotations=all", f"{ROTATIONS}, got 'all'"),
    ("detect.variants.rotations=null", f"{ROTATIONS}, got null"),
    (
        "detect.variants.rotation_check_interval_s=-1",
        "detect.variants.rotation_check_interval_s must be a number in [0, 3600], got -1",
    ),
    ("processing.enlarged_regions_n=64", "processing.enlarged_regions_n must be a whole number in 0..8, got 64"),
    ("detect.precision=fp8", "detect.precision must be auto, fp32, bf16 or int8, got 'fp8'"),
    ("detect.threads=-1", "detect.threads must be a whole number in 0..1024, got -1"),
    ("queue_frames=0", "queue_frames must be a whole number in 1..1024, got 0"),
    ("device=gpu", "device must be auto, cpu, cuda or cuda:N, got 'gpu'"),
    ("device=cuda:01", "device must be auto, cpu, cuda or cuda:N, got 'cuda:01'"),
    ("device=???", "is not KEY=VALUE; a value with spaces or brackets needs quotes of its own"),
    ("device='???'", "device must be auto, cpu, cuda or cuda:N, got '???'"),
    ("device=${oc.env:HOME}", "device holds '${oc.env:HOME}': a value must be written out, ${...} is not filled in"),
    ("classes.face.threshold=1", "classes.face.threshold must be a number in [0, 1), got 1"),
    ("classes.face.margin=-0.1", "classes.face.margin must be a number in [0, 5], got -0.1"),
    ("classes.face.shape=star", "classes.face.shape must be rectangle or ellipse, got 'star'"),
    ("redact=pixelate", "redact must be one of blur, mosaic, solid, got 'pixelate'"),
    ("redact=../config", "redact must be one of blur, mosaic, solid, got '../config'"),
    ("redact=null", "redact must be one of blur, mosaic, solid, got null"),
    ("model=yolo", "model must be one of face_plate_v1, face_plate_v2, got 'yolo'"),
    ("redact.method=none", "redact.method must be mosaic, solid or blur, got 'none'"),
    ("redact.cells=7", "redact.cells must be a whole number in 1..6: more could be recognized, got 7"),
    ("redact.solid_luma=256", "redact.solid_luma must be a whole number in 0..255, got 256"),
    ("encode.crf=256", "encode.crf must be a whole number in 0..255, or null, got 256"),
    ("encode.bitrate=fast", "encode.bitrate must be bits a second, such as 800k or 4M, or null, got 'fast'"),
    ("encode.codec=''", "encode.codec must be auto or the name of an ffmpeg encoder, got ''"),
    ("rtsp.gop_s=0", "rtsp.gop_s must be a number in (0, 3600], got 0"),
    ("rtsp.gop_s=inf", "rtsp.gop_s must be a number in (0, 3600], got 'inf'"),
    ("processing.merging_method=avg", "processing.merging_method must be nms, wbf or nmm, got 'avg'"),
    ("processing.use=12", "processing.use must be true or false, got 12"),
    ("logging.json=maybe", "logging.json must be true or false, got 'maybe'"),
    ("logging.level=loud", "logging.level must be debug, info, warning, error or critical, in any case, got 'loud'"),
    ("logging.format=text", "logging.format must be a format of Python's logging module, such as"),
    ("logging.format='%(nothing)s'", "logging.format must be a format of Python's logging module, such as"),
    ("model.sha256=abc", "model.sha256 must be 64 hex digits, or null, got 'abc'"),
    ("model.classes=[]", "model.classes must be a list of different names of letters, digits, _ and -, got []"),
    ("model.classes=[a,a]", "model.classes must be a list of different names"),
    ("model.classes=[a.b]", "model.classes must be a list of different names"),
    ("model._target_=os.system", "unknown key 'model._target_'; known here: name, weights, "),
    ("hydra.run.dir=x", "unknown key 'hydra.run.dir'; known here: device, "),
    ("detect", "is not KEY=VALUE"),
    ("=3", "unknown key ''"),
    ("logging.format=%(message)s", "is not KEY=VALUE; a value with spaces or brackets needs quotes of its own"),
    ("+detect.size_px=99", "settings can only be changed: KEY=VALUE, without +, ~ or @"),
    ("~detect.size_px", "settings can only be changed: KEY=VALUE, without +, ~ or @"),
    ("redact@other=solid", "settings can only be changed: KEY=VALUE, without +, ~ or @"),
    ("detect.size_px=640,960", "must give one value, not several to try"),
]

FILES = [  # the text of a --config FILE, and what its refusal says after "FILE: "
    ("detect: {sise_px: 1}", "unknown key 'detect.sise_px'; did you mean 'detect.size_px'?"),
    ("detect:\n  size_px: [\n", "line 3: "),
    ("a: 1\na: 2", "line 2: found duplicate key a"),
    ("device: b: c", "line 1: mapping values are not allowed here"),
    ("- a", "must hold lines of KEY: VALUE"),
    ("5", "must hold lines of KEY: VALUE"),
    ("1: 2", "unknown key '1'"),
    ("redact: solid", "redact is a section with the keys method, cells, min_margin_px, solid_luma, got 'solid'"),
    ("defaults: [{redact: solid}]", "'defaults' chooses files of a config folder; give the folder"),
    ("detect.size_px: 99\ndetect: {size_px: 99}", "'detect.size_px' is there twice"),
    ("classes: {'*': {margin: 1}}", "unknown key 'classes.*.margin'"),
    ("device:", "device must be auto, cpu, cuda or cuda:N, got null"),
    ("device: ${oc.env:HOME}", "device holds '${oc.env:HOME}': a value must be written out"),
    ("device: ${", "device holds '${': a value must be written out, ${...} is not filled in"),
    ("encode: {codec: no}", "encode.codec must be auto or the name of an ffmpeg encoder, got false"),
    ("_target_: os.system", "unknown key '_target_'"),
    ("model: {_target_: os.system}", "unknown key 'model._target_'"),
    ("device: !!python/object/apply:os.system [x]", "line 1: could not determine a constructor for the tag"),
    ("hydra: {searchpath: [x]}", "unknown key 'hydra'"),
    ("model: {classes: [head]}\nclasses: {face: {margin: 1}}", "unknown key 'classes.face.margin'; did you mean"),
    ("a: " + "[" * 5000, "is nested too deep, or in a circle"),
    ("queue_frames: 0x" + "f" * 5000, "queue_frames must be a whole number in 1..1024, got a number of thousands"),
    (f"device: {'x' * 5000}", "device must be auto, cpu, cuda or cuda:N, got 'xxx"),
]

FOLDERS = [  # the files of a --config DIR, and what the refusal says after "DIR"
    ({}, ": has no config.yaml; a config folder needs one"),
    ({"config.yaml": "device: ["}, "/config.yaml: line 1: "),
    ({"config.yaml": "detect: {sise_px: 1}"}, "/config.yaml: unknown key 'detect.sise_px'; did you mean"),
    ({"config.yaml": "defaults: 5"}, "/config.yaml: defaults must be a list of _self_, NAME and GROUP: CHOICE, got 5"),
    ({"config.yaml": "defaults: [{redact: nope}]"}, ": there is no 'redact/nope', only blur, mosaic, solid"),
    ({"config.yaml": "defaults: [nope]"}, ": there is no 'nope'"),
    ({"config.yaml": "defaults: [{redact: '${oc.env:HOME}'}]"}, "/config.yaml: defaults holds '${oc.env:HOME}'"),
    ({"config.yaml": "defaults: [a]", "a.yaml": "defaults: [a]"}, "/a.yaml: its defaults list leads back to itself"),
    ({"config.yaml": "defaults: [{redact: a}]", "redact/a.yaml": "x: ["}, "/redact/a.yaml: line 1: "),
    ({"config.yaml": "defaults: [{redact: a}]", "redact/a.yaml": "x: 1"}, "/redact/a.yaml: unknown key 'redact.x'"),
    ({"config.yaml": "defaults: [{zoo: a}]", "zoo/a.yaml": "x: 1"}, "/zoo/a.yaml: unknown key 'zoo"),
    ({"config.yaml": "defaults: [{optional redact: solid}]"}, "/config.yaml: defaults must be a list of _self_"),
    ({"config.yaml": "defaults: [{redact@areas: solid}]"}, "/config.yaml: defaults must be a list of _self_"),
    ({"config.yaml": "defaults: [../other]"}, "/config.yaml: defaults must be a list of _self_, NAME and GROUP"),
    ({"config.yaml": "defaults: [/etc/other]"}, "/config.yaml: defaults must be a list of _self_, NAME and GROUP"),
    ({"config.yaml": "hydra: {searchpath: ['pkg://os']}"}, "/config.yaml: unknown key 'hydra'"),
]


def refusal(config: Path | None = None, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve_settings(overrides, config=config)
    message = str(caught.value)
    assert message.isprintable()  # so one line
    assert len(message) < 800
    return message


@pytest.mark.parametrize(("override", "reason"), OVERRIDES)
def test_an_override_is_refused_with_its_reason(override: str, reason: str) -> None:
    assert refusal(None, override).startswith(f"--set {override}: {reason}")


@pytest.mark.parametrize(("text", "reason"), FILES, ids=range(len(FILES)))
def test_a_file_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert refusal(file).startswith(f"{file}: {reason}")


@pytest.mark.parametrize(("files", "reason"), FOLDERS, ids=range(len(FOLDERS)))
def test_a_folder_is_refused_with_its_reason(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert refusal(tmp_path).startswith(f"{tmp_path}{reason}")


def test_values_that_do_not_go_together_are_refused_with_all_their_places(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("track:\n  pre_roll_s: 0.6\n")
    reason = "track.pre_roll_s must not be above track.lookahead_s, 0.3, got 0.6"
    assert refusal(file, "track.lookahead_s=0.3") == f"--set track.lookahead_s=0.3 and {file}: {reason}"
    reason = "track.pre_roll_s must not be above track.lookahead_s, 0.5, got 2"
    assert refusal(None, "track.pre_roll_s=2") == f"--set track.pre_roll_s=2: {reason}"


def test_scales_that_are_too_large_for_the_size_are_refused() -> None:
    assert refusal(None, "detect.size_px=4096", "detect.variants.scales=[1,2.5]") == (
        "--set detect.size_px=4096 and --set detect.variants.scales=[1,2.5]: "
        "detect.size_px times each of detect.variants.scales must be at most 8192, got 4096 times 2.5"
    )


def test_a_line_end_in_an_override_stays_out_of_the_message() -> None:
    assert refusal(None, "detect.size_px\n=3\x1b[2J").startswith("--set detect.size_px =3?[2J: is not KEY=VALUE")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: there is no such file or folder"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photo.yaml"
    file.write_bytes(b"\xff\xd8\xff\xe0")
    assert refusal(file) == f"{file}: is not UTF-8 text, so not YAML"


def test_an_incomplete_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blurscene_stream.config.load.shipped", lambda name: tmp_path / name)
    assert refusal().startswith("config: the folder that comes with the package is missing")
