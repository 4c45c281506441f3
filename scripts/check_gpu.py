"""Check the path to a GPU on a machine that has one: its boxes, rates, start-up, and an error in the middle of a run.

    python -m scripts.check_gpu                                 on the first GPU; meant to take under four minutes
    python -m scripts.check_gpu --device cpu --size 320x180 --frames 12 --compared 4 --seconds 0.1 --at-once 1
                                                                the same steps on the CPU, to try the script itself

Needs the extras "gpu" and "demo". Clips are made on the fly; --files are looked at as well. A table goes to standard
output. Exits with 1 when a check has failed.

- Boxes: those of the device (its own number format) against the CPU's in float32, on frames of each clip. Whatever is
  found with a score of MARGIN above its threshold must be found by the other, with an IoU of MIN_IOU.
- Input: pictures a second, by the Triton kernel and by plain torch, with planes that are brought up and with planes
  that are there; and how far the two differ, on noise in every format and on turned views. On the CPU the kernel
  runs in Triton's interpreter alone: TRITON_INTERPRET=1, and a small --size.
- Network: pictures a second of the clip's size, with the input on the device, and with planes that are brought up.
- Start-up: a run over one frame. Whole runs: frames a second without start-up, alone, several files at once
  with one detector, and the most of them as programs of their own.
- An error of the device in the middle of a run: exit code 6, a message of one line at the end, and nothing left.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections, iou
from blurscene_stream.config import Settings, load_settings
from blurscene_stream.config.model_files import models_of
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.detect.backends.torch.device_network import OnDeviceNetwork
from blurscene_stream.detect.backends.torch.self_check import load_checked
from blurscene_stream.detect.backends.torch.torch_network import TorchNetwork
from blurscene_stream.detect.face_plate import DeviceFacePlateModel, lowest_logits
from blurscene_stream.detect.letterbox import Letterbox
from blurscene_stream.detect.preprocessor import Sample
from blurscene_stream.errors import BlurSceneError, DetectionError, first_line
from blurscene_stream.frames import Frame
from blurscene_stream.source import open_source
from scripts.bench.clips import Clip, given_clip, make_clip
from scripts.check_gpu_input import check_input, copies_of, rate

MARGIN, MIN_IOU = 0.1, 0.8
PATIENCE_S = 100
FAILING = "--fail-in-the-middle"  # of a process of its own

Row = tuple[str, str, bool | None]  # what was checked, what was seen, and whether that is right, if it can be wrong


def check_boxes(detector: Detector, plain: Settings, clips: Sequence[Clip], frames: int) -> Iterator[Row]:
    """Compare the boxes of the device with those of the CPU, with the settings `plain`."""
    on_cpu = load_detector(plain)
    for clip in clips:
        seen = [
            (*missing(one, other), *missing(other, one))
            for batch in batches(clip.path, plain, frames)
            for one, other in zip(detector(batch), on_cpu(batch), strict=True)
        ]
        lost, count, more, _ = np.sum(seen, axis=0)
        yield (
            f"boxes in {clip.name}",
            f"{count} on the CPU: {lost} missing, {more} more",
            bool(lost == more == 0 < count),
        )


def batches(path: Path, settings: Settings, frames: int) -> Iterator[list[Frame]]:
    """Yield the first frames of a file, as many as a detector gets at once."""
    with open_source(Address(str(path)), settings) as source:
        items = (item for item in source.items() if isinstance(item, Frame))
        first = islice(items, frames)
        while batch := list(islice(first, settings.detect.batch_size)):
            yield batch


def missing(found: Detections, wanted: Detections) -> tuple[int, int]:
    """How many of the boxes of `wanted` that are beyond doubt are not in `found`, and how many there are."""
    found, wanted = found.confident(), wanted.confident()
    sure = wanted[wanted.scores > np.float32(0.2 + MARGIN)]
    overlap = np.where(sure.class_ids[:, None] == found.class_ids, iou(sure.xyxy, found.xyxy), 0)
    return int((overlap.max(axis=1, initial=0) < MIN_IOU).sum()), len(sure)


def check_network(
    network: OnDeviceNetwork, detector: Detector, frame: Frame, chosen: argparse.Namespace
) -> Iterator[Row]:
    """Measure pictures a second, with the input on the device and with planes that come from main memory."""
    view, lowest = view_of(detector, frame), lowest_logits(np.full(2, 0.2, np.float32))
    for count in chosen.batches:
        samples = [Sample(each, view, place) for place, each in enumerate(copies_of(frame, count))]
        drawer = network.preprocessor()
        images = drawer.batch(samples)

        def from_planes(drawer: Any = drawer, samples: Any = samples) -> None:
            drawer.forget()
            network.cells(drawer.batch(samples), lowest)

        alone = rate(lambda images=images: network.cells(images, lowest), count, chosen.seconds)  # type: ignore[misc]
        whole = rate(from_planes, count, chosen.seconds)
        yield f"network, {view.width}x{view.height}, {count} at once", f"{alone:.0f} pictures/s", None
        yield f"  with planes of {frame.picture.width}x{frame.picture.height}", f"{whole:.0f} pictures/s", None


def program(chosen: argparse.Namespace, target: Path, *sources: Path) -> list[str]:
    """Return the command line of a run, over all of `sources` at once; several of them go into the folder `target`."""
    options = ["--device", chosen.device, *(["--backend", "torch"] if chosen.device == "cpu" else [])]
    options += [
        word
        for each in (f"model={chosen.model}", "detect.on_device=true", *chosen.settings)
        for word in ("--set", each)
    ]
    options += ["--at-once", str(len(sources)), "-o", str(target), "-y", "--quiet"]
    return [sys.executable, "-m", "blurscene_stream", *map(str, sources), *options]


def view_of(detector: Detector, frame: Frame) -> Letterbox:
    """Return how the detector's network is shown the whole of a frame."""
    (model,) = detector._models
    return model.letterbox(frame.picture, 1.0)


def check_runs(chosen: argparse.Namespace, clip: Clip, folder: Path) -> Iterator[Row]:
    """Time runs of the program: one frame, the clip, several of it at once, and the most of them as programs each."""
    start_up_s = timed_runs([program(chosen, folder / "single.mp4", clip.single)])
    yield "start-up, a run over one frame", f"{start_up_s:.1f} s", None
    copies = [folder / f"copy{number}.mp4" for number in range(max(chosen.at_once))]
    for copy in copies:
        copy.hardlink_to(clip.path)

    def measured(count: int, commands: Sequence[Sequence[str]]) -> str:
        took_s = timed_runs(commands) - start_up_s
        return f"{count * (clip.frames - 1) / max(took_s, 0.001):.1f} frames/s"

    for count in chosen.at_once:
        target = folder / "out.mp4" if count == 1 else folder / "out"
        rate = measured(count, [program(chosen, target, *copies[:count])])
        yield f"{count} of {clip.name} at once", rate, None
    if len(copies) > 1:
        apart = [program(chosen, folder / f"out{copy.name}", copy) for copy in copies]
        yield f"{len(copies)} as {len(copies)} programs", measured(len(copies), apart), None


def timed_runs(commands: Sequence[Sequence[str]]) -> float:
    """Run commands side by side; the seconds until all have ended. Raises DetectionError when one fails."""
    start_s = time.perf_counter()
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) for command in commands]
    try:
        said = [run.communicate(timeout=PATIENCE_S)[1].decode() for run in runs]
    except subprocess.TimeoutExpired as error:
        raise DetectionError(f"a run took more than {PATIENCE_S} s") from error
    finally:
        for run in runs:
            run.kill()
    for run, lines in zip(runs, said, strict=True):
        if run.returncode:
            raise DetectionError(f"a run ended with {run.returncode}: {lines.strip()[-300:]}")
    return time.perf_counter() - start_s


def check_error(chosen: argparse.Namespace, clip: Clip, folder: Path) -> Row:
    """Have the device fail in the middle of a run."""
    empty = folder / "failed"
    empty.mkdir()
    command = [sys.executable, "-m", "scripts.check_gpu", FAILING, *program(chosen, empty / "out.mp4", clip.path)[3:]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    last = next(reversed(ended.stderr.strip().splitlines()), "")
    left = [path.name for path in empty.iterdir()]
    right = ended.returncode == 6 and "the network failed on" in last and "Traceback" not in ended.stderr and not left
    return "an error of the device in mid-run", f"exit code {ended.returncode}, {left or 'nothing'} left; {last}", right


def fail_in_the_middle(arguments: Sequence[str]) -> None:
    """Run the program with a device that fails at the third batch: a GPU by an index out of bounds, in a kernel."""
    from blurscene_stream.cli import main as run_program  # noqa: PLC0415

    calls = 0

    def failing(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(own: Any, images: Any, *more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3 and isinstance(images, torch.Tensor):
                torch.zeros(1, device=images.device)[torch.ones(1, dtype=torch.int64, device=images.device)]
            elif calls == 3:
                raise RuntimeError("an error of the device")
            return method(own, images, *more)

        return call

    OnDeviceNetwork.cells = failing(OnDeviceNetwork.cells)  # type: ignore[method-assign]
    TorchNetwork.__call__ = failing(TorchNetwork.__call__)  # type: ignore[method-assign]
    sys.argv = ["blurscene-stream", *arguments]
    run_program()


def checks(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Yield the rows of all checks, each as soon as it is there."""
    keys = [f"model={chosen.model}", "detect.on_device=true", *chosen.settings]
    settings, plain = load_settings(keys), load_settings([*keys, "device=cpu", "detect.precision=fp32"])
    clip = make_clip(folder, chosen.size, 10, chosen.frames)
    clips = [clip, *(given_clip(path, folder) for path in chosen.files)]
    start_s = time.perf_counter()
    (model,) = models_of(settings)
    network = load_checked(model, chosen.device, settings.detect)
    yield f"loaded and checked on {network.device_name}", f"{time.perf_counter() - start_s:.1f} s", True
    detector = Detector([DeviceFacePlateModel(model, network, settings.detect)], settings)
    yield from check_boxes(detector, plain, clips, chosen.compared)
    (frame, *_) = next(batches(clip.path, settings, 1))
    yield from check_input(network.device, frame, view_of(detector, frame), chosen.batches, chosen.seconds)
    yield from check_network(network, detector, frame, chosen)
    yield check_error(chosen, clip, folder)
    yield from check_runs(chosen, clip, folder)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--model", default=Settings().model.name)
    parser.add_argument("--size", default="1080p", help="of the clip that is made")
    parser.add_argument("--frames", type=int, default=200, help="in it")
    parser.add_argument("--compared", type=int, default=24, help="frames of each clip whose boxes are compared")
    parser.add_argument("--seconds", type=float, default=2, help="for each rate of the network")
    parser.add_argument(
        "--batches", nargs="+", type=int, default=[1, 4, 16], help="pictures that the network gets at once"
    )
    parser.add_argument("--at-once", nargs="+", type=int, default=[1, 2, 4, 8], help="files at once")
    parser.add_argument("--files", nargs="+", type=Path, default=[], help="more clips whose boxes are compared")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="settings")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Check, and print the table."""
    chosen, failed = arguments(given), False
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, {os.cpu_count()} cores\n")
    print("| Check | Seen | |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, seen, right in checks(chosen, Path(folder)):
                failed |= right is False
                print(f"| {name} | {seen} | {'' if right is None else 'right' if right else 'WRONG'} |", flush=True)
        except (BlurSceneError, RuntimeError, OSError) as error:
            print(f"| {first_line(error)} | | WRONG |")
            return 1
    return int(failed)


if __name__ == "__main__":
    if FAILING in sys.argv:
        fail_in_the_middle(sys.argv[sys.argv.index(FAILING) + 1 :])
    else:
        sys.exit(main())
