"""Audio that is encoded again: any rate and any number of channels; corrupt audio ends the run."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream

from blurscene_stream.config.schema import AudioMode, EncodeConfig, Settings
from blurscene_stream.errors import CorruptInputError, SinkError
from tests.pipeline.runs import anonymize, fails
from tests.videos import VideoSpec, make_video, read_video

AUDIO = {  # name -> codec, sample rate, layout, sample format, input, targets
    "telephone": ("pcm_mulaw", 8000, "mono", "s16", "in.mov", ("mp4", "ts", "webm")),
    "studio": ("pcm_s32le", 192_000, "stereo", "s32", "in.mov", ("ts", "webm")),
    "old": ("pcm_s16le", 22_255, "mono", "s16", "in.mov", ("ts", "webm")),
    "disc": ("flac", 44_100, "stereo", "s16", "in.mkv", ("ts", "webm")),
    "cinema": ("pcm_s16le", 48_000, "5.1", "s16", "in.mov", ("ts", "webm")),
    "four": ("pcm_s16le", 48_000, "quad", "s16", "in.mov", ("ts", "webm")),
}


@pytest.mark.parametrize("name", AUDIO)
def test_any_audio_becomes_one_that_the_target_holds(name: str, tmp_path: Path) -> None:
    codec, rate, layout, form, file, targets = AUDIO[name]
    source = tmp_path / file
    channels = av.AudioLayout(layout).nb_channels
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        stream = cast(AudioStream, container.add_stream(codec, rate=rate, layout=layout))
        for number in range(25):
            picture = av.VideoFrame(64, 48, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(rate) / rate * 2 * np.pi * 500) * (0.3 * np.iinfo(form.replace("s", "int")).max)
        samples = np.repeat(wave.astype(form.replace("s", "int")), channels)[None]
        tone = av.AudioFrame.from_ndarray(samples, format=form, layout=layout)
        tone.sample_rate, tone.pts, tone.time_base = rate, 0, Fraction(1, rate)
        container.mux(stream.encode(tone))
        container.mux(stream.encode(None))
    for suffix in targets:
        anonymize(source, tmp_path / f"out.{suffix}")
        with av.open(str(tmp_path / f"out.{suffix}")) as container:
            frames = list(container.decode(audio=0))
            heard_s = sum(frame.samples / frame.sample_rate for frame in frames)
            assert container.streams.audio[0].channels == channels
        assert heard_s == pytest.approx(1.0, abs=0.16)  # up to a frame more at 8000 samples a second
        loudness = [float(np.std(frame.to_ndarray())) for frame in frames[2:-2]]
        assert np.mean(loudness) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_corrupt_audio_that_must_be_decoded_ends_the_run(tmp_path: Path) -> None:
    """Nobody can tell corrupt audio from other data, which must not be copied; encoded again, a part would be lost."""
    source = make_video(tmp_path / "in.mkv", VideoSpec(width=64, height=48, audio=("flac",)))
    with av.open(str(source)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    data = source.read_bytes()
    place = data.index(packets[5])
    source.write_bytes(data[:place] + b"\x55" * len(packets[5]) + data[place + len(packets[5]) :])
    (tmp_path / "out").mkdir()
    message = fails(CorruptInputError, source, tmp_path / "out" / "out.mkv")
    assert "the audio packet at 0.480 s is no frame of flac and may be anything; choose --audio aac or drop" in message
    encoding = Settings(encode=EncodeConfig(audio=AudioMode.aac))
    assert "the audio cannot be decoded" in fails(CorruptInputError, source, tmp_path / "out" / "out.mkv", encoding)


AUDIO_MODES = {  # codec of the source, --audio, target -> codec of the output; "": no audio
    ("aac", "copy", "mkv"): "aac",
    ("aac", "opus", "mp4"): "opus",
    ("aac", "opus", "webm"): "opus",
    ("aac", "aac", "ts"): "aac",
    ("flac", "aac", "mkv"): "aac",
    ("flac", "opus", "mkv"): "opus",
    ("aac", "mp3", "mp4"): "mp3float",
    ("aac", "ac3", "ts"): "ac3",
    ("aac", "flac", "mkv"): "flac",
    ("libmp3lame", "mp3", "mkv"): "mp3float",
    ("aac", "drop", "mp4"): "",
}


@pytest.mark.parametrize(("codec", "mode", "suffix"), AUDIO_MODES)
def test_audio_modes(codec: str, mode: str, suffix: str, tmp_path: Path) -> None:
    """Encoded audio is not taken for a copy, and keeps its time: the tone begins with the pictures."""
    source = make_video(tmp_path / "in.mkv", VideoSpec(width=64, height=48, audio=(codec,)))
    target = tmp_path / f"out.{suffix}"
    summary = anonymize(source, target, Settings(encode=EncodeConfig(audio=AudioMode[mode])))
    expected = AUDIO_MODES[codec, mode, suffix]
    heard = audio_packets(target)
    assert [name for name, _ in heard] == ([expected] if expected else [])
    if codec.removeprefix("lib").startswith(mode):
        assert heard == audio_packets(source), "audio in that codec is copied, bit by bit"
    elif expected:
        start_s, duration_s = audio_times(target)
        assert duration_s == pytest.approx(1.0, abs=0.06)
        assert start_s == pytest.approx(read_video(target).times[0], abs=0.03)
    assert any("audio stream 1" in words for words in summary.left_out) == (mode == "drop")


def audio_packets(path: Path) -> list[tuple[str, list[bytes]]]:
    """Codec and packets of each audio stream, without the ADTS headers that MPEG-TS puts before AAC."""
    with av.open(str(path)) as container:
        streams: dict[int, list[bytes]] = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(list(container.streams.audio)) if streams else ():
            data = bytes(packet)
            if data:
                streams[packet.stream.index].append(data[7:] if data[:2] == b"\xff\xf1" else data)
        return [(container.streams[index].codec_context.name, packets) for index, packets in streams.items()]


def audio_times(path: Path) -> tuple[float, float]:
    """Start and duration of the audio, in seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    assert frames[0].pts is not None and frames[0].time_base is not None
    return float(frames[0].pts * frames[0].time_base), sum(frame.samples / frame.sample_rate for frame in frames)


def test_an_audio_codec_that_the_container_cannot_hold_is_an_error(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", VideoSpec(width=64, height=48, audio=("flac",)))
    (tmp_path / "out").mkdir()
    settings = Settings(encode=EncodeConfig(audio=AudioMode.aac))
    message = fails(SinkError, source, tmp_path / "out" / "out.webm", settings)
    assert "webm cannot hold aac audio; choose --audio opus or drop (encode.audio), or another kind of file" in message


@pytest.mark.parametrize(
    ("mode", "suffix", "message"),
    [
        ("opus", "mov", "mov cannot hold opus audio; choose --audio aac or mp3 or ac3 or drop"),
        ("flac", "ts", "mpegts cannot hold flac audio; choose --audio aac or opus or mp3 or ac3 or drop"),
    ],
)
def test_a_codec_that_the_container_cannot_hold_is_refused(
    mode: str, suffix: str, message: str, tmp_path: Path
) -> None:
    source = make_video(tmp_path / "in.mkv", VideoSpec(width=64, height=48, audio=("aac",)))
    settings = Settings(encode=EncodeConfig(audio=AudioMode[mode]))
    (tmp_path / "out").mkdir()
    assert message in fails(SinkError, source, tmp_path / "out" / f"out.{suffix}", settings)
