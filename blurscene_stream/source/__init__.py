"""An address becomes items: frames, and between them the packets that are copied."""

from fractions import Fraction

import av

from blurscene_stream.address import Address
from blurscene_stream.config.schema import KeepConfig, RtspConfig
from blurscene_stream.errors import UsageError
from blurscene_stream.source.boxes import track_formats
from blurscene_stream.source.clock import FileClock, LiveClock
from blurscene_stream.source.file import open_file, read_file
from blurscene_stream.source.live import LiveReader, open_live
from blurscene_stream.source.stream import Source, exact
from blurscene_stream.source.streams import select

__all__ = ["Source", "open_source"]


def open_source(address: Address, settings: RtspConfig, keep: KeepConfig | None = None) -> Source:
    """Open a file or a camera and decode its first picture.

    keep: what passes beside video and sound; None: nothing
    Raises SourceError when it cannot be opened or holds no video, DamagedInputError when it is cut short,
    SourceLostError when a camera does not answer, UsageError for a camera of which more is to be kept than that.
    """
    if address.live and keep is not None and keep.streams:
        raise UsageError(f"{address}: only video and sound of a camera can be kept; leave out --keep")
    container = open_live(address, settings) if address.live else open_file(address.path)
    try:
        return _live(address, container, settings, keep) if address.live else _file(address, container, keep)
    except BaseException:
        container.close()
        raise


def _file(address: Address, container: av.container.InputContainer, keep: KeepConfig | None) -> Source:
    name = str(address)
    streams = select(container, name, keep, track_formats(address.path, container.format.name))
    video = streams.video
    video.thread_type = "AUTO"
    clock = FileClock(name, exact(video.time_base) or Fraction(1), exact(video.average_rate or video.guessed_rate))
    return Source(container, streams, read_file(container, streams, address.path), clock, live=False)


def _live(
    address: Address, container: av.container.InputContainer, settings: RtspConfig, keep: KeepConfig | None
) -> Source:
    streams = select(container, str(address), keep)
    streams.video.thread_type = "SLICE"  # threads for whole frames would hold each one back
    # a camera that is joined between two key frames shows nothing for a while
    reader = LiveReader(container, streams, settings.open_timeout_s + settings.read_timeout_s)
    source = Source(container, streams, reader.read(), LiveClock(), live=True)
    source.stop, source.damaged = reader.stop, lambda: reader.damaged
    return source
