"""scripts/bench: the report has a line for everything that was measured, and whatever fails is told in one line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("skimage", reason="the clips' picture comes with scikit-image, the extra 'demo'")

from blurscene_stream import Anonymizer, load_settings
from blurscene_stream.detect.device import is_installed
from scripts.bench.__main__ import main
from scripts.bench.clips import Clip, make_clip
from scripts.bench.comparison import comparison, run_checked
from scripts.bench.programs import BenchError, Cost, Program, peer, run
from scripts.bench.report import Runs, stage_rows
from scripts.bench.stages import FLOORS, first_frames

SMALL = ["detect.size_px=64", "detect.max_upscale=1"]


def test_a_report_has_a_line_for_each_program_and_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not is_installed("openvino"):
        pytest.skip("the network's floor is measured in OpenVINO")
    file = tmp_path / "bench.json"
    options = ["--sizes", "96x64", "--objects", "2", "--frames", "6", "--rounds", "1", "--json", str(file)]
    assert main([*options, "--set", *SMALL, "--peer", "copy=cp {input} {output}"]) == 0
    report = json.loads(file.read_text())
    clip, name = "96x64_2_objects_6_frames", " ".join(["blurscene-stream", *SMALL])
    assert [(row["clip"], row["program"]) for row in report["whole"]] == [
        (clip, "codec alone"),
        (clip, name),
        (clip, "copy"),
    ]
    for row in report["whole"]:
        assert row["one_frame_s"] > 0 and row["one_frame_cpu_s"] > 0 and row["peak_mib"] > 1
        assert (row["first_frame_s"] is not None) == (row["program"] == name)
    (stages,) = report["stages"]
    assert [row["stage"] for row in stages["rows"]] == [*FLOORS, "all stages", "between the stages", "whole run"]
    assert all(row["cpu_ms"] > 0 for row in stages["rows"] if row["stage"] in ("decode", "network", "encode"))
    assert {row["stage"] for row in stages["rows"] if row["floor_ms"]} >= {"decode", "network", "encode"}
    printed = capsys.readouterr().out
    assert [line.split(" | ")[1] for line in printed.splitlines() if line.startswith(f"| {clip}")] == [
        row["program"] for row in report["whole"]
    ]


def test_a_clip_shows_faces_and_plates_that_are_found_and_move(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, "640x360", 2, 13)
    with av.open(str(clip.path)) as container:
        first, *_, last = (
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)
        )
    anonymizer = Anonymizer(load_settings(["detect.variants.rotations=none"]))
    found = [anonymizer.detect(shown).confident() for shown in (first, last)]
    for label in (0, 1):
        before, after = (each.xyxy[each.class_ids == label] for each in found)
        assert len(before) >= 1 and len(after) >= 1
        assert not np.allclose(before[0], after[0], atol=3)


def test_no_stream_of_a_closed_file_gets_to_the_encoder(walker: Path) -> None:
    info, frames = first_frames(walker, load_settings())
    assert len(frames) == 25
    assert info.copied_streams == ()  # the clip has audio, and PyAV frees it with the file


def test_start_up_is_not_in_the_time_a_frame_and_ratios_are_of_the_medians() -> None:
    clip = Clip("clip", Path("clip.mp4"), 11, Path("one.mp4"))
    single = [Cost(1.0, 1.0, 50)]
    runs = {
        "codec alone": Runs(clip, "codec alone", "codec alone", [Cost(2.0, 2.0, 60)], single),
        "ours": Runs(clip, "ours", "codec alone", [Cost(each, each, 70) for each in (9.0, 5.0, 4.0)], single),
        "peer": Runs(clip, "peer", "codec alone", [Cost(11.0, 21.0, 80)], single),
    }
    row = runs["ours"].row(runs, ["peer"])
    assert (row["frames_per_s"], row["cpu_ms_a_frame"], row["peak_mib"]) == (2.5, 400, 70)
    assert (row["cpu_to_codec_alone"], row["frames_per_s_to_peers"]) == (4, {"peer": 2.5})
    timings = {name: {"cpu_ms": 20.0, "wall_ms": 10.0, "floor_ms": 5.0} for name in FLOORS}
    rows = {str(row["stage"]): row for row in stage_rows([timings], runs["ours"])}
    assert rows["decode"]["cpu_to_floor"] == 4
    assert rows["all stages"]["cpu_ms"] == 20 * len(FLOORS)
    assert rows["between the stages"]["cpu_ms"] == 400 - 20 * len(FLOORS)


def test_settings_of_the_encoder_are_those_of_the_codec_alone() -> None:
    programs = comparison([["model=face_plate_v1"], ["model=face_plate_v2"], ["encode.crf=30"]], [])
    assert [floor.name for floor in programs.floors.values()] == ["codec alone", "codec alone", "codec alone 2"]
    assert programs.floors["blurscene-stream encode.crf=30"].command[-1] == "encode.crf=30"


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    assert main(["--files", str(broken)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"{broken}: cannot be measured: ") and said.err.count("\n") == 1
    assert said.out == ""


def test_a_peer_that_fails_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    peer = "broken=sh -c 'echo no camera >&2; exit 3' {input} {output}"
    assert main(["--sizes", "64x64", "--frames", "2", "--peer", peer]) == 1
    _, told = capsys.readouterr().err.splitlines()  # the first line says which round it is
    assert told == "broken: exit code 3 on 64x64_10_objects_2_frames.first_frame.mp4: no camera"


def test_a_peer_that_writes_nothing_fails(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, "64x64", 0, 2)
    with pytest.raises(BenchError, match="idle: wrote 0 of 2 frames"):
        run_checked(peer("idle=true {input} {output}"), clip.path, tmp_path, clip.frames)


def test_peers_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", "copy=cp {input} {output}", "--peer", "copy=true {input} {output}"]) == 1
    assert capsys.readouterr().err == "--peer: each needs a name of its own\n"


@pytest.mark.parametrize("text", ["deface=no/such/program", "other=cp", "=cp {input} {output}"])
def test_a_peer_that_cannot_be_called_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer", text]) == 1
    assert capsys.readouterr().err.startswith(f"--peer {text}: ")


def test_the_gpu_is_looked_at_where_nvidia_smi_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '30\\n50\\n[N/A]\\n'\nexec sleep 60\n")  # until it is ended
    tool.chmod(0o755)
    program, files = peer("sh=sh -c 'sleep 0.3' {input} {output}"), (tmp_path / "a", tmp_path / "b")
    if shutil.which("nvidia-smi") is None:
        assert run(program, *files).gpu_percent is None
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run(program, *files).gpu_percent == 40


def test_the_memory_of_who_measures_is_not_counted(tmp_path: Path) -> None:
    held = np.ones(200 << 20, np.uint8)
    assert run(peer("small=true {input} {output}"), tmp_path / "a", tmp_path / "b").peak_mib < 100
    assert held.nbytes > 100 << 20


def test_programs_keep_their_byte_code_as_installed_ones_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    program = Program("python", (sys.executable, "-c", "import sys; sys.exit(sys.dont_write_bytecode)"))
    run(program, tmp_path / "in.mp4", tmp_path / "out.mp4")
