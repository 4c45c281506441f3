"""The short options: what each sets, and that it is checked and named like any other source."""

import pytest

from blurscene_stream.config.keys import LEAVES, schema_key
from blurscene_stream.config.load import ResolvedSettings, resolve_settings
from blurscene_stream.config.overrides import OPTIONS, Assignment, overrides_from_options
from blurscene_stream.errors import ConfigError


def load(given: dict[str, object], *overrides: str) -> ResolvedSettings:
    return resolve_settings(overrides, options=overrides_from_options(given))


@pytest.mark.parametrize(
    ("option", "value", "keys", "expected"),
    [
        ("--thresh", 0.4, ["classes.face.threshold", "classes.license_plate.threshold"], 0.4),
        ("--face-thresh", 0.4, ["classes.face.threshold"], 0.4),
        ("--plate-thresh", "0.4", ["classes.license_plate.threshold"], 0.4),
        ("--replacewith", "solid", ["redact.method"], "solid"),
        ("--mask-scale", 1.5, ["classes.face.margin", "classes.license_plate.margin"], 0.25),
        ("--mask-scale", 1, ["classes.face.margin", "classes.license_plate.margin"], 0.0),
        ("--mask-scale", "11", ["classes.face.margin", "classes.license_plate.margin"], 5.0),
        ("--roi", ("0,0 1,1",), ["areas.roi"], ("0,0 1,1",)),
        ("--exclude", ("0,0 50,5", "9,9 20,9 9,20"), ["areas.exclude"], ("0,0 50,5", "9,9 20,9 9,20")),
        ("--always", ("0,0 50,5",), ["areas.always"], ("0,0 50,5",)),
        ("--device", "cuda:2", ["device"], "cuda:2"),
        ("--batch-size", 9, ["detect.batch_size"], 9),
        ("--size", 99, ["detect.size_px"], 99),
        ("-c:v", "libx265", ["encode.codec"], "libx265"),
        ("-crf", 30, ["encode.crf"], 30),
        ("-preset", "slow", ["encode.preset"], "slow"),
        ("-b:v", "4M", ["encode.bitrate"], "4M"),
        ("--audio", "drop", ["encode.audio"], "drop"),
        ("--format", "mpegts", ["encode.format"], "mpegts"),
        ("--json-log", True, ["logging.json"], True),
        ("--log-level", "DEBUG", ["logging.level"], "DEBUG"),
        ("--log-format", "[%(levelname)s] it's '%(message)s'", ["logging.format"], None),
    ],
)
def test_an_option_sets_its_keys(option: str, value: object, keys: list[str], expected: object) -> None:
    loaded = load({option: value})
    for key in keys:
        assert loaded.sources[key] == f"option {option}"
        assert value_of(loaded, key) == (value if expected is None else expected)
    assert set(loaded.sources.values()) == {"default", f"option {option}"}


def value_of(loaded: ResolvedSettings, key: str) -> object:
    found: object = loaded.settings
    for name in key.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return getattr(found, "name", found)


def test_every_option_stands_for_a_setting() -> None:
    assert {schema_key(key) for key in OPTIONS.values()} <= LEAVES.keys()


def test_what_is_not_given_changes_nothing() -> None:
    assert overrides_from_options(dict.fromkeys(OPTIONS) | {"--json-log": False, "--roi": ()}) == []


def test_zero_is_given() -> None:
    assert overrides_from_options({"--thresh": 0}) == [Assignment("classes.*.threshold", 0, "option --thresh")]


def test_a_class_wins_over_all_classes_whatever_the_order() -> None:
    loaded = load({"--face-thresh": 0.1, "--thresh": 0.5})
    assert [found.threshold for found in loaded.settings.classes.values()] == [0.1, 0.5]


def test_an_option_wins_over_an_override() -> None:
    assert load({"--replacewith": "blur"}, "redact=solid").settings.redact.method.name == "blur"


def test_crf_is_not_without_effect_when_a_config_has_a_bitrate() -> None:
    encode = load({"-crf": 30}, "encode.bitrate=4M").settings.encode
    assert (encode.crf, encode.bitrate) == (30, None)
    assert load({"-crf": 30, "-b:v": "2M"}).settings.encode.bitrate == "2M"


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--mask-scale", 0.9, "option --mask-scale must be a number in [1, 11], got 0.9"),
        ("--mask-scale", 12, "option --mask-scale must be a number in [1, 11], got 12"),
        ("--mask-scale", float("nan"), "option --mask-scale must be a number in [1, 11], got nan"),
        ("--mask-scale", "x", "option --mask-scale must be a number in [1, 11], got 'x'"),
        ("--thresh", 1.5, "option --thresh: classes.face.threshold must be a number in [0, 1), got 1.5"),
        ("--replacewith", "none", "option --replacewith: redact.method must be mosaic, solid or blur, got 'none'"),
        ("--size", 5, "option --size: detect.size_px must be a whole number in 32..8192, got 5"),
        ("--device", "${oc.env:HOME}", "option --device: device holds '${oc.env:HOME}': a value must be written out"),
    ],
)
def test_a_bad_value_is_refused_by_the_options_name(option: str, value: object, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({option: value})
    assert str(caught.value).startswith(reason)


def test_an_option_for_a_class_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^option --plate-thresh: unknown key 'classes\.license_plate\.threshold'"):
        load({"--plate-thresh": 0.1}, "model.classes=[face]")


def test_an_option_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(KeyError):
        overrides_from_options({"--treshold": 1})
