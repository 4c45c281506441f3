"""What OUTPUT holds beside pictures and sound, and what it says of its pictures: nothing more, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.container import OutputContainer

from blurscene_stream.config.keep import KeepConfig
from tests.canaries import PLANTS
from tests.verify.runs import anonymized, checked, failed, settings_of, told
from tests.verify.scenes import Scene, make_scene


def remuxed(path: Path, change: Callable[[OutputContainer], None]) -> Path:
    """The same packets in a file that holds more."""
    other = path.with_name("more" + path.suffix)
    with av.open(str(path)) as before, av.open(str(other), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        change(after)
        for packet in before.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                after.mux(packet)
    return other


def _title(container: OutputContainer) -> None:
    container.metadata["title"] = "my street"


def _chapters(container: OutputContainer) -> None:
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "home"}}
    container.set_chapters([chapter])  # type: ignore[list-item]


@pytest.mark.parametrize(("change", "said"), [(_title, "OUTPUT holds 1 tag"), (_chapters, "OUTPUT holds 1 chapters")])
def test_what_may_only_pass_by_name_fails(change: Callable[[OutputContainer], None], said: str, tmp_path: Path) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene()), tmp_path / "found.jsonl"
    target = remuxed(anonymized(source, tmp_path / "out.mkv", file), change)
    found = checked(source, target, file)
    assert failed(found) == {"private"} and said in told(found), told(found)
    assert "my street" not in told(found) and "home" not in told(found)
    settings = settings_of()
    settings.keep = KeepConfig(streams=["chapters"], tags=["title"])
    assert failed(checked(source, target, file, settings)) == set()


def test_a_run_that_keeps_things_passes_with_its_own_options(tmp_path: Path) -> None:
    source, file, settings = PLANTS["chapters of mp4"](tmp_path), tmp_path / "found.jsonl", settings_of()
    settings.keep = KeepConfig(streams=["chapters"])
    target = anonymized(source, tmp_path / "out.mp4", file, settings)
    assert failed(checked(source, target, file, settings)) == set()
    assert failed(checked(source, target, file)) == {"private"}


def test_fields_that_an_encoder_cannot_tell_are_for_review(tmp_path: Path) -> None:
    scene = Scene(options={"preset": "veryfast", "crf": "12", "x264-params": "tff=1:interlaced=1"})
    source, file, settings = make_scene(tmp_path / "in.mkv", scene), tmp_path / "found.jsonl", settings_of()
    settings.encode.codec = "hevc"
    found = checked(source, anonymized(source, tmp_path / "out.mkv", file, settings), file, settings)
    assert failed(found) == {"shape"} and "fields: none instead of " in told(found)
