"""From a camera to a server, from a file to a server, from a camera to a file: what a viewer gets."""

from __future__ import annotations

import json
import signal
import statistics
import time
from pathlib import Path

import pytest

from tests.rtsp.player import B_PICTURE, Played, play, wait_until_written
from tests.rtsp.runs import Outcome, started
from tests.rtsp.servers import Server
from tests.videos import VideoSpec, make_video

DIM = 200  # the test pictures' white is 235


def covered(played: Played) -> bool:
    """Every bright thing is covered in every picture, the cover is seen, and no picture is torn."""
    enough = played.hidden >= 0.9 * len(played.times) - 1 > 0
    return enough and played.brightest < DIM and played.torn == 0


def stopped(outcome: Outcome) -> bool:
    """The run ended in good order, and let no picture out that was not judged."""
    judged = {number for number, _, _ in outcome.noted["judged"]}
    return outcome.code == 0 and judged >= set(outcome.noted["written"]) and not outcome.said


def test_the_test_camera_shows_something_bright(server: Server) -> None:
    """Else the other tests would see nothing."""
    seen = play(server.at("/cam"), seconds=1)
    assert seen.brightest > DIM


def test_a_camera_is_relayed_to_a_server(server: Server, tmp_path: Path) -> None:
    with started(tmp_path, server.at("/cam"), server.at("/pub_av"), "--set", "rtsp.gop_s=0.5") as run:
        run.wait_going()
        played = play(server.at("/live_av"), seconds=4)
        run.stop()
        outcome = run.end()
    assert stopped(outcome), outcome
    assert (played.video_codec, played.audio_codec) == ("h264", "aac")
    assert B_PICTURE not in played.kinds
    assert covered(played), played
    assert statistics.median(played.steps) == pytest.approx(0.04, abs=0.005)
    assert len(played.audio) > 3 * 46
    assert abs(played.audio[-1] - played.times[-1]) < 1.0, "audio and pictures belong together"


def test_a_file_is_sent_at_the_pace_at_which_it_plays(server: Server, tmp_path: Path) -> None:
    source = make_video(tmp_path / "walker.mp4", VideoSpec(frames=150))  # 6 s
    with started(tmp_path, str(source), server.at("/pub_av"), "--set", "rtsp.gop_s=0.5") as run:
        run.wait_going()
        played = play(server.at("/live_av"), seconds=2)
        outcome = run.end()
    assert stopped(outcome), outcome
    assert outcome.noted["written"] == list(range(150)), "no picture of a file is dropped"
    assert 5.5 < outcome.noted["seconds"] < 12
    assert covered(played), played
    assert B_PICTURE not in played.kinds
    assert statistics.median(played.steps) == pytest.approx(0.04, abs=0.01)
    assert played.audio


@pytest.mark.parametrize(("ending", "number"), [("mp4", signal.SIGINT), ("mkv", signal.SIGTERM)])
def test_a_recording_that_is_stopped_is_complete(
    server: Server, tmp_path: Path, ending: str, number: signal.Signals
) -> None:
    target = tmp_path / f"recorded.{ending}"
    with started(tmp_path, server.at("/cam"), target) as run:
        run.wait_going()
        time.sleep(2)
        assert not target.exists(), "only a complete file has its name"
        run.stop(number)
        outcome = run.end()
    assert stopped(outcome), outcome
    played = play(target)
    assert len(played.times) == len(outcome.noted["written"])
    assert covered(played), played
    assert played.times[0] == pytest.approx(0, abs=0.1), "the camera's clock is not the file's"
    assert played.audio[0] == pytest.approx(0, abs=0.25), "nor is it the audio's, which a camera may begin later"
    assert abs(played.audio[-1] - played.times[-1]) < 0.5
    assert not list(tmp_path.glob("*.partial"))


def test_what_a_camera_showed_is_kept_beside_its_recording(server: Server, tmp_path: Path) -> None:
    target, file = tmp_path / "recorded.mp4", tmp_path / "recorded.jsonl"
    with started(tmp_path, server.at("/cam"), target, "--detections", str(file)) as run:
        run.wait_going()
        assert not file.exists(), "only a complete file has its name"
        run.stop()
        outcome = run.end()
    assert stopped(outcome), outcome
    frames = [json.loads(line) for line in file.read_text().splitlines()][1:]
    assert [one["frame"] for one in frames] == outcome.noted["written"]
    assert any(one["boxes"] for one in frames)
    assert "secret" not in file.read_text()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("camera", "ending", "audio"),
    [
        ("/g711", "mov", "pcm_mulaw"),  # copied
        ("/g711", "mp4", "aac"),  # MP4 takes no G.711
        ("/video", "mp4", ""),
        ("/silent", "mov", "pcm_mulaw"),  # a track that ends before the pictures do
    ],
)
def test_cameras_with_other_audio_or_none(others: Server, tmp_path: Path, camera: str, ending: str, audio: str) -> None:
    target = tmp_path / f"recorded.{ending}"
    with started(tmp_path, others.at(camera), target) as run:
        run.wait_going()
        time.sleep(1)
        run.stop()
        outcome = run.end()
    assert outcome.code == 0, outcome.said
    played = play(target)
    assert played.audio_codec == audio
    assert bool(played.audio) == bool(audio)
    assert covered(played), played


def test_g711_is_published_as_it_is(others: Server, recording: Path, tmp_path: Path) -> None:
    with started(tmp_path, others.at("/g711"), others.at("/record")) as run:
        run.wait_going()
        time.sleep(2)
        run.stop()
        outcome = run.end()
    assert stopped(outcome), outcome
    wait_until_written(recording)
    played = play(recording)
    assert (played.video_codec, played.audio_codec) == ("h264", "pcm_mulaw")
    assert played.audio
    assert covered(played), played
