"""An address becomes items: frames, and between them the packets that are copied."""

from fractions import Fraction
from pathlib import Path

from av.container import InputContainer

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RtspConfig
from blurscene_stream.source.clock import FileClock, LiveClock
from blurscene_stream.source.crop import tell_of_crop
from blurscene_stream.source.file import open_file, read_file
from blurscene_stream.source.live import LiveReader, open_live
from blurscene_stream.source.stream import Source, exact
from blurscene_stream.source.streams import Selection, select

__all__ = ["Source", "open_source"]


def open_source(address: Address, settings: RtspConfig, video: int | None = None) -> Source:
    """Open a file or a camera and decode its first picture.

    video: the number of the stream, of several videos

    Raises SourceError when it cannot be opened or holds no video, DamagedInputError when it is cut short,
    SourceLostError when a camera does not answer, ConfigError when `video` is no video.
    """
    container = open_live(address, settings) if address.live else open_file(address.path)
    try:
        streams = select(container, str(address), video)
        return _live(container, streams, settings) if address.live else _file(address.path, container, streams)
    except BaseException:
        container.close()
        raise


def _file(path: Path, container: InputContainer, streams: Selection) -> Source:
    video = streams.video
    video.thread_type = "AUTO"
    if "mp4" in container.format.name.split(","):
        tell_of_crop(video, path)
    rate = exact(video.average_rate or video.guessed_rate)
    clock = FileClock(streams.name, exact(video.time_base) or Fraction(1), rate)
    return Source(container, streams, read_file(container, streams, path), clock, live=False)


def _live(container: InputContainer, streams: Selection, settings: RtspConfig) -> Source:
    streams.video.thread_type = "SLICE"  # threads for whole frames would hold each one back
    # a camera that is joined between two key frames shows nothing for a while
    reader = LiveReader(container, streams, settings.open_timeout_s + settings.read_timeout_s)
    source = Source(container, streams, reader.read(), LiveClock(), live=True)
    source.stop, source.damaged = reader.stop, lambda: reader.damaged
    return source
