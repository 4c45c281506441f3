"""Sound is compared packet by packet, sample by sample, or by ear."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurscene_stream.config.schema import AudioMode
from blurscene_stream.source.inspection.audio_reading import Wave
from blurscene_stream.source.scrub.audio_frames import without_adts
from blurscene_stream.verify.audio_correlation import correlate
from tests.canaries import film, jpeg
from tests.detectors import SquareDetector
from tests.settings import changed
from tests.verify.runs import anonymized, checked, failed, report_text, settings_of
from tests.verify.scenes import Scene, audio_changed, make_scene, with_audio_of

Packets = list[Any]


@pytest.fixture(scope="module", params=["aac", "flac", "pcm_s16le", "libopus"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A video, its anonymized copy and its file, with audio of one codec after the other."""
    scene, folder = Scene(audio=(request.param,), width=160), tmp_path_factory.mktemp("run")
    source, target, file = make_scene(folder / "in.mkv", scene), folder / "out.mkv", folder / "found.jsonl"
    return source, anonymized(source, target, file), file


def _late(packets: Packets) -> Packets:
    step = packets[2].pts - packets[1].pts
    for packet in packets:
        packet.pts, packet.dts = packet.pts + step, packet.dts + step
    return packets


def _without(place: int) -> Callable[[Packets], Packets]:
    return lambda packets: [packet for number, packet in enumerate(packets) if number != place]


def _one_early(packets: Packets) -> Packets:
    """The right number of packets at the right times, but each holds what the next one must hold."""
    times = [(packet.pts, packet.dts) for packet in packets]
    moved = [*packets[1:], packets[0]]
    for packet, (pts, dts) in zip(moved, times, strict=True):
        packet.pts, packet.dts = pts, dts
    return moved


CHANGES = {"late by a packet": _late, "no first": _without(0), "no third": _without(2), "one early": _one_early}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_audio_fails(what: str, run: tuple[Path, Path, Path], tmp_path: Path) -> None:
    source, target, file = run
    found = checked(source, audio_changed(target, tmp_path / "changed.mkv", CHANGES[what]), file)
    assert failed(found) == {"audio"}, report_text(found)


def test_audio_that_is_only_copied_once_more_passes(run: tuple[Path, Path, Path], tmp_path: Path) -> None:
    source, target, file = run
    found = checked(source, audio_changed(target, tmp_path / "again.mkv", lambda packets: packets), file)
    assert failed(found) == set(), report_text(found)


def test_a_dropped_track_is_a_failure_unless_it_was_meant(tmp_path: Path) -> None:
    source = make_scene(tmp_path / "in.mp4", Scene(width=160))
    quiet = make_scene(tmp_path / "quiet.mp4", Scene(width=160, audio=()))
    target, file = tmp_path / "out.mp4", tmp_path / "found.jsonl"
    anonymized(quiet, target, file)
    found = checked(source, target, file)
    assert failed(found) == {"audio"}
    assert "INPUT has 1 audio tracks, OUTPUT 0; say --audio drop if that was meant" in report_text(found)
    assert failed(checked(source, target, file, audio_dropped=True)) == set()
    assert failed(checked(source, anonymized(source, target, file), file, audio_dropped=True)) == {"audio"}


def test_audio_that_the_run_did_not_read_is_not_read_by_verify_either(tmp_path: Path) -> None:
    source, target, file = tmp_path / "in.mkv", tmp_path / "out.mkv", tmp_path / "found.jsonl"
    with film(source, audio="aac") as made:
        made.spoil_audio = lambda data, number: jpeg() if number == 1 else data
    settings = changed(settings_of(), {"encode.audio": AudioMode.drop})
    anonymized(source, target, file, settings, SquareDetector())
    found = checked(source, target, file, settings, audio_dropped=True, detector=SquareDetector())
    assert "audio" not in failed(found) and "frames" not in failed(found), report_text(found)


@pytest.fixture(scope="module")
def telephone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """G.711, which MP4 cannot hold: it was encoded anew."""
    folder = tmp_path_factory.mktemp("telephone")
    source = make_scene(folder / "in.mov", Scene(frames=60, width=160, audio=("pcm_mulaw",)))
    return source, anonymized(source, folder / "out.mp4", folder / "found.jsonl"), folder / "found.jsonl"


def test_audio_that_was_encoded_anew_passes(telephone: tuple[Path, Path, Path]) -> None:
    found = checked(*telephone)
    assert failed(found) == set(), report_text(found)
    assert "1 track, aac from pcm_mulaw" in report_text(found)


@pytest.mark.parametrize("what", ["late by a packet", "no third", "one early"])  # the first holds no audio yet
def test_audio_that_was_encoded_anew_and_changed_fails(
    what: str, telephone: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    source, target, file = telephone
    found = checked(source, audio_changed(target, tmp_path / "changed.mp4", CHANGES[what]), file)
    assert failed(found) == {"audio"}, report_text(found)


@pytest.mark.parametrize(
    "mode", [AudioMode.aac, AudioMode.opus, AudioMode.mp3, AudioMode.ac3], ids=lambda mode: mode.name
)
def test_noise_passes_though_codecs_make_up_its_high_frequencies(mode: AudioMode, tmp_path: Path) -> None:
    """Rain, applause: AAC, Opus and MP3 keep how loud they are, and of the wave itself only the low frequencies."""
    source = make_scene(tmp_path / "in.mkv", Scene(frames=60, width=160, audio=("pcm_s16le",), rough=1))
    file, settings = tmp_path / "found.jsonl", changed(settings_of(), {"encode.audio": mode})
    target = anonymized(source, tmp_path / "out.mkv", file, settings)
    found = checked(source, target, file, settings)
    assert failed(found) == set(), report_text(found)
    for what in ("late by a packet", "one early"):
        found = checked(source, audio_changed(target, tmp_path / "changed.mkv", CHANGES[what]), file, settings)
        assert failed(found) == {"audio"}, f"{what}: {report_text(found)}"


def split(wave: Wave, rate: int) -> tuple[Wave, Wave]:
    """Its frequencies below 4 kHz, and those above."""
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), 1 / rate) > 4000] = 0
    low = np.fft.irfft(spectrum, len(wave)).astype(np.float32)
    return low, wave - low


def test_noise_that_was_replaced_above_or_below_is_other_audio() -> None:
    rate = 48_000
    (low, high), (other_low, other_high) = (
        split(np.random.default_rng(seed).normal(scale=0.1, size=rate).astype(np.float32), rate) for seed in (0, 1)
    )
    syllables = np.float32(0.05) + np.sin(np.arange(rate) * (2 * np.pi * 4 / rate)).astype(np.float32) ** 2
    made_up = np.float32(0.5) * high + np.float32(0.87) * other_high
    assert correlate(low + high, low + made_up, rate)
    assert not correlate(low + high, other_low + made_up, rate)
    assert not correlate(low + high, low + other_high * syllables, rate), "as loud on the whole, but not all the time"


def test_the_header_of_transport_streams_is_taken_off() -> None:
    payload = bytes(range(40))
    length = len(payload) + 7
    header = bytes([0xFF, 0xF1, 0x4C, 0x80 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC])
    assert without_adts(header + payload) == payload
    assert without_adts(payload) == payload
    assert without_adts(header + payload + b"x") == header + payload + b"x"  # another length: no header


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_audio_that_was_cut_away_must_not_come_back(suffix: str, tmp_path: Path) -> None:
    source, file = make_scene(tmp_path / "in.mp4", Scene(width=160, hidden_s=1.0)), tmp_path / "found.jsonl"
    target = anonymized(source, tmp_path / f"out.{suffix}", file)
    found = checked(source, target, file)
    assert failed(found) == set(), report_text(found)
    found = checked(source, with_audio_of(target, source, tmp_path / f"back.{suffix}"), file)
    assert "audio" in failed(found), report_text(found)
    if suffix == "mp4":  # hidden once more, but there
        assert re.search(r"OUTPUT holds (0\.9|1\.0)\d s of audio that was cut away", report_text(found)), report_text(
            found
        )


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_audio_that_was_cut_and_encoded_anew_passes_and_a_packet_s_shift_fails(suffix: str, tmp_path: Path) -> None:
    """What a cut MP4 has from before its start, no player plays; and Matroska has times in whole milliseconds."""
    source = make_scene(tmp_path / "in.mp4", Scene(frames=40, width=160, hidden_s=0.74))
    file, settings = tmp_path / "found.jsonl", settings_of()
    settings = changed(settings, {"encode.audio": AudioMode.opus})
    target = anonymized(source, tmp_path / f"out.{suffix}", file, settings)
    found = checked(source, target, file, settings)
    assert failed(found) == set(), report_text(found)
    for what in ("late by a packet", "one early", "no third"):
        found = checked(source, audio_changed(target, tmp_path / f"changed.{suffix}", CHANGES[what]), file, settings)
        assert failed(found) == {"audio"}, f"{what}: {report_text(found)}"


@pytest.mark.parametrize(("lag", "same"), [(0, True), (40, True), (-40, True), (960, False), (-960, False)])
def test_another_place_in_the_audio_is_other_audio(lag: int, same: bool) -> None:
    """A millisecond is 48 samples, a packet of Opus 960."""
    noise = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
    assert correlate(noise[1000:49_000], noise[1000 + lag : 49_000 + lag], 48_000) == same
