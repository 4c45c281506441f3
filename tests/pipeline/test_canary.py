"""A word hidden anywhere in the input is nowhere in what comes out: video, file of detections, log, closing line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from, text

from blurscene_stream.address import Address
from blurscene_stream.cli.progress import summary_fields, summary_line
from blurscene_stream.config.schema import EncodeConfig, Settings
from blurscene_stream.pipeline import Callbacks, Job, StopToken, anonymize_video
from tests.canaries import A53_PAIRS, CANARY, FRAMES, PLANTS, WORD, film
from tests.detectors import SquareDetector
from tests.listener import listener
from tests.pipeline.runs import anonymize
from tests.profiles import examples
from tests.videos import read_video

TARGETS = ("mp4", "mov", "mkv", "webm", "ts")
FAST = {"h264": "ultrafast", "hevc": "ultrafast", "vp9": "8", "av1": "13"}
FORMS = [
    CANARY.lower(),
    WORD.lower().encode("utf-16-le"),
    WORD.lower().encode("utf-16-be"),
    b"\xfc".join(A53_PAIRS).lower(),  # captions: a byte before each two
]


def holds_the_word(data: bytes) -> bool:
    """Also where H.264 and H.265 have put a byte between zeros (7.4.1)."""
    return any(form in text for text in (data.lower(), data.lower().replace(b"\0\0\3", b"\0\0")) for form in FORMS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: build(tmp_path_factory.mktemp("plant")) for name, build in PLANTS.items()}


def run(source: Path, target: Path, settings: Settings, caplog: pytest.LogCaptureFixture) -> list[bytes]:
    """Everything that comes out of a run."""
    beside = target.with_suffix(".jsonl")
    job = Job(Address(str(source)), Address(str(target)), detections=Address(str(beside)))
    with caplog.at_level(logging.DEBUG):
        summary = anonymize_video(job, settings, Callbacks(), StopToken(), SquareDetector().load)
    output = caplog.text + summary_line(summary) + str(summary_fields(summary))
    assert len(read_video(target).times) == FRAMES
    return [target.read_bytes(), beside.read_bytes(), output.encode()]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", PLANTS)
def test_the_word_is_in_the_input_alone(
    name: str, target: str, inputs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert holds_the_word(inputs[name].read_bytes())
    settings = Settings(encode=EncodeConfig(preset=FAST["vp9" if target == "webm" else "h264"]))
    for out in run(inputs[name], tmp_path / f"out.{target}", settings, caplog):
        assert not holds_the_word(out)


@pytest.mark.parametrize("codec", FAST)
@pytest.mark.parametrize(
    "name", [name for name in PLANTS if name.startswith(("user data", "captions", "comments of JPEG"))]
)
def test_no_encoder_passes_on_what_lies_beside_pictures(
    name: str, codec: str, inputs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(encode=EncodeConfig(codec=codec, preset=FAST[codec]))
    for out in run(inputs[name], tmp_path / "out.mkv", settings, caplog):
        assert not holds_the_word(out)


@pytest.mark.parametrize("name", ["tags of mp4", "tags of streams of mkv", "chapters of mp4", "captions of H.264"])
def test_a_server_gets_nothing_of_it_either(name: str, inputs: dict[str, Path], tmp_path: Path) -> None:
    with listener(tmp_path / "heard") as address:
        anonymize(inputs[name], address)
    heard = (tmp_path / "heard").read_bytes()
    assert b"ANNOUNCE" in heard and b"RECORD" in heard
    assert b"m=video" in heard and b"m=audio" in heard
    assert len(heard) > 2000  # pictures, too
    assert not holds_the_word(heard)


KNOWN = [
    "title",
    "LANGUAGE",
    "handler_name",
    "encoder",
    "timecode",
    "location",
    "rotate",
    "mimetype",
    "_STATISTICS_TAGS",
]
KEYS = lists(sampled_from(KNOWN) | text("abcXYZ_-:. 0", min_size=1, max_size=12), max_size=5, unique_by=str.lower)


@given(whole=KEYS, video=KEYS, audio=KEYS, target=sampled_from(TARGETS))
@examples(25)
def test_no_tag_whatever_its_name_comes_through(
    whole: list[str], video: list[str], audio: list[str], target: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tags")
    with film(folder / "in.mkv", tags=dict.fromkeys(whole, WORD)) as made:
        made.video.metadata.update(dict.fromkeys(video, WORD))
        made.audio.metadata.update(dict.fromkeys((key for key in audio if key != "title"), WORD))
    anonymize(folder / "in.mkv", folder / f"out.{target}")
    assert not holds_the_word((folder / f"out.{target}").read_bytes())
