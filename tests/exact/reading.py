"""What a video file holds, read back by libav: what must be the same in the output."""

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
class Facts:
    """All that is compared.

    times:  when each picture is shown, in seconds
    sound:  of each track the payload of each packet, and whether an edit list hides it
    heard:  of each track the time of its last packet, in seconds
    tags:   everything else, by name
    """

    times: list[Fraction]
    sound: list[list[tuple[bytes, bool]]]
    heard: list[Fraction]
    tags: dict[str, Any]


def facts(path: Path) -> Facts:
    """Read a file from end to end."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [frame.pts * fraction(frame.time_base) for frame in frames if frame.pts is not None and frame.time_base]
        tags = _video_tags(container, frames)
        tracks = container.streams.audio
        tags["languages"] = [track.metadata.get("language", "und") for track in tracks]
        default = [bool(track.disposition & Disposition.default) for track in tracks]
        tags["default"] = default if len(default) > 1 else None  # of one, containers say this or that
        tags["streams"] = sorted(stream.type for stream in container.streams)
    sound, heard = [], []
    for number in range(len(tags["languages"])):
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(audio=number) if packet.size]
            sound.append([(_payload(bytes(packet)), packet.is_discard) for packet in packets])
            last = packets[-1]
            assert last.pts is not None and last.time_base is not None
            heard.append(last.pts * fraction(last.time_base))
    return Facts(times, sound, heard, tags)


def _payload(packet: bytes) -> bytes:
    return packet[ADTS_BYTES:] if packet.startswith(ADTS_MARK) else packet


def _video_tags(container: av.container.InputContainer, frames: list[VideoFrame]) -> dict[str, Any]:
    video, first = container.streams.video[0], frames[0]
    ratio = video.sample_aspect_ratio
    side_data = cast("Mapping[str, Buffer]", first.side_data)
    held = {name: bytes(side_data[name]) for name in SIDE_DATA if name in side_data}
    return {
        "size": {(frame.width, frame.height) for frame in frames},
        "format": {frame.format.name.replace("yuvj", "yuv") for frame in frames},
        "turn": struct.unpack("=9i", held["DISPLAYMATRIX"][:36]) if "DISPLAYMATRIX" in held else None,
        "ratio": Fraction(ratio.numerator, ratio.denominator) if ratio else Fraction(1),
        "colours": (first.color_range or LIMITED_RANGE, first.color_primaries, first.color_trc, first.colorspace),
        "fields": field_letters(frames),
        "views": held["STEREO3D"][:4] if "STEREO3D" in held else None,
        "mastering": _mastering(held.get("MASTERING_DISPLAY_METADATA")),
        "light": struct.unpack("=2I", held["CONTENT_LIGHT_LEVEL"][:8]) if "CONTENT_LIGHT_LEVEL" in held else None,
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


def _mastering(data: bytes | None) -> list[float] | None:
    """Rounded to what H.264, H.265 and AV1 all have digits for."""
    if data is None:
        return None
    numbers = struct.unpack("=22i", data[:88])
    return [round(numbers[place] / numbers[place + 1], 3) for place in range(0, 20, 2)]
