"""Plays a stream or a file, and tells what a viewer sees and hears."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from blurscene_stream.source.frames.timestamps import fraction
from tests.rtsp.runs import HIDDEN_LUMA

B_PICTURE = 3  # AV_PICTURE_TYPE_B


@dataclass
class Played:
    """What came.

    times:      seconds of each picture
    audio:      seconds of each audio packet
    brightest:  of all pictures, 8-bit luma
    hidden:     pictures with a covered place in them
    torn:       pictures with chroma in them: the test cameras are black and white
    kinds:      libav's picture types
    """

    video_codec: str
    audio_codec: str
    times: list[float] = field(default_factory=list)
    audio: list[float] = field(default_factory=list)
    brightest: int = 0
    hidden: int = 0
    torn: int = 0
    kinds: set[int] = field(default_factory=set)

    def look(self, picture: VideoFrame) -> None:
        if picture.pts is not None and picture.time_base:
            self.times.append(float(picture.pts * fraction(picture.time_base)))
        samples = picture.to_ndarray(format="yuv420p").astype(np.int16)
        luma, chroma = samples[: picture.height], samples[picture.height :]
        self.brightest = max(self.brightest, int(luma.max()))
        self.hidden += int((abs(luma - HIDDEN_LUMA) < 10).sum()) > 100
        self.torn += int((abs(chroma - 128) > 20).sum()) > 100
        self.kinds.add(int(picture.pict_type))

    @property
    def steps(self) -> list[float]:
        """Seconds between pictures."""
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]


def wait_until_written(recording: Path) -> None:
    """Wait for a server's recording: it writes the last pictures after the one who publishes them has gone."""
    deadline, size = time.monotonic() + 20, 0
    while time.monotonic() < deadline:
        time.sleep(0.5)
        before, size = size, recording.stat().st_size if recording.exists() else 0
        if size == before > 0:
            return
    raise AssertionError(f"nothing was recorded, or no end of it after 20 s: {size} bytes")


def play(source: str | Path, seconds: float = float("inf")) -> Played:
    """Play `seconds` of a stream, or a whole file."""
    live = isinstance(source, str)
    options = {"rtsp_transport": "tcp"} if live else {}
    with av.open(str(source), options=options, timeout=(20, 10)) as container:
        audio = container.streams.audio
        played = Played(container.streams.video[0].codec_context.name, audio[0].codec_context.name if audio else "")
        end_s = time.monotonic() + seconds
        for packet in container.demux():
            if packet.stream.type == "audio":
                if packet.pts is not None and packet.time_base:
                    played.audio.append(float(packet.pts * fraction(packet.time_base)))
                continue
            for picture in packet.decode():
                assert isinstance(picture, VideoFrame)
                played.look(picture)
            if time.monotonic() > end_s:
                break
    return played
