"""Reading of a recorded file from end to end, which does not take the end of the data for success."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.errors import CorruptInputError, reason
from blurscene_stream.source.container.completeness import JOINED, begins_again, promised_packets
from blurscene_stream.source.container.mp4_atoms import is_mp4
from blurscene_stream.source.container.opening import complete_size, hold_open
from blurscene_stream.source.container.stream_selection import Selection
from blurscene_stream.source.frames.timestamps import TimestampOrigin
from blurscene_stream.source.frames.video_decoder import DecodedFrame, VideoDecoder
from blurscene_stream.source.scrub.hidden_audio import HiddenAudioFilter


def read_file(container: InputContainer, selection: Selection, path: Path) -> Generator[DecodedFrame | Packet[Stream]]:
    """Yield decoded frames and copied packets, in the order of the file.

    Raises CorruptInputError when the file is cut short or a packet cannot be decoded.
    """
    with hold_open(path) as file:
        size = complete_size(path, file, container)
        last = yield from decode(container, selection, path)
        if file is not None and begins_again(file, container.format.name, last):
            raise CorruptInputError(f"{path}: {JOINED}")
        if complete_size(path, file, container) < size:
            raise CorruptInputError(f"{path}: has become shorter while it was read; nothing was written")


def decode(
    container: InputContainer, selection: Selection, path: Path
) -> Generator[DecodedFrame | Packet[Stream], None, int]:
    """Yield decoded frames and copied packets, in order; return where the last whole packet lies, in bytes, if known.

    Raises CorruptInputError when one cannot be decoded, or there are fewer frames than the container promised.
    """
    video = VideoDecoder(selection.video, str(path))
    packets = map(TimestampOrigin(container, str(path)), container.demux([selection.video, *selection.packet_streams]))
    audible = {stream.index: HiddenAudioFilter() for stream in selection.packet_streams if stream.type == "audio"}
    last_audio_dts: dict[int, int] = {}
    last = 0
    try:
        for packet in packets:
            last = max(last, 0 if packet.is_corrupt else packet.pos or 0)
            if packet.stream.index == selection.video.index:
                yield from video.decode(packet)
            elif packet.size and packet.stream.index in audible:
                for audio in audible[packet.stream.index](packet):
                    _check_audio_dts(audio, last_audio_dts, f"{path}: after {video.decoded} frames")
                    yield audio
            elif packet.size and not packet.is_discard:
                yield packet
        yield from video.flush()
    except av.error.BlockingIOError as error:  # no thread can be made for the decoder: that is no damage
        raise MemoryError from error
    except (av.error.FFmpegError, OSError) as error:
        raise CorruptInputError(
            f"{path}: damaged after {video.decoded} frames: {reason(error)}; nothing was written"
        ) from error
    video.check_count(promised_packets(selection.video, path) if is_mp4(container.format.name) else 0)
    return last


def _check_audio_dts(packet: Packet[Stream], last_dts: dict[int, int], where: str) -> None:
    """Audio is copied as it is, and no container takes one whose time goes back.

    Raises CorruptInputError.
    """
    if packet.dts is None or packet.time_base is None:
        return
    last = last_dts.get(packet.stream.index, packet.dts)
    if packet.dts < last:
        back_s = float((last - packet.dts) * packet.time_base)
        raise CorruptInputError(
            f"{where} the time of the audio jumps back by {back_s:.3f} s; cut the file there; nothing was written"
        )
    last_dts[packet.stream.index] = packet.dts
