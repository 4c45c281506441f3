"""Each stage of a run in a loop of its own, on the real frames of a clip and through the real classes.

python -m scripts.bench.stages CLIP [KEY=VALUE ...] prints JSON: for each stage its CPU and wall-clock time a frame in
milliseconds, and the CPU time of its floor, the least that its work takes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from blurscene_stream.address import Address
from blurscene_stream.boxes import Detections
from blurscene_stream.config import Settings, load_settings
from blurscene_stream.config.schema import class_configs
from blurscene_stream.errors import BlurSceneError
from blurscene_stream.frames import Frame, RedactedFrame
from blurscene_stream.pipeline.stages import tracked, with_cuts
from blurscene_stream.redact import Redactor
from blurscene_stream.redact.plane_views import plane_views
from blurscene_stream.sink import open_sink
from blurscene_stream.source import open_source
from blurscene_stream.streams import StreamInfo
from blurscene_stream.track import uncertainty_limits
from scripts.bench.detection import DetectionStages
from scripts.bench.floor import decoded, encode, stream_info
from scripts.bench.timing import Timing, timed

Item = TypeVar("Item")
Covered = tuple[Frame, Detections]

MAX_HELD_BYTES = 200_000_000  # of the frames that the loops go over, in memory together: 64 at 1080p

FLOORS = {
    "decode": "PyAV's decoder alone",
    "shot detection": "",
    "network input": "one call of swscale for each size",
    "network": "its multiplications at the rate of one large float32 matrix product",
    "maps and merging": "one comparison for each cell and class",
    "turned check": "",
    "tracking": "",
    "redaction": "one value over the same regions",
    "encode": "PyAV's encoder alone, with the same settings",
}
"""Stages in the order of a run -> what their floor is; "" where there is none."""


@dataclass(frozen=True)
class StageReport:
    """Timing of each stage, and what it was measured with.

    frames: that the loops went over; boxes: found in each of them; inputs: sizes of the network's input
    """

    stages: dict[str, Timing]
    frames: int
    boxes: float
    inputs: list[str]
    device: str


def measure(path: Path, settings: Settings) -> StageReport:
    """Time all stages on the first frames of a file.

    Raises what a run on it raises.
    """
    info, frames = first_frames(path, settings)
    stages = {"decode": _decode(path, settings)}
    stages["shot detection"] = timed(lambda: _drain(with_cuts(_items(frames))), len(frames))
    detection = DetectionStages(frames, info, settings)
    stages |= detection.timings()
    found = list(zip(frames, detection.detections, strict=True))
    thresholds = [one.threshold for one in class_configs(settings, detection.class_names)]
    uncertainty = uncertainty_limits(thresholds, info.picture)
    items = tracked(_items(found), settings.track, detection.class_names, info.time_base, uncertainty)
    covered: list[Covered] = []
    stages["tracking"] = timed(lambda: covered.extend(item for item in items if isinstance(item, tuple)), len(frames))
    redactor, shown = Redactor(settings, detection.class_names), list[RedactedFrame]()
    redaction = timed(lambda: shown.extend(redactor(*each) for each in covered), len(covered))
    stages["encode"] = _encode(shown, info, settings)
    stages["redaction"] = redaction.above(_fill(covered, redactor))
    boxes = sum(len(each.confident()) for each in detection.detections) / len(frames)
    return StageReport(stages, len(frames), boxes, detection.inputs, detection.device_name)


def first_frames(path: Path, settings: Settings) -> tuple[StreamInfo, list[Frame]]:
    """Return the first frames of a file, as many as may be held at once."""
    with open_source(Address(str(path)), settings) as source:
        picture = source.info.picture
        limit = max(2, MAX_HELD_BYTES // (3 * picture.width * picture.height // 2))
        return stream_info(source), list(islice((item for item in source.items() if isinstance(item, Frame)), limit))


def _decode(path: Path, settings: Settings) -> Timing:
    frames = 0

    def read() -> None:
        nonlocal frames
        with open_source(Address(str(path)), settings) as source:
            _drain(source.items())
            frames = source.passed_frames

    whole = timed(read, 1)
    floor = timed(lambda: _drain(decoded(path)), frames)
    return Timing(whole.cpu_ms / frames, whole.wall_ms / frames, floor.cpu_ms)


def _fill(covered: Sequence[Covered], redactor: Redactor) -> Timing:
    """Time the floor of redaction: fill what it covers; the pictures show nothing else there from now on."""
    views = [
        view.samples
        for frame, found in ((frame.owned(), found) for frame, found in covered)
        for region in redactor.regions(frame.picture, found)
        for view in plane_views(frame, region.rect)
    ]
    return timed(lambda: _drain(samples.fill(128) for samples in views), len(covered))


def _encode(shown: Sequence[RedactedFrame], info: StreamInfo, settings: Settings) -> Timing:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.mp4"
        timing = timed(lambda: _write(shown, target, info, settings), len(shown))
        pictures = [frame.native for frame in shown]
        return timing.above(timed(lambda: encode(pictures, Path(folder) / "floor.mp4", info, settings), len(shown)))


def _write(shown: Sequence[RedactedFrame], target: Path, info: StreamInfo, settings: Settings) -> None:
    with open_sink(Address(str(target)), info, settings, overwrite=True) as sink:
        for frame in shown:
            sink.write(frame)
        sink.commit()


def _items(items: Iterable[Item]) -> Generator[Item]:
    yield from items


def _drain(items: Iterable[object]) -> None:
    deque(items, maxlen=0)


def main(arguments: Sequence[str]) -> int:
    """Print the report of one file, or one line about what is wrong."""
    try:
        report = measure(Path(arguments[0]), load_settings(arguments[1:]))
    except BlurSceneError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
