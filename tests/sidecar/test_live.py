"""What a camera showed is kept as well as its recording: both end well when they are stopped, and when it goes away."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

import blurscene_stream.source.source
from blurscene_stream.address import Address
from blurscene_stream.errors import SourceLostError, StoppedError
from blurscene_stream.frames import Frame, RedactedFrame
from blurscene_stream.pipeline import Callbacks, EndedEarlyError, Job, StopToken, Summary, anonymize_video, render_video
from blurscene_stream.pipeline.prefetch import Stage
from blurscene_stream.source.live import LiveReader
from tests.sidecar.doubles import BlinkingDetector, lines, repeatable
from tests.videos import VideoSpec, make_video, read_video

CAMERA = Address("rtsp://user:secret@camera/live")


@pytest.fixture
def _camera(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film that comes as a camera's stream would: real servers are in tests/rtsp, where GStreamer is."""
    film = make_video(tmp_path_factory.mktemp("film") / "film.ts", VideoSpec(300, 96, 72))
    packets = LiveReader._packets

    def opened(*_: object) -> InputContainer:
        container: InputContainer = av.open(str(film))
        return container

    def at_its_pace(self: LiveReader) -> Iterator[Packet[Stream]]:
        for packet in packets(self):
            time.sleep(0.005)
            yield packet

    monkeypatch.setattr(blurscene_stream.source.source, "open_live", opened)
    monkeypatch.setattr(LiveReader, "_packets", at_its_pace)


def record(target: Path, file: Path, stop_after: int) -> tuple[Summary, list[tuple[int, int]]]:
    """Number and time of each frame that was written; Ctrl-C comes after so many."""
    stop_token, written = StopToken(), list[tuple[int, int]]()

    def note(frame: RedactedFrame) -> None:
        written.append((frame.number, frame.pts))
        if len(written) == stop_after:
            stop_token.request_stop(StoppedError("stopped by SIGINT; nothing was left", signal.SIGINT))

    job = Job(CAMERA, Address(str(target)), detections=Address(str(file)))
    summary = anonymize_video(job, repeatable(), Callbacks(on_frame=note), stop_token, BlinkingDetector().load)
    return summary, written


@pytest.mark.usefixtures("_camera")
def test_a_recording_that_is_stopped(tmp_path: Path) -> None:
    summary, written = record(tmp_path / "out.mkv", tmp_path / "out.jsonl", 8)
    assert 8 <= summary.frames < 300
    header, *frames = lines(tmp_path / "out.jsonl")
    assert [(one["frame"], one["pts"]) for one in frames] == written
    assert len(read_video(tmp_path / "out.mkv").luma) == len(written) == summary.frames
    assert header["time_base"] == "1/90000"
    assert any(one["boxes"] for one in frames)
    text = (tmp_path / "out.jsonl").read_text()
    assert not any(word in text for word in ("secret", "user", "camera", "rtsp"))


@pytest.mark.usefixtures("_camera")
def test_a_camera_that_goes_away(tmp_path: Path) -> None:
    """What it showed until then is kept, and the file of detections says why no more frames follow."""
    with pytest.raises(EndedEarlyError, match=r"the source was lost: the stream ended; .*is complete up to") as caught:
        record(tmp_path / "out.mkv", tmp_path / "out.jsonl", 10_000)
    kept = len(read_video(tmp_path / "out.mkv").luma)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.mkv"]
    header, *frames, end = lines(tmp_path / "out.jsonl")
    assert kept == len(frames) == caught.value.summary.frames > 10
    assert end == {"ended_early": "the source was lost: the stream ended"}
    header["time_base"], times = "1/1000", read_video(tmp_path / "out.mkv").times  # Matroska counts milliseconds
    for number, (line, time_s) in enumerate(zip(frames, times, strict=True)):  # late ones were dropped
        line["frame"], line["pts"] = number, round(time_s * 1000)
        line.pop("checksum", None)
    text = "".join(json.dumps(line) + "\n" for line in (header, *frames, end))
    assert not any(word in text for word in ("secret", "user", "camera", "rtsp"))
    (tmp_path / "out.jsonl").write_text(text)
    again = Job(Address(str(tmp_path / "out.mkv")), Address(str(tmp_path / "again.mkv")))
    rendered = render_video(again, tmp_path / "out.jsonl", repeatable(), Callbacks(), StopToken())
    assert rendered.frames == kept, "the last line is not taken for one that is left over"


@pytest.mark.usefixtures("_camera")
def test_a_camera_that_goes_before_a_frame_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def late(stage: Stage[object], item: object) -> bool:
        stage.dropped += isinstance(item, Frame)
        return False

    monkeypatch.setattr(Stage, "_take_slot", late)
    with pytest.raises(SourceLostError, match=r"the source was lost: the stream ended$"):
        record(tmp_path / "out.mkv", tmp_path / "out.jsonl", 10_000)
    assert not list(tmp_path.iterdir())
