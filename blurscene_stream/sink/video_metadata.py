"""Metadata of the encoded video: time base, colour, HDR10, pixel aspect ratio, rotation and field order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from av.codec.context import Flags
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.boxes import UPRIGHT
from blurscene_stream.streams import ColorMetadata, FieldOrder, StreamInfo

FULL_RANGE = 2  # AVCOL_RANGE_JPEG
ROTATING_CONTAINERS = ("mp4", "mov", "matroska", "webm")  # containers with a display matrix
ASPECT_CONTAINERS = ("mp4", "mov")  # containers with a pixel aspect ratio of their own, whatever the encoder writes
STEREO3D_ENCODERS = ("libx264",)  # encoders that write the frame packing SEI of 3D video
NO_ASPECT_ENCODERS = ("libvpx-vp9", "libsvtav1")  # encoders that write no pixel aspect ratio
INTERLACED_ENCODERS = ("libx264", "ffv1")  # encoders that code interlaced pictures
SETFIELD_MODES = {FieldOrder.top_first: "tff", FieldOrder.bottom_first: "bff"}

# Units of H.264 and H.265, D.2.29 and D.3.28: 0.00002 for chromaticity, 0.0001 cd/m2 for luminance
CHROMATICITY_STEPS, LUMINANCE_STEPS = 50_000, 10_000


def set_metadata(stream: VideoStream, info: StreamInfo, container: str) -> list[str]:
    """Give a video stream the metadata of its source.

    stream:    not yet open, with its size and pixel format
    container: FFmpeg's name of the muxer
    Return a notice for each property that encoder or container have no place for.
    """
    context = stream.codec_context
    context.time_base = stream.time_base = info.time_base
    context.color_range = FULL_RANGE if info.picture.full_range else info.color.color_range
    context.color_primaries, context.color_trc = info.color.primaries, info.color.transfer
    context.colorspace = info.color.matrix
    context.options["field_order"] = str(info.container_field_order)  # PyAV has an attribute for it from 18.1 on
    if info.picture.sample_aspect_ratio != 1:
        context.sample_aspect_ratio = info.picture.sample_aspect_ratio
    if info.display_matrix is not None:
        stream.set_display_matrix(info.display_matrix)
    hdr = hdr_options(context.name, info.color)
    for option, value in (hdr or {}).items():
        others = context.options.get(option)
        context.options[option] = f"{others}:{value}" if others else value
    return list(_lost_metadata(stream, info, container, hdr_lost=hdr is None))


def _lost_metadata(stream: VideoStream, info: StreamInfo, container: str, hdr_lost: bool) -> Iterator[str]:
    encoder = stream.codec_context.name
    if info.picture.sample_aspect_ratio != 1 and encoder in NO_ASPECT_ENCODERS and container not in ASPECT_CONTAINERS:
        yield f"{encoder} in {container} has no pixel aspect ratio, pixels become square; write mp4, or use h264, hevc"
    if info.picture.orientation != UPRIGHT and container not in ROTATING_CONTAINERS:
        yield f"{container} has no display matrix, the rotation is lost; write mp4 or mkv"
    if info.field_order is FieldOrder.single_field:
        yield "each picture is a single field of an interlaced frame, and is encoded as a frame of its own"
    elif info.field_order is not FieldOrder.progressive and not codes_interlaced(stream):
        size = f" of {info.picture.height} lines" if encoder in INTERLACED_ENCODERS else ""
        yield f"{encoder} cannot code pictures{size} as interlaced, they are encoded as progressive; use h264"
    if info.stereo3d and encoder not in STEREO3D_ENCODERS:
        yield f"{encoder} has no stereo 3D metadata, the layout of the two views is lost; use h264"
    if hdr_lost:
        yield f"{encoder} has no HDR10 metadata, mastering display and light level are lost; use h264, hevc or av1"


def hdr_options(encoder: str, color: ColorMetadata) -> dict[str, str] | None:
    """Return the encoder's options for HDR10 mastering display and content light level; None when it has none.

    PyAV cannot attach this side data to an encoder. Nothing is lost but digits that the bitstream has no room for.
    """
    if color.mastering_display is None and color.content_light_level is None:
        return {}
    if encoder not in _HDR_PARAMS:
        return None
    option, mastering_key, light_key, to_text = _HDR_PARAMS[encoder]
    params = []
    if color.mastering_display is not None:
        params.append(f"{mastering_key}={to_text(color.mastering_display)}")
    if color.content_light_level is not None:
        params.append(f"{light_key}={color.content_light_level[0]},{color.content_light_level[1]}")
    return {option: ":".join(params)}


def _in_steps(display: Sequence[Fraction]) -> str:
    chromaticity = [round(value * CHROMATICITY_STEPS) for value in display[:8]]
    return _display_text(chromaticity, [round(value * LUMINANCE_STEPS) for value in display[8:]])


def _in_decimals(display: Sequence[Fraction]) -> str:
    numbers = [f"{float(value):.6f}" for value in display]
    return _display_text(numbers[:8], numbers[8:])


def _display_text(chromaticity: Sequence[object], luminance: Sequence[object]) -> str:
    red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y = chromaticity
    low, high = luminance
    return f"G({green_x},{green_y})B({blue_x},{blue_y})R({red_x},{red_y})WP({white_x},{white_y})L({high},{low})"


# encoder -> the option that holds its private parameters, the two keys in it, and how numbers are written
_HDR_PARAMS: dict[str, tuple[str, str, str, Callable[[Sequence[Fraction]], str]]] = {
    "libx264": ("x264-params", "mastering-display", "cll", _in_steps),
    "libx265": ("x265-params", "master-display", "max-cll", _in_steps),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", _in_decimals),
}


def codes_interlaced(stream: VideoStream) -> bool:
    """Tell whether the encoder codes interlaced pictures of this size: x264 needs whole rows of chroma per field."""
    encoder = stream.codec_context.name
    if encoder not in INTERLACED_ENCODERS:
        return False
    subsampled = stream.format.chroma_height(4) < 4
    return encoder != "libx264" or stream.height % (4 if subsampled else 2) == 0


class FieldOrderMarker:
    """Gives every frame the field order of the first one.

    x264 goes by the newest mark, also for pictures in its look-ahead: of a video that mixes field orders, it would
    mark some pictures wrongly.
    """

    def __init__(self, stream: VideoStream, field_order: FieldOrder) -> None:
        """Switch interlaced coding on in `stream`, where the encoder can and the video is interlaced."""
        self._mode = SETFIELD_MODES.get(field_order) if codes_interlaced(stream) else None
        self._graph: Graph | None = None
        if self._mode is not None:
            stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """Return the same picture with the mark. PyAV cannot set it, FFmpeg's filter `setfield` can."""
        if self._mode is None:
            return frame
        if self._graph is None:
            self._graph = _setfield_graph(frame, self._mode)
        self._graph.push(frame)
        marked = self._graph.pull()
        assert isinstance(marked, VideoFrame)
        return marked


def _setfield_graph(like: VideoFrame, mode: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=like.time_base)
    marker, sink = graph.add("setfield", mode), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()
    return graph
