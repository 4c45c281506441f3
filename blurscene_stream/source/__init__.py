"""An address becomes items: frames, and between them the packets that are copied."""

from fractions import Fraction
from pathlib import Path

from av.container import InputContainer

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RtspConfig, Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.source.boxes import track_formats
from blurscene_stream.source.clock import FileClock, LiveClock
from blurscene_stream.source.crop import tell_of_crop
from blurscene_stream.source.file import open_file, read_file
from blurscene_stream.source.live import LiveReader, open_live
from blurscene_stream.source.stream import Source, exact
from blurscene_stream.source.streams import Selection, select

__all__ = ["Source", "open_source"]


def open_source(address: Address, settings: Settings) -> Source:
    """Open a file or a camera and decode its first picture.

    settings: say which streams of it are wanted, and how long to wait for a camera
    Raises SourceError when it cannot be opened or holds no video, DamagedInputError when it is cut short,
    SourceLostError when a camera does not answer, ConfigError when the video that is wanted is not there, UsageError
    for a camera of which more is to be kept than video and sound.
    """
    if address.live and settings.keep.streams:
        raise UsageError(f"{address}: only video and sound of a camera can be kept; leave out --keep")
    container = open_live(address, settings.rtsp) if address.live else open_file(address.path)
    try:
        if address.live:
            return _live(container, select(container, str(address), settings), settings.rtsp)
        formats = track_formats(address.path, container.format.name)
        return _file(address.path, container, select(container, str(address), settings, formats))
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
