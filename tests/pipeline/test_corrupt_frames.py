"""Corrupt frames of a file are covered whole, and so are those that were predicted from them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from blurscene_stream.boxes import Detections
from blurscene_stream.cli.progress import summary_line
from blurscene_stream.config.schema import RedactConfig, RedactMethod, Settings
from blurscene_stream.errors import CorruptInputError
from blurscene_stream.frames import Frame, ScanMode
from tests.detectors import BRIGHT, CLASSES, SquareDetector
from tests.pipeline.runs import anonymize, fails, solid
from tests.pipeline.test_output_paths import preview
from tests.settings import changed
from tests.sidecar.doubles import edit, lines, render, write
from tests.videos import VideoSpec, make_video, read_video

FRAMES, NOISE_BYTES = 25, 16
TS_PACKET_BYTES = 188


def spoilt(path: Path, spec: VideoSpec, number: int, all_of_it: bool = False) -> Path:
    """A video in which the middle of one packet is overwritten."""
    whole = make_video(path.with_name("whole" + path.suffix), spec)
    with av.open(str(whole)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(source.demux(video=0)):
            if not packet.size:
                continue
            data, third = bytes(packet), packet.size // 3
            noise = random.Random(number).randbytes(NOISE_BYTES)
            torn = bytes(len(data)) if all_of_it else data[:third] + noise + data[third + NOISE_BYTES :]
            made = av.Packet(torn if place == number else data)
            made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
            made.is_keyframe, made.stream = packet.is_keyframe, stream
            container.mux(made)
    whole.unlink()
    return path


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """A key picture every 5; one between two of them is spoilt."""
    (tmp_path / "in").mkdir()
    return spoilt(tmp_path / "in" / "torn.mkv", VideoSpec(audio=(), options={"g": "5"}), 7)


def shapeless(luma: np.ndarray) -> bool:
    """No more than 6 values along each side, but for what the encoder adds to flat cells."""
    rows, columns = luma.astype(int), luma.T.astype(int)
    return all((np.abs(np.diff(side, axis=1)).max(axis=0) > 6).sum() <= 5 for side in (rows, columns))


def test_a_corrupt_frame_is_covered_whole_up_to_the_next_key_frame(torn: Path, tmp_path: Path) -> None:
    settings = Settings()
    settings = changed(settings, {"encode.crf": 0})
    covered: list[bool] = []
    detector = SquareDetector(lambda frames: covered.extend(frame.corrupt for frame in frames))
    summary = anonymize(torn, tmp_path / "out.mkv", settings, detector)
    assert [number for number, damaged in enumerate(covered) if damaged] == [7, 8, 9]
    assert (summary.frames, summary.covered_whole) == (FRAMES, 3)
    luma = read_video(tmp_path / "out.mkv").luma
    assert [number for number, each in enumerate(luma) if shapeless(each)] == [7, 8, 9]
    assert all(np.array_equal(luma[7], each) for each in luma[7:10])  # they tell no more than the first one


@pytest.mark.parametrize("method", RedactMethod)
def test_nothing_of_it_comes_through_whatever_the_detector_says(
    method: RedactMethod, torn: Path, tmp_path: Path
) -> None:
    settings = replace(solid(), redact=RedactConfig(method=method))
    blind = SquareDetector(lambda frames: [Detections.empty(CLASSES)] * len(frames))
    anonymize(torn, tmp_path / "out.mkv", settings, blind)
    before, after = read_video(torn).luma, read_video(tmp_path / "out.mkv").luma
    assert before[8].max() > BRIGHT and after[6].max() > BRIGHT  # the square is there, and the detector is blind
    steps = np.abs(np.diff(after[8].astype(int), axis=1)).max()
    assert steps < 20 or shapeless(after[8])
    assert method is not RedactMethod.solid or steps == 0


def test_frames_predicted_from_a_corrupt_one_shown_after_them(tmp_path: Path) -> None:
    options = {"preset": "medium", "bf": "3", "b-adapt": "0", "b-pyramid": "none", "sc_threshold": "0", "g": "250"}
    source = spoilt(tmp_path / "torn.mkv", VideoSpec(audio=(), options=options), 5)  # I P B B B P: the second P
    with av.open(str(source)) as container:
        picture_types = [PictureType(frame.pict_type).name for frame in container.decode(video=0)]
    assert picture_types[:9] == ["I", "B", "B", "B", "P", "B", "B", "B", "P"]
    covered: list[int] = []

    def note(frames: Sequence[Frame]) -> None:
        covered.extend(frame.number for frame in frames if frame.corrupt)

    assert anonymize(source, tmp_path / "out.mp4", detector=SquareDetector(note)).frames == FRAMES
    assert covered == list(range(5, FRAMES))


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video", "mpeg1video", "mjpeg"])
def test_a_packet_without_a_picture_ends_the_run(codec: str, tmp_path: Path) -> None:
    """There would be one picture less in the output than in the input."""
    (tmp_path / "out").mkdir()
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    spec = VideoSpec(audio=(), codec=codec, pixel_format=pixels)
    source = spoilt(tmp_path / "torn.mkv", spec, 7, all_of_it=True)
    assert "nothing was written" in fails(CorruptInputError, source, tmp_path / "out" / "out.mp4")


def test_data_that_a_transport_stream_has_lost(tmp_path: Path) -> None:
    """The decoder does not always see it; the stream's own count does."""
    whole = make_video(tmp_path / "film.ts", VideoSpec(audio=(), options={"g": "5"}))
    data = whole.read_bytes()
    blocks = [data[start : start + TS_PACKET_BYTES] for start in range(0, len(data), TS_PACKET_BYTES)]
    del blocks[len(blocks) // 2]
    whole.write_bytes(b"".join(blocks))
    summary = anonymize(whole, tmp_path / "out.mp4")
    assert summary.frames == FRAMES
    assert 1 <= summary.covered_whole <= 10


def test_the_tracker_goes_on_as_if_the_corrupt_frames_were_not_there(torn: Path, tmp_path: Path) -> None:
    """What is found in them begins no track, and they end none: it is still covered where it is thought to be."""

    def invent(frames: Sequence[Frame]) -> list[Detections]:
        found = [SquareDetector()._find(frame) for frame in frames]
        ghost = np.array([[2, 2, 12, 12]], np.float32)
        one = np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES
        return [Detections(ghost, *one) if frame.corrupt else each for frame, each in zip(frames, found, strict=True)]

    write(torn, tmp_path / "out.mkv", tmp_path / "out.jsonl", SquareDetector(invent))
    rows = lines(tmp_path / "out.jsonl")[1:]
    assert {box["label"] for row in rows for box in row["boxes"]} == {"license_plate"}
    by_tracker = ("interpolated", "extrapolated")
    added = [(box["track"], box["origin"] in by_tracker) for row in rows[7:10] for box in row["boxes"]]
    assert added == [(0, True)] * 3


def test_corrupt_frames_are_written_to_and_read_from_the_file_of_detections(torn: Path, tmp_path: Path) -> None:
    written, file = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    write(torn, written, file, SquareDetector())
    assert [row["frame"] for row in lines(file)[1:] if row.get("corrupt")] == [7, 8, 9]
    assert render(torn, tmp_path / "again.mp4", file).covered_whole == 3
    assert (tmp_path / "again.mp4").read_bytes() == written.read_bytes()

    def change(rows: list[dict[str, object]]) -> None:
        rows[1]["corrupt"] = True  # by hand: one more
        for row in rows[8:11]:
            del row["corrupt"]  # nobody can take it back

    assert render(torn, tmp_path / "edited.mkv", edit(file, change)).covered_whole == 4


def test_a_preview_says_so(torn: Path, tmp_path: Path) -> None:
    preview(torn, tmp_path / "out.mkv")
    luma = read_video(tmp_path / "out_NOT_ANONYMIZED.mkv").luma
    frames = [bool((np.abs(each[:2].astype(int) - each[0, 0]) < 12).all()) for each in luma]
    assert [number for number, framed in enumerate(frames) if framed] == [7, 8, 9]


def test_every_frame_gets_the_full_scan(torn: Path, tmp_path: Path) -> None:
    seen: list[tuple[ScanMode, bool]] = []
    detector = SquareDetector(lambda frames: seen.extend((frame.scan_mode, frame.corrupt) for frame in frames))
    anonymize(torn, tmp_path / "out.mkv", detector=detector)
    assert seen == [(ScanMode.full, 7 <= number <= 9) for number in range(FRAMES)]


def test_the_summary_line_counts_them(torn: Path, tmp_path: Path) -> None:
    assert "; 3 damaged pictures were covered whole" in summary_line(anonymize(torn, tmp_path / "out.mkv"))
