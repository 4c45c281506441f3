"""What an output is told of its pictures beside their samples, and what it cannot be told: one line for each."""

from __future__ import annotations

from collections.abc import Iterator

from av.video.stream import VideoStream

from blurscene_stream.boxes import UPRIGHT
from blurscene_stream.sink.fields import OF_FIELDS, codes_fields
from blurscene_stream.sink.hdr import light_options
from blurscene_stream.streams import FieldOrder, StreamInfo

FULL_RANGE = 2  # AVCOL_RANGE_JPEG
TURNING = ("mp4", "mov", "matroska", "webm")  # containers that say how pictures are turned
SHAPING = ("mp4", "mov")  # containers that say it of pixels, whatever the encoder
STEREO = ("libx264",)  # encoders that say how the views of a 3D picture lie
SHAPELESS = ("libvpx-vp9", "libsvtav1")  # encoders that do not


def describe(stream: VideoStream, info: StreamInfo, form: str) -> list[str]:
    """Tell a video stream what the source told us: everything but the samples stays as it was.

    stream: not yet open; with its pixel format
    form:   ffmpeg's name of the container
    Returns what encoder or container cannot be told, in words.
    """
    context = stream.codec_context
    context.time_base = stream.time_base = info.time_base
    context.color_range = FULL_RANGE if info.picture.full_range else info.color.color_range
    context.color_primaries, context.color_trc = info.color.primaries, info.color.transfer
    context.colorspace = info.color.matrix
    context.field_order = info.container_field_order
    if info.picture.sample_aspect_ratio != 1:
        context.sample_aspect_ratio = info.picture.sample_aspect_ratio
    if info.display_matrix is not None:
        stream.set_display_matrix(info.display_matrix)
    light = light_options(context.name, info.color)
    for option, told in (light or {}).items():
        others = context.options.get(option)
        context.options[option] = f"{others}:{told}" if others else told
    return list(_untold(stream, info, form, light is None))


def _untold(stream: VideoStream, info: StreamInfo, form: str, dark: bool) -> Iterator[str]:
    encoder = stream.codec_context.name
    if info.picture.sample_aspect_ratio != 1 and encoder in SHAPELESS and form not in SHAPING:
        yield f"{encoder} in {form} cannot tell that pixels are not square; write mp4, or use h264 or hevc"
    if info.picture.orientation != UPRIGHT and form not in TURNING:
        yield f"{form} cannot tell how pictures are turned; write mp4 or mkv"
    if info.field_order is FieldOrder.single_field:
        yield "each picture is one field of an interlaced one, and is encoded as a picture by itself"
    elif info.field_order is not FieldOrder.progressive and not codes_fields(stream):
        size = f" of {info.picture.height} lines" if encoder in OF_FIELDS else ""
        yield f"{encoder} cannot mark pictures{size} as interlaced, they are encoded as progressive; use h264"
    if info.stereo3d and encoder not in STEREO:
        yield f"{encoder} cannot tell how the two views of a 3D picture lie; use h264"
    if dark:
        yield f"{encoder} cannot tell how bright the HDR display was; use h264, hevc or av1"
