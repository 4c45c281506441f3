"""Reading of a camera over RTSP until it is stopped; the end of its data is a loss."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.address import Address
from blurscene_stream.config.schema import RtspConfig
from blurscene_stream.errors import SourceLostError, reason
from blurscene_stream.source.container.stream_selection import Selection
from blurscene_stream.source.frames.timestamps import fraction
from blurscene_stream.source.frames.video_decoder import DecodedFrame

MAX_STEP_BACK_S = 10  # a camera's first RTCP report may set its clock back; further back, it has started anew
START_CODE = b"\0\0\1"  # ISO/IEC 14496-10, annex B
SLICE, IDR_SLICE = 1, 5  # NAL unit types, 7.4.1, table 7-1


def open_live(address: Address, settings: RtspConfig) -> InputContainer:
    """Connect to a camera over TCP.

    Raises SourceLostError when nobody answers, or what answers is no video.
    """
    options = {"rtsp_transport": "tcp", "timeout": str(round(settings.read_timeout_s * 1e6))}  # microseconds
    start_s = time.monotonic()
    try:
        container: InputContainer = av.open(
            address.text, options=options, timeout=(settings.open_timeout_s, settings.read_timeout_s)
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # libav reports silence as "invalid data": only the time that has passed distinguishes it
        silent = time.monotonic() - start_s >= 0.9 * min(settings.open_timeout_s, settings.read_timeout_s)
        why = "no answer" if silent else reason(error)
        raise SourceLostError(f"{address}: cannot connect: {why}; {_way_out(error)}") from error
    if container.streams.video and not any(stream.width for stream in container.streams.video):
        container.close()  # it announces a video, whose size libav would have from the first picture
        raise SourceLostError(f"{address}: the source was lost: no picture that can be decoded came; is the camera up?")
    return container


def _way_out(error: Exception) -> str:
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return "are user and password right? They stand before the host: rtsp://USER:PASSWORD@HOST/..."
    if isinstance(error, av.error.HTTPNotFoundError):
        return "is the path behind the host right?"
    return "is the camera up?"


class LiveReader:
    """Decoded frames and copied packets as they come, until `stop` is called.

    Time starts at 0 with the first frame that has a time; audio from before it is left out.

    undecodable: frames that could not be decoded, so far
    """

    def __init__(self, container: InputContainer, selection: Selection, max_wait_s: float) -> None:
        """`max_wait_s`: the camera may be without a new frame for so long."""
        self._container = container
        self._selection = selection
        self._name = selection.name
        self._max_wait_s = max_wait_s
        self._waited_s = 0.0
        self._stopped = False
        self._origin_s: Fraction | None = None
        self._newest_s = Fraction(0)
        self._last_audio_pts: dict[int, int] = {}
        self.undecodable = 0

    def stop(self) -> None:
        """End the stream at the next packet, as if the file ended there."""
        self._stopped = True

    def read(self) -> Generator[DecodedFrame | Packet[Stream]]:
        """Yield frames and packets. Raises SourceLostError when the camera goes away or falls silent."""
        try:
            for packet in join_slices(without_last(self._packets(), self._selection.video), self._selection.video):
                if packet.stream.index == self._selection.video.index:
                    yield from self._decode(packet)
                elif packet.size and self._set_audio_time(packet):
                    yield packet
        except (av.error.FFmpegError, OSError) as error:
            if self._stopped:
                return
            why = "no data for too long" if isinstance(error, (av.error.ExitError, TimeoutError)) else reason(error)
            raise SourceLostError(f"{self._name}: the source was lost: {why}") from error
        if not self._stopped:
            raise SourceLostError(f"{self._name}: the source was lost: the stream ended")

    def _packets(self) -> Iterator[Packet[Stream]]:
        """Yield what the camera sends; only waiting for it counts as waiting, not what is done with it meanwhile."""
        packets = self._container.demux([self._selection.video, *self._selection.packet_streams])
        start_s = time.monotonic()
        for packet in packets:
            self._waited_s += time.monotonic() - start_s
            if self._stopped:
                return
            if self._waited_s > self._max_wait_s:
                raise SourceLostError(f"{self._name}: the source was lost: no picture for too long")
            yield packet
            start_s = time.monotonic()

    def _decode(self, packet: Packet[Stream]) -> Generator[DecodedFrame]:
        """Decode a packet; frames that are corrupt after packet loss are dropped whole."""
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            self.undecodable += 1
            return
        for frame in frames:
            assert isinstance(frame, VideoFrame)
            if frame.is_corrupt:
                self.undecodable += 1
            else:
                self._waited_s = 0.0
                self._set_time(frame)
                yield DecodedFrame(frame)

    def _set_time(self, frame: VideoFrame) -> None:
        if frame.pts is None or not frame.time_base:
            return
        tick_s = fraction(frame.time_base)
        if self._origin_s is None:
            self._origin_s = frame.pts * tick_s
        frame.pts -= round(self._origin_s / tick_s)
        now_s = frame.pts * tick_s
        if now_s < self._newest_s - MAX_STEP_BACK_S:
            back_s = float(self._newest_s - now_s)
            raise SourceLostError(f"{self._name}: the source was lost: its clock was set back by {back_s:.0f} s")
        self._newest_s = max(self._newest_s, now_s)

    def _set_audio_time(self, packet: Packet[Stream]) -> bool:
        """Move an audio packet to the origin; return whether it has a time that can be used."""
        if self._origin_s is None or packet.pts is None or not packet.time_base:
            return False
        packet.pts -= round(self._origin_s / fraction(packet.time_base))
        packet.dts = packet.pts
        usable = packet.pts > self._last_audio_pts.get(packet.stream.index, -1)
        if usable:
            self._last_audio_pts[packet.stream.index] = packet.pts
        return usable


def without_last(packets: Iterable[Packet[Stream]], video: VideoStream) -> Generator[Packet[Stream]]:
    """Yield each packet of the video when the next one of any stream has come, and never the last.

    Where a camera goes in the middle of a picture, libav gives the part that came, as a packet like any other, and then
    the error; the decoder would make up the rest.
    """
    held: Packet[Stream] | None = None
    for packet in packets:
        if held is not None and packet.size:  # an empty one is PyAV's: it tells the decoder that nothing follows
            yield held
        held = packet if packet.size and packet.stream.index == video.index else None
        if held is None:
            yield packet


def join_slices(packets: Iterable[Packet[Stream]], video: VideoStream) -> Generator[Packet[Stream]]:
    """Yield one packet for each H.264 access unit, joining slices that came in several. A key frame waits for the next.

    GStreamer's H.264 payloader (1.22, config-interval=-1) repeats the parameter sets before each slice of a key frame,
    and libav takes parameter sets for the start of a picture. Decoded one by one, each part would be a torn picture.
    """
    held: Packet[Stream] | None = None
    h264 = video.codec_context.codec.canonical_name == "h264"
    for packet in packets:
        if not h264 or packet.stream.index != video.index:
            yield packet
            continue
        if held is not None and _continues_picture(bytes(packet)):
            held = _joined(held, packet)
            continue
        if held is not None:
            yield held
        held = packet if packet.is_keyframe else None
        if held is None:
            yield packet
    if held is not None:
        yield held


def _continues_picture(data: bytes) -> bool:
    """Return whether the first slice begins after macroblock 0 (7.3.3: first_mb_in_slice, ue(v), 0 is one set bit)."""
    at = data.find(START_CODE)
    while 0 <= at < len(data) - 4:
        if data[at + 3] & 0x1F in (SLICE, IDR_SLICE):
            return not data[at + 4] & 0x80
        at = data.find(START_CODE, at + 3)
    return False


def _joined(first: Packet[Stream], second: Packet[Stream]) -> Packet[Stream]:
    whole: Packet[Stream] = Packet(bytes(first) + bytes(second))
    whole.stream = first.stream
    whole.time_base = first.time_base
    whole.pts, whole.dts = (second if first.pts is None else first).pts, (second if first.dts is None else first).dts
    whole.is_keyframe = True
    whole.is_corrupt = first.is_corrupt or second.is_corrupt
    return whole
