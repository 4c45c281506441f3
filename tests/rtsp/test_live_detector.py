"""A detector that is slower than the camera: pictures go whole before it, and what comes out is not late."""

from __future__ import annotations

import time
from pathlib import Path

from tests.rtsp.player import play
from tests.rtsp.runs import started
from tests.rtsp.servers import Server

SLOW_S = 0.25  # 4 pictures a second, of a camera that sends 25
MUCH_KB = 500_000
LATE_S = 1.5  # a picture in each queue, one with the detector, and what the machine is late itself


def test_a_slow_detector_drops_whole_pictures_and_does_not_fall_behind(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "slow.mkv"
    with started(tmp_path, server.at("/cam"), target, delay_s=SLOW_S) as run:
        run.wait_going()
        time.sleep(6)
        run.stop()
        outcome = run.end()
    assert outcome.code == 0, outcome.said
    judged, written = outcome.noted["judged"], outcome.noted["written"]
    assert {number for number, _, _ in judged} >= set(written), "every picture that came out was judged"
    assert written == sorted(set(written))
    assert outcome.noted["dropped"] > 3 * len(written), "the rest went whole"
    lags = [clock_s - stream_s for _, stream_s, clock_s in judged]
    assert lags[-1] - min(lags) < LATE_S, "it keeps up with the camera"
    assert outcome.noted["peak_kb"] < MUCH_KB, "what cannot be judged in time is not kept"
    played = play(target)
    assert played.times == sorted(played.times)
    assert len(played.times) == len(written)
    assert (played.brightest < 200, played.torn) == (True, 0)
    assert len(played.audio) > 4 * 46, "the audio passes all the while"
