"""The codec alone, which no program can be faster than: decode a video and encode it again, as `blurscene-stream` does.

python -m scripts.bench.floor INPUT OUTPUT [KEY=VALUE ...]
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.address import Address
from blurscene_stream.config import Settings, load_settings
from blurscene_stream.paths import FILE_FORMATS
from blurscene_stream.sink.encoder_choice import choose_encoder
from blurscene_stream.sink.video_encoder import VideoEncoder
from blurscene_stream.source import Source, open_source
from blurscene_stream.streams import StreamInfo


def decoded(path: Path) -> Generator[VideoFrame]:
    """Yield the frames of a video, decoded in as many threads as there are cores."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        yield from container.decode(video=0)


def encode(frames: Iterable[VideoFrame], target: Path, info: StreamInfo, settings: Settings) -> None:
    """Write frames with the encoder that `settings` choose, set up by the program itself."""
    muxer = FILE_FORMATS[target.suffix]
    encoder = choose_encoder(settings.encode, muxer, info.codec, info.picture.pixel_format.bits)
    with av.open(str(target), "w", format=muxer) as container:
        stream = VideoEncoder(container, encoder, info, settings.encode).stream
        for frame in frames:
            frame.pict_type = 0  # else the source's own I, P and B pattern is forced on the encoder
            _mux(container, stream, frame)
        _mux(container, stream, None)


def _mux(container: OutputContainer, stream: VideoStream, frame: VideoFrame | None) -> None:
    for packet in stream.encode(frame):
        container.mux(packet)


def stream_info(source: Source) -> StreamInfo:
    """Return what the program itself knows of a video, without audio and other streams, which end with the source."""
    return replace(source.info, copied_streams=())


def main(arguments: Sequence[str]) -> None:
    """Decode and encode one file."""
    source, target, overrides = Path(arguments[0]), Path(arguments[1]), arguments[2:]
    settings = load_settings(overrides)
    with open_source(Address(str(source)), settings) as opened:
        info = stream_info(opened)
    with closing(decoded(source)) as frames:
        encode(frames, target, info, settings)


if __name__ == "__main__":
    main(sys.argv[1:])
