"""Properties of a media file that must be the same in the output, read back by libav."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.buffer import Buffer
from av.filter import Graph
from av.stream import Disposition
from av.video.frame import VideoFrame

from blurscene_stream.source.frames.timestamps import fraction

ADTS_MARK, ADTS_BYTES = b"\xff\xf1", 7  # the header that AAC gets in a transport stream, ISO/IEC 13818-7

SIDE_DATA = ("DISPLAYMATRIX", "STEREO3D", "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")

LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG, and what no tag means


@dataclass(frozen=True)
class MediaProperties:
    """All that is compared.

    frame_times: presentation time of each frame, in seconds
    audio:       of each stream the payload of each packet, and whether an edit list hides it
    audio_ends:  of each stream the time of its last packet, in seconds
    properties:  everything else, by name
    """

    frame_times: list[Fraction]
    audio: list[list[tuple[bytes, bool]]]
    audio_ends: list[Fraction]
    properties: dict[str, Any]


def media_properties(path: Path) -> MediaProperties:
    """Read a file from end to end."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [frame.pts * fraction(frame.time_base) for frame in frames if frame.pts is not None and frame.time_base]
        properties = _video_properties(container, frames)
        streams = container.streams.audio
        properties["languages"] = [stream.metadata.get("language", "und") for stream in streams]
        default = [bool(stream.disposition & Disposition.default) for stream in streams]
        properties["default"] = default if len(default) > 1 else None  # of one, containers say this or that
        properties["streams"] = sorted(stream.type for stream in container.streams)
    audio, audio_ends = [], []
    for number in range(len(properties["languages"])):
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(audio=number) if packet.size]
            audio.append([(_payload(bytes(packet)), packet.is_discard) for packet in packets])
            last = packets[-1]
            assert last.pts is not None and last.time_base is not None
            audio_ends.append(last.pts * fraction(last.time_base))
    return MediaProperties(times, audio, audio_ends, properties)


def _payload(packet: bytes) -> bytes:
    return packet[ADTS_BYTES:] if packet.startswith(ADTS_MARK) else packet


def _video_properties(container: av.container.InputContainer, frames: list[VideoFrame]) -> dict[str, Any]:
    video, first = container.streams.video[0], frames[0]
    ratio = video.sample_aspect_ratio
    side_data = cast("Mapping[str, Buffer]", first.side_data)
    held = {name: bytes(side_data[name]) for name in SIDE_DATA if name in side_data}
    return {
        "size": {(frame.width, frame.height) for frame in frames},
        "pixel_format": {frame.format.name.replace("yuvj", "yuv") for frame in frames},
        "display_matrix": struct.unpack("=9i", held["DISPLAYMATRIX"][:36]) if "DISPLAYMATRIX" in held else None,
        "sample_aspect_ratio": Fraction(ratio.numerator, ratio.denominator) if ratio else Fraction(1),
        "color": (first.color_range or LIMITED_RANGE, first.color_primaries, first.color_trc, first.colorspace),
        "field_order": field_letters(frames),
        "stereo3d": held["STEREO3D"][:4] if "STEREO3D" in held else None,
        "mastering_display": _mastering_display(held.get("MASTERING_DISPLAY_METADATA")),
        "content_light_level": _content_light_level(held.get("CONTENT_LIGHT_LEVEL")),
    }


def field_letters(frames: list[VideoFrame]) -> str:
    """For each picture P for progressive, T or B for the field that comes first."""
    return "".join(("T" if _passes(frame, "TOPFIRST") else "B") if frame.interlaced_frame else "P" for frame in frames)


def _passes(frame: VideoFrame, kind: str) -> bool:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    chosen, sink = graph.add("select", f"eq(interlace_type,{kind})"), graph.add("buffersink")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    graph.push(frame)
    try:
        graph.pull()
    except av.error.BlockingIOError:
        return False
    return True


def _content_light_level(data: bytes | None) -> tuple[int, ...] | None:
    return None if data is None else struct.unpack("=2I", data[:8])


def _mastering_display(data: bytes | None) -> list[float] | None:
    """Rounded to what H.264, H.265 and AV1 all have digits for."""
    if data is None:
        return None
    numbers = struct.unpack("=22i", data[:88])
    return [round(numbers[place] / numbers[place + 1], 3) for place in range(0, 20, 2)]
