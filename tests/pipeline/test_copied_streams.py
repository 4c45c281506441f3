"""Audio is copied, or re-encoded with a line in the log; metadata that may betray a place or a person is dropped."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from blurscene_stream.config.schema import Settings, SourceConfig
from blurscene_stream.source.frames.timestamps import fraction
from tests.pipeline.runs import anonymize
from tests.videos import AUDIO_RATE_HZ, VideoSpec, audio_packets, make_video, picture, read_video

SMALL = VideoSpec(64, 64, 48, rate=50)
VP9 = replace(SMALL, codec="libvpx-vp9", audio=("libopus",), options={"cpu-used": "8", "deadline": "realtime"})
SPECS = {"mp4": SMALL, "mov": SMALL, "mkv": SMALL, "ts": SMALL, "webm": VP9}
ADTS_MARK, ADTS_BYTES = b"\xff\xf1", 7  # the header that AAC gets in a transport stream, ISO/IEC 13818-7


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for suffix, spec in SPECS.items():
        make_video(folder / f"in.{suffix}", spec)
    return folder


def payloads(path: Path, track: int = 0) -> list[bytes]:
    packets = audio_packets(path, track)
    return [packet[ADTS_BYTES:] if packet.startswith(ADTS_MARK) else packet for packet in packets]


def first_audio_s(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return next(p.pts * fraction(p.time_base) for p in packets if p.pts is not None and p.time_base)


@pytest.mark.parametrize("target", ["mp4", "m4v", "mov", "mkv", "webm", "ts", "m2ts", "mts"])
@pytest.mark.parametrize("source", SPECS)
def test_from_any_container_to_any_other(
    source: str, target: str, films: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = films / f"in.{source}", tmp_path / f"out.{target}"
    anonymize(before, after)
    old, new = read_video(before).times, read_video(after).times
    assert len(new) == len(old) == SMALL.frames
    moved = [late - early for late, early in zip(new, old, strict=True)]
    assert max(moved) - min(moved) <= Fraction(1, 1000)
    if (source == "webm" and target == "mov") or (source != "webm" and target == "webm"):
        assert "it is encoded as" in caplog.text
        return
    assert caplog.text == ""
    assert payloads(after) == payloads(before)
    # mkv and ts have no time below 0: then picture and audio move together
    audio_moved = first_audio_s(after) - first_audio_s(before)
    assert abs(audio_moved - moved[0]) <= Fraction(1, 500)
    assert target in ("mkv", "ts", "m2ts", "mts") or abs(moved[0]) <= Fraction(1, 1000)


TRANSCODED = {  # audio -> the input, targets that cannot hold it, what it becomes
    "pcm_s16le": ("in.mov", ("ts", "webm"), ("aac", "opus")),
    "flac": ("in.mkv", ("ts", "webm"), ("aac", "opus")),
    "pcm_mulaw": ("in.mov", ("mp4", "ts", "webm"), ("aac", "aac", "opus")),
    "pcm_alaw": ("in.mov", ("mp4", "ts"), ("aac", "aac")),
    "libmp3lame": ("in.mkv", ("webm",), ("opus",)),
    "ac3": ("in.mkv", ("webm",), ("opus",)),
}


@pytest.mark.parametrize("codec", TRANSCODED)
def test_audio_that_the_target_cannot_hold_is_encoded_again(
    codec: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, targets, becomes = TRANSCODED[codec]
    source = make_video(tmp_path / file, replace(SMALL, audio=(codec,)))
    for target, audio in zip(targets, becomes, strict=True):
        caplog.clear()
        anonymize(source, tmp_path / f"out.{target}")
        assert len(caplog.records) == 1
        assert f"encoded as {audio}" in caplog.records[0].getMessage()
        with av.open(str(tmp_path / f"out.{target}")) as container:
            assert container.streams.audio[0].codec_context.codec.canonical_name == audio
        wave_before, wave_after = wave(source), wave(tmp_path / f"out.{target}")
        assert abs(len(wave_after) - len(wave_before)) / AUDIO_RATE_HZ < 0.1
        assert np.std(wave_after) == pytest.approx(np.std(wave_before), rel=0.15), "it is not the same audio"


def wave(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The left channel."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=AUDIO_RATE_HZ)
    with av.open(str(path)) as container:
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32)


def test_silence_and_audio_stay_where_they_were(tmp_path: Path) -> None:
    """A click at 0.5 s, with half a second of no packets before 0.4 s, is heard at 0.5 s after encoding it again."""
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        video = _video(container)
        track = container.add_stream("pcm_s16le", rate=AUDIO_RATE_HZ, layout="mono")
        _frames(container, video, 50)
        for start in (0, *range(19_200, 48_000, 480)):
            samples = np.zeros((1, 480), np.int16)
            samples[0, :48] = 20_000 if start == 24_000 else 0
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
            container.mux(track.encode(frame))
    for name in ("out.ts", "out.webm"):
        anonymize(source, tmp_path / name)
        offset_s = read_video(tmp_path / name).times[0] - read_video(source).times[0]
        assert click_s(source) == pytest.approx(0.5, abs=0.002)
        assert click_s(tmp_path / name) - float(offset_s) == pytest.approx(0.5, abs=0.03), name


def click_s(path: Path) -> float:
    """When the loudest sample is heard."""
    best = (0.0, 0.0)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().astype(np.float64)).reshape(-1)
            assert frame.pts is not None and frame.time_base is not None
            top = int(samples.argmax())
            loud = samples[top] / (32768 if "s16" in frame.format.name else 1)
            best = max(best, (loud, float(frame.pts * frame.time_base) + top / frame.sample_rate))
    assert best[0] > 0.1, "the click is gone"
    return best[1]


def _video(container: OutputContainer) -> VideoStream:
    video = container.add_stream("libx264", rate=50, options={"preset": "ultrafast"})
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    return video


def _frames(container: OutputContainer, video: VideoStream, count: int) -> None:
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(picture(number, SMALL), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 50)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


def _tone(container: OutputContainer, track: AudioStream, start_s: float, end_s: float) -> None:
    for start in range(round(start_s * AUDIO_RATE_HZ), round(end_s * AUDIO_RATE_HZ), 1024):
        samples = (np.sin((start + np.arange(1024)) / 20) * 9000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


LANGUAGES = ("ita", "fra", "eng")


def _with_everything(path: Path) -> Path:
    """Three tongues, a cover picture, subtitles, chapters, a place and the name of a device."""
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "my street", "location": "+52.5+013.4/", "comment": "call me"})
        container.metadata.update({"make": "Camera", "artist": "Anna"})
        video = _video(container)
        video.metadata["handler_name"] = "Anna's phone"
        tracks = []
        for number, language in enumerate(LANGUAGES):
            track = container.add_stream("aac", rate=AUDIO_RATE_HZ, layout="mono")
            track.metadata.update({"language": language, "title": f"track {number}", "handler_name": "Anna's mic"})
            track.disposition = Disposition.default if number == 1 else Disposition(0)
            tracks.append(track)
        cover = container.add_stream("mjpeg") if path.suffix == ".mp4" else None  # elsewhere it would be a second video
        if cover is not None:
            cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
            cover.disposition = Disposition.attached_pic
        chapter: Any = {"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "home"}}
        container.set_chapters([chapter])
        container.start_encoding()
        if cover is not None:
            container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
            container.mux(cover.encode(None))
        _frames(container, video, 25)
        for track in tracks:
            _tone(container, track, 0, 0.5)
    return path


@pytest.mark.parametrize("target", ["mp4", "mkv", "mov", "ts"])
def test_what_stays_behind_is_named_and_gone(target: str, tmp_path: Path) -> None:
    source, after = _with_everything(tmp_path / "in.mp4"), tmp_path / f"out.{target}"
    summary = anonymize(source, after)
    assert any("cover picture" in text for text in summary.left_out), summary.left_out
    assert any("1 chapter" in text for text in summary.left_out), summary.left_out
    with av.open(str(after)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio", "audio"]
        assert not container.chapters()
        assert [stream.metadata.get("language") for stream in container.streams.audio] == list(LANGUAGES)
    everything = after.read_bytes().lower()
    for secret in (b"+52.5", b"camera", b"anna", b"home", b"call me", b"my street"):
        assert secret not in everything
    for track in range(3):
        assert payloads(after, track) == payloads(source, track)


@pytest.mark.parametrize("target", ["mp4", "mkv", "mov", "webm"])
@pytest.mark.parametrize("source", ["mkv", "mp4"])
def test_tracks_keep_their_title_and_which_is_the_default(source: str, target: str, tmp_path: Path) -> None:
    before, after = _with_everything(tmp_path / f"in.{source}"), tmp_path / f"out.{target}"
    anonymize(before, after, Settings(source=SourceConfig(video_stream=0)))
    with av.open(str(after)) as container:
        default = [bool(stream.disposition & Disposition.default) for stream in container.streams.audio]
        titles = [stream.metadata.get("title", stream.metadata.get("name")) for stream in container.streams.audio]
    assert default == [False, True, False]
    assert titles == ["track 0", "track 1", "track 2"]


@pytest.mark.parametrize(
    ("codec", "target"),
    [
        *(("aac", target) for target in ("mp4", "mkv", "ts")),
        *((codec, "mkv") for codec in ("libopus", "libmp3lame", "ac3", "flac", "pcm_s16le")),
        *(("aac", "webm"), ("flac", "mov"), ("pcm_s16le", "ts")),  # encoded again
    ],
)
def test_audio_that_the_source_has_cut_away_stays_away(codec: str, target: str, tmp_path: Path) -> None:
    """An edit list hides the first second: no player plays it, and no copy may make it heard."""
    source, after = tmp_path / f"in.{'mov' if codec == 'pcm_s16le' else 'mp4'}", tmp_path / f"out.{target}"
    with av.open(str(source), "w") as container:
        video = _video(container)
        track = cast(AudioStream, container.add_stream(codec, rate=AUDIO_RATE_HZ, layout="mono"))
        _frames(container, video, 50)
        _tone(container, track, -1.0, 1.0)
    hidden_bytes = payloads(source)[5]
    anonymize(source, after)
    assert hidden_bytes not in payloads(after)
    with av.open(str(after)) as container:
        heard_s = sum(frame.samples for frame in container.decode(audio=0)) / AUDIO_RATE_HZ
    assert 1.0 <= heard_s < 1.15  # a tenth of a second may be an encoder's run-up


def _text_track(container: OutputContainer) -> None:
    stream = container.add_data_stream("bin_data")
    packet = av.Packet(b"+52.5+013.4/")
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 1000)
    container.mux(packet)


def test_other_streams_are_left_out(tmp_path: Path) -> None:
    """Such as where a camera was, frame by frame."""
    with av.open(str(tmp_path / "in.ts"), "w") as container:
        video = _video(container)
        _text_track(container)
        _frames(container, video, 10)
    summary = anonymize(tmp_path / "in.ts", tmp_path / "out.ts")
    assert any("data stream" in text for text in summary.left_out), summary.left_out
    assert b"+52.5" in (tmp_path / "in.ts").read_bytes()
    assert b"+52.5" not in (tmp_path / "out.ts").read_bytes()


def test_a_video_without_audio(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make_video(tmp_path / "in.mp4", replace(SMALL, audio=()))
    with caplog.at_level(logging.WARNING):
        assert anonymize(source, tmp_path / "out.mp4").left_out == ()
    assert caplog.text == ""
