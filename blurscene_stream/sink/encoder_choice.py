"""Encoder choice: the encoder that is named or fits the container, and a probe of whether a hardware encoder works."""

from __future__ import annotations

import io
import logging

import av

from blurscene_stream.config.schema import EncodeConfig, Hardware, Settings
from blurscene_stream.errors import SinkError, UsageError, first_line, reason
from blurscene_stream.sink.encoder_presets import (
    AV1,
    ENCODERS,
    HARDWARE,
    SOFTWARE,
    VP9,
    X264,
    X265,
    Encoder,
    parse_bitrate,
)
from blurscene_stream.sink.thread_priority import kept_thread_priority
from blurscene_stream.sink.video_encoder import VideoEncoder
from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)

MAX_BITRATE = 2_000_000_000  # bits per second: FFmpeg's rate control counts in 32 bits


def choose_encoder(settings: EncodeConfig, container: str, source_codec: str = "", bits: int = 8) -> Encoder:
    """Return the encoder for a container: the one that is named, else the default one, in software.

    container:    FFmpeg's name of the muxer
    source_codec: FFmpeg's name of the codec of the input; "" where that is not known yet
    bits:         of a sample of the input
    Raises UsageError when the name is unknown, the container cannot hold the codec, or the encoder does not take the
    settings.
    """
    auto = settings.codec == "auto"
    encoder = (
        _default_encoder(settings, container, source_codec, bits) if auto else _named_encoder(settings.codec, container)
    )
    if refusal := _settings_error(encoder, settings):
        raise UsageError(refusal)
    if settings.bitrate is not None and parse_bitrate(settings.bitrate) > MAX_BITRATE:
        raise UsageError(f"encode.bitrate must be at most 2000M, got {settings.bitrate!r}")
    return encoder


def choose_working_encoder(container: str, info: StreamInfo, settings: Settings) -> Encoder:
    """Return the encoder for a stream; hardware encoders are probed first.

    With `encode.hardware` auto it is the first hardware encoder of the codec that works, else the software one.
    Raises UsageError as `choose_encoder` does, SinkError when a hardware encoder is named and does not work.
    """
    chosen = _encoder_for(container, info, settings)
    if chosen.hardware:
        if error := _probe(chosen, container, info, settings):
            raise SinkError(f"{chosen.name} does not work here: {error}; choose another with -c:v (encode.codec)")
        return chosen
    if settings.encode.hardware is Hardware.never:
        return chosen
    failed = []
    for encoder in _hardware_encoders(chosen, settings.encode, container):
        error = _probe(encoder, container, info, settings)
        if not error:
            log.info("%s: encoded by %s", info.name, encoder.name)
            return encoder
        failed.append(f"{encoder.name}: {error}")
    errors = "; ".join(failed) or f"none encodes {chosen.codec} with these settings"
    log.warning("%s: no hardware encoder works (%s), it is encoded by %s", info.name, errors, chosen.name)
    return chosen


def _encoder_for(container: str, info: StreamInfo, settings: Settings) -> Encoder:
    """Return the encoder that is named, or that of the input's codec where it takes pictures of this size.

    x265 and SVT-AV1 take no picture of 2x16000, for which nobody has asked them: x264 does.
    """
    chosen = choose_encoder(settings.encode, container, info.codec, info.picture.pixel_format.bits)
    usual = choose_encoder(settings.encode, container)
    if settings.encode.codec != "auto" or chosen is usual or not (error := _probe(chosen, container, info, settings)):
        return chosen
    log.info("%s", f"{info.name}: {chosen.name} does not take it ({error}), it is encoded by {usual.name}")
    return usual


def _probe(encoder: Encoder, container: str, info: StreamInfo, settings: Settings) -> str:
    """Encode a grey picture of this size and format; return why that fails, "" when it does not.

    Only a probe can tell: the GPU, its driver and the size of the picture decide.
    """
    live = settings.rtsp if container == "rtsp" else None
    try:
        with av.open(io.BytesIO(), "w", format="matroska") as discarded, kept_thread_priority():
            VideoEncoder(discarded, encoder, info, settings.encode, live).probe()
    except SinkError as error:
        return first_line(error)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return reason(error)
    return ""


def _hardware_encoders(software: Encoder, settings: EncodeConfig, container: str) -> list[Encoder]:
    """Hardware encoders of the same codec that take the settings, in the order in which to probe them."""
    same = [each for each in HARDWARE if each.codec == software.codec and not _container_error(each, container)]
    return [each for each in same if not _settings_error(each, settings)]


def _default_encoder(settings: EncodeConfig, container: str, source_codec: str, bits: int) -> Encoder:
    """Return the encoder of the input's codec for HEVC, and AV1 and VP9 of more than 8 bits, else H.264, VP9 in WebM.

    In H.264 an HEVC file would become half as large again, and hardly any hardware decodes more than 8 bits of it.
    """
    kept = {"hevc": X265} | ({"av1": AV1, "vp9": VP9} if bits > 8 else {})
    encoder = kept.get(source_codec)
    if encoder and not _container_error(encoder, container) and not _settings_error(encoder, settings):
        return encoder
    return VP9 if container == "webm" else X264


def _named_encoder(codec: str, container: str) -> Encoder:
    if codec not in ENCODERS:
        raise UsageError(f"encode.codec must be auto or one of {', '.join(ENCODERS)}, got {codec!r}")
    encoder = ENCODERS[codec]
    if error := _container_error(encoder, container):
        raise UsageError(error)
    return encoder


def _container_error(encoder: Encoder, container: str) -> str:
    """Return why the container cannot hold the encoder's codec; "" when it can."""
    if container == "rtsp":
        return "" if encoder.live_options is not None else f"an RTSP target is sent h264, not {encoder.codec}"
    if container in encoder.containers:
        return ""
    codecs = [each.codec for each in SOFTWARE if container in each.containers]
    others = [suffix for suffix in ("mp4", "mkv") if suffix.replace("mkv", "matroska") in encoder.containers]
    name = container.removeprefix("mpeg")
    return f"{name} takes no {encoder.codec}: choose {' or '.join(codecs)}, or write {' or '.join(others)}"


def _settings_error(encoder: Encoder, settings: EncodeConfig) -> str:
    """Return why the encoder does not take the settings; "" when it does."""
    if settings.preset is not None and settings.preset not in encoder.presets:
        allowed = f"one of {', '.join(encoder.presets)}" if encoder.presets else "null"
        return f"encode.preset must be {allowed} for {encoder.name}, got {settings.preset!r}"
    if encoder.default_quality is None:
        given = [key for key in ("crf", "bitrate") if getattr(settings, key) is not None]
        return f"encode.{given[0]} must be null for {encoder.name}: it is lossless" if given else ""
    if settings.crf is not None and settings.crf not in encoder.quality_range:
        low, high = encoder.quality_range[0], encoder.quality_range[-1]
        return f"encode.crf must be in {low}..{high} for {encoder.name}, got {settings.crf}"
    return ""
