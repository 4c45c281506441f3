"""Which encoder, and what it may be told."""

from __future__ import annotations

from blurscene_stream.config.schema import EncodeConfig
from blurscene_stream.errors import UsageError
from blurscene_stream.sink.encoders import ENCODERS, HARDWARE, SOFTWARE, VP9, X264, Encoder

MOST_BITS_PER_SECOND = 2_000_000_000  # libav counts in 32 bits


def choose(settings: EncodeConfig, container: str) -> Encoder:
    """The encoder for a container: the one that is named, else the one on the CPU.

    Raises UsageError when there is none of that name, the container does not take it, or it does not take the
    settings.
    """
    encoder = _named(settings.codec, container)
    if refusal := _refusal(encoder, settings):
        raise UsageError(refusal)
    if settings.bitrate is not None and bits_per_second(settings.bitrate) > MOST_BITS_PER_SECOND:
        raise UsageError(f"encode.bitrate must be at most 2000M, got {settings.bitrate!r}")
    return encoder


def hardware_forms(encoder: Encoder, settings: EncodeConfig, container: str) -> list[Encoder]:
    """What makes the same as `encoder` on a chip and takes the settings, in the order in which to try them."""
    same = [each for each in HARDWARE if each.codec == encoder.codec and not _misfit(each, container)]
    return [each for each in same if not _refusal(each, settings)]


def options(encoder: Encoder, settings: EncodeConfig) -> dict[str, str]:
    """What libav is to tell the encoder."""
    told = dict(encoder.fixed)
    if encoder.presets:
        told[encoder.speed_option] = settings.preset or encoder.preset
    if settings.bitrate is None and encoder.quality is not None:
        told |= encoder.constant
        told[encoder.quality_option] = str(encoder.quality if settings.crf is None else settings.crf)
    return told


def bits_per_second(text: str) -> int:
    """ffmpeg's way of writing a bit rate: 800k, 4M, 2.5M."""
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1].lower(), 1)
    return round(float(text.rstrip("kKmM")) * factor)


def _named(codec: str, container: str) -> Encoder:
    if codec == "auto":
        return VP9 if container == "webm" else X264
    if codec not in ENCODERS:
        raise UsageError(f"encode.codec must be auto or one of {', '.join(ENCODERS)}, got {codec!r}")
    encoder = ENCODERS[codec]
    if misfit := _misfit(encoder, container):
        raise UsageError(misfit)
    return encoder


def _misfit(encoder: Encoder, container: str) -> str:
    """Why the encoder is not for this container; nothing when it is."""
    if container == "rtsp":
        return "" if encoder.live is not None else f"an RTSP target is sent h264, not {encoder.codec}"
    if container in encoder.containers:
        return ""
    held = [each.codec for each in SOFTWARE if container in each.containers]
    others = [form for form in ("mp4", "mkv") if form.replace("mkv", "matroska") in encoder.containers]
    name = container.removeprefix("mpeg")
    return f"{name} takes no {encoder.codec}: choose {' or '.join(held)}, or write {' or '.join(others)}"


def _refusal(encoder: Encoder, settings: EncodeConfig) -> str:
    """Why the encoder does not take the settings; nothing when it does."""
    if settings.preset is not None and settings.preset not in encoder.presets:
        allowed = f"one of {', '.join(encoder.presets)}" if encoder.presets else "null"
        return f"encode.preset must be {allowed} for {encoder.name}, got {settings.preset!r}"
    if encoder.quality is None:
        given = [key for key in ("crf", "bitrate") if getattr(settings, key) is not None]
        return f"encode.{given[0]} must be null for {encoder.name}: it loses nothing" if given else ""
    if settings.crf is not None and settings.crf not in encoder.qualities:
        least, most = encoder.qualities[0], encoder.qualities[-1]
        return f"encode.crf must be in {least}..{most} for {encoder.name}, got {settings.crf}"
    return ""
