"""`blurscene-stream INPUT OUTPUT`: one video, or one live stream."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import click

from blurscene_stream.address import parse_address
from blurscene_stream.cli.logs import set_up_logs
from blurscene_stream.cli.progress import ProgressBar, closing_fields, closing_line
from blurscene_stream.config.load import Loaded, load_settings
from blurscene_stream.config.options import overrides_from_options
from blurscene_stream.config.schema import RedactMethod, Settings
from blurscene_stream.config.show import show
from blurscene_stream.errors import StoppedError
from blurscene_stream.pipeline import Interruption, Job, Watch, anonymize_video

log = logging.getLogger(__name__)

SAME_REQUEST_S = 1.0  # timeout(1) signals the process and then its group: that is one request

EPILOG = """\b
Examples:
  blurscene-stream drive.mp4 drive_anonymized.mp4
  blurscene-stream -crf 18 --face-thresh 0.15 drive.mov out.mkv
  blurscene-stream rtsp://camera/live rtsp://server/anon

\b
Exit codes:
  0  done                            8  live source lost
  1  could not run                   9  output could not be encoded or written
  2  bad usage or settings          10  live target lost
  3  input cut short or damaged     11  device missing
  6  detection failed               70  internal error
  7  redaction failed              130  stopped by Ctrl-C (143: by SIGTERM)
"""


@click.command(
    "video",
    epilog=EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.argument("source", metavar="INPUT", required=False)
@click.argument("target", metavar="OUTPUT", required=False)
@click.option("-y", "overwrite", is_flag=True, help="Replace OUTPUT if it exists.")
@click.option("--thresh", help="Least score of what is covered, in [0, 1): lower finds and covers more.")
@click.option("--face-thresh", help="The same for faces alone.")
@click.option("--plate-thresh", help="The same for licence plates alone.")
@click.option(
    "--replacewith", type=click.Choice([method.name for method in RedactMethod]), help="How things are hidden."
)
@click.option("--mask-scale", help="Scale boxes by this factor before they are covered, such as 1.8.")
@click.option("--size", help="Longer side of the detector's picture: larger finds smaller things.")
@click.option("--device", help="auto, cpu, cuda or cuda:N. One that is named and missing is an error.")
@click.option("--batch-size", help="Pictures a call of the detector.")
@click.option("-c:v", "codec", metavar="CODEC", help="h264, hevc, vp9 or av1.")
@click.option("-crf", "crf", metavar="N", help="Constant quality: lower is better.")
@click.option("-preset", "preset", metavar="NAME", help="The encoder's trade of time for size.")
@click.option("-b:v", "bitrate", metavar="RATE", help="Bit rate instead of constant quality, such as 4M.")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML file with settings, or a folder of them.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting; may be repeated.")
@click.option("--show-config", is_flag=True, help="Print all settings and where each comes from, and end.")
@click.option("--preview", is_flag=True, help="Draw boxes and scores instead of hiding: NOT anonymized.")
@click.option("--quiet", is_flag=True, help="No progress bar; warnings and errors only.")
@click.option("--json-log", is_flag=True, help="One JSON object a line on stderr.")
@click.option("--log-level", help="debug, info, warning, error or critical.")
@click.version_option(package_name="blurscene-stream")
def video_command(
    source: str | None,
    target: str | None,
    overwrite: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    show_config: bool,
    preview: bool,
    quiet: bool,
    **short: object,
) -> int:
    """Cover every face and licence plate of INPUT and write the result to OUTPUT.

    Each is a video file or an rtsp:// address. Sound, timing and the rest of the picture stay as they were.
    """
    loaded = _load(config, overrides, short)
    if show_config:
        click.echo(show(loaded), nl=False)
        return 0
    if source is None or target is None:
        raise click.UsageError(f"{'INPUT' if source is None else 'OUTPUT'} is missing")
    set_up_logs(loaded.settings.logging, quiet)
    job = Job(parse_address(source), parse_address(target), overwrite, preview)
    bar = not quiet and not loaded.settings.logging.json
    _run(job, loaded.settings, ProgressBar(bar))
    return 0


def _load(config: Path | None, overrides: tuple[str, ...], short: dict[str, object]) -> Loaded:
    names = {"codec": "-c:v", "crf": "-crf", "preset": "-preset", "bitrate": "-b:v"}
    given = {names.get(key, "--" + key.replace("_", "-")): value for key, value in short.items()}
    return load_settings(config, overrides, overrides_from_options(given))


def _run(job: Job, settings: Settings, progress: ProgressBar) -> None:
    interruption = Interruption()
    with closing(progress), _signals(interruption):
        watch = Watch(started=progress.started, written=progress.written)
        summary = anonymize_video(job, settings, watch, interruption)
    log.info("%s", closing_line(summary), extra={"fields": closing_fields(summary)})


@contextmanager
def _signals(interruption: Interruption) -> Generator[None]:
    """Ctrl-C and SIGTERM end the run in good order; a later second one ends the program on the spot."""
    asked_s: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        asked_s.append(time.monotonic())
        if len(asked_s) == 1:
            name = signal.Signals(number).name
            interruption.request(StoppedError(f"stopped by {name}; nothing was left", number))
        elif asked_s[-1] - asked_s[0] > SAME_REQUEST_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
