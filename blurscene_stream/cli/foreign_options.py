"""Hidden options of the command for videos, by the names that deface and FFmpeg have for them (docs/usage.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

NOT_CUT = "nothing is cut: one frame comes out for one that goes in; cut the result with ffmpeg {} ... -c copy"
NOT_FILTERED = "the picture is changed where something is covered and nowhere else; filter the result with ffmpeg {}"
VALUES = {  # options with a value that are not taken -> what to do instead
    "--mosaicsize": "the cells follow the size of the box, so that nobody can be recognized; see --set redact.cells",
    "--replaceimg": "no picture is put over a face; use --replacewith mosaic, solid or blur",
    "--ffmpeg-config": "the encoder is set by -c:v, -crf, -preset and -b:v",
    "--execution-provider": "the device is set by --device, such as cuda",
    "--ep": "the device is set by --device, such as cuda",
    "-ss": NOT_CUT.format("-ss"),
    "-to": NOT_CUT.format("-to"),
    "-s": "the picture keeps its size; --scale WxH is that of what the detector sees",
    "-vf": NOT_FILTERED.format("-vf"),
    "-filter:v": NOT_FILTERED.format("-filter:v"),
    "-af": "the audio passes as it is; filter the result with ffmpeg -af",
    "-r": "every frame keeps its time; change the rate of the result with ffmpeg -r",
    "-map": "one video and its audio pass; see --keep, --audio drop and --set source.video_stream=N",
    "-b:a": "audio is copied, or encoded at the usual bit rate; encode the result with ffmpeg -b:a",
    "-pix_fmt": "the pixel format stays as it is; convert the result with ffmpeg -pix_fmt",
    "-f": "the container is told by the ending of OUTPUT, and by --format for a pipe",
    "-c": "the video is encoded anew, for it is changed, see -c:v; audio is copied anyway, see -c:a",
    "-metadata": "tags pass by their names, and as they are: --keep-tag KEY",
    "-movflags": "MP4 has its index first anyway",
    "-threads": "threads are set by --set encode.threads=N and --set detect.threads=N",
    "-loglevel": "say --log-level",
}
FLAGS = {  # likewise, without a value
    "--draw-scores": "scores are drawn by --preview, which is NOT anonymized",
    "--keep-metadata": "tags tell who and where; --keep-tag KEY keeps one by name",
    "--disable-progress-output": "say --quiet",
    "-vn": "nothing would be left without its video; ffmpeg -vn takes the audio",
}
AGREED = {  # flags that ask for what is done anyway
    "--boxes": "Whole boxes are covered anyway (deface).",
    "--keep-audio": "Audio is kept anyway (deface).",
    "-k": "Likewise (deface).",
    "-n": "What exists is not replaced anyway, without -y (FFmpeg).",
    "-sn": "Subtitles do not pass anyway, without --keep (FFmpeg).",
    "-dn": "Data do not pass anyway, without --keep (FFmpeg).",
    "-hide_banner": "No banner is shown anyway (FFmpeg).",
    "-nostdin": "Standard input is not read anyway, unless it is INPUT (FFmpeg).",
}
Option = Callable[[Any], Any]


def _refuse(_: click.Context, option: click.Parameter, value: object) -> None:
    name = option.opts[0]
    if value not in (None, False):
        raise click.UsageError(f"{name}: {VALUES.get(name) or FLAGS[name]}")


def _refused(name: str, is_flag: bool) -> Option:
    own = "refused" + re.sub(r"\W", "_", name)
    return click.option(name, own, is_flag=is_flag, hidden=True, expose_value=False, callback=_refuse)


COMPATIBILITY_OPTIONS: Sequence[Option] = (
    *(_refused(name, is_flag=False) for name in VALUES),
    *(_refused(name, is_flag=True) for name in FLAGS),
    *(click.option(name, is_flag=True, hidden=True, expose_value=False, help=text) for name, text in AGREED.items()),
    click.option("--scale", metavar="WxH", hidden=True, help="--size by the longer of two sides (deface)."),
    click.option("-an", "no_audio", is_flag=True, hidden=True, help="--audio drop (FFmpeg)."),
    click.option("-c:a", "-acodec", "audio_codec", metavar="CODEC", hidden=True, help="--audio CODEC (FFmpeg)."),
)
