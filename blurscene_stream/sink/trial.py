"""Does an encoder work on this machine? Only a trial tells: a chip, its driver and the size of the picture decide."""

from __future__ import annotations

import io
import logging

import av

from blurscene_stream.config.schema import Hardware, Settings
from blurscene_stream.errors import SinkError, first_line, reason
from blurscene_stream.sink.codecs import choose, hardware_forms
from blurscene_stream.sink.encoder import VideoEncoder
from blurscene_stream.sink.encoders import Encoder
from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)


def pick(container: str, info: StreamInfo, settings: Settings) -> Encoder:
    """The encoder for a stream: the one that is named, or with `encode.hardware` the first on a chip that works.

    container: libav's name of the format that is written
    Raises UsageError as `choose` does, SinkError when an encoder on a chip is named and does not work.
    """
    chosen = choose(settings.encode, container)
    if chosen.chip:
        if why := _failure(chosen, container, info, settings):
            raise SinkError(f"{chosen.name} does not work here: {why}; choose another with -c:v")
        return chosen
    if settings.encode.hardware is Hardware.never:
        return chosen
    failed = []
    for form in hardware_forms(chosen, settings.encode, container):
        why = _failure(form, container, info, settings)
        if not why:
            log.info("%s: encoded by %s", info.name, form.name)
            return form
        failed.append(f"{form.name}: {why}")
    words = "; ".join(failed) or f"none makes {chosen.codec} as the settings ask"
    log.warning("%s: no chip encodes it (%s), %s does", info.name, words, chosen.name)
    return chosen


def _failure(encoder: Encoder, container: str, info: StreamInfo, settings: Settings) -> str:
    """Why it cannot encode a grey picture of this stream's shape; nothing when it can."""
    live = settings.rtsp if container == "rtsp" else None
    try:
        with av.open(io.BytesIO(), "w", format="matroska") as nowhere:
            VideoEncoder(nowhere, encoder, info, settings.encode, live).try_out()
    except SinkError as error:
        return first_line(error)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return reason(error)
    return ""
