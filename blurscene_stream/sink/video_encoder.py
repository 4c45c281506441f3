"""The video encoder: pixel format, options, and frames to packets with their own times and durations."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from blurscene_stream.config.schema import EncodeConfig, RtspConfig
from blurscene_stream.errors import SinkError, reason
from blurscene_stream.frames import PIXEL_FORMATS, RedactedFrame
from blurscene_stream.sink.encoder_presets import AV1, Encoder, parse_bitrate
from blurscene_stream.sink.video_metadata import FULL_RANGE, FieldOrderMarker, set_metadata
from blurscene_stream.streams import StreamInfo

DEFAULT_FRAME_RATE = 25  # only a hint to rate control where the source says nothing
EQUIVALENT_FORMATS = {  # the same samples: full range said by metadata, chroma in one plane or two
    "yuv420p": ("nv12",),
    "yuvj420p": ("yuv420p", "nv12"),
    "nv12": ("yuv420p",),
    "yuv422p": ("nv16",),
    "yuvj422p": ("yuv422p", "nv16"),
    "yuvj444p": ("yuv444p",),
    "yuv420p10le": ("p010le",),
    "yuv422p10le": ("p210le",),
}
TEN_BIT_FORMATS, EIGHT_BIT_FORMATS = ("yuv420p10le", "p010le"), ("yuv420p", "nv12")
PIXELS_PER_LIVE_THREAD = 1920 * 1088  # one core encodes so many in real time; each more thread delays by a frame


class VideoEncoder:
    """The encoded video stream of an output container.

    notices: properties of the video that it cannot keep, a line each

    Raises SinkError when the encoder is missing or takes no such pixel format.
    """

    def __init__(
        self,
        container: OutputContainer,
        encoder: Encoder,
        info: StreamInfo,
        settings: EncodeConfig,
        live: RtspConfig | None = None,
    ) -> None:
        self._info, self._name = info, encoder.name  # libav 63's context has no name once it did not open
        self.notices: list[str] = []
        if encoder is AV1:
            os.environ.setdefault("SVT_LOG", "1")  # errors only: it logs its settings to stderr otherwise
        options = encoder.options(settings) | (_live_options(encoder, live, info) if live else {})
        try:
            stream = container.add_stream(encoder.name, info.frame_rate or DEFAULT_FRAME_RATE, options)
        except av.codec.codec.UnknownCodecError as error:
            raise SinkError(f"this build of PyAV has no {encoder.name}") from error
        self._stream = cast(VideoStream, stream)
        self._pixel_format = self._choose_pixel_format(encoder)
        if min(info.picture.width, info.picture.height) < encoder.min_side_px:
            raise SinkError(self.refusal(f"it takes no side under {encoder.min_side_px} px"))
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}
        self._configure(settings)
        self.notices += set_metadata(self._stream, info, container.format.name)
        self._marked = FieldOrderMarker(self._stream, info.field_order)
        if live and not settings.threads:
            pixels = info.picture.width * info.picture.height
            self._stream.codec_context.thread_count = -(-pixels // PIXELS_PER_LIVE_THREAD)
        if encoder.codec == "hevc" and container.format.name in ("mp4", "mov"):
            self._stream.codec_context.codec_tag = "hvc1"  # QuickTime plays no other

    def _choose_pixel_format(self, encoder: Encoder) -> str:
        """Return the source's own pixel format where the encoder takes it, else the one that loses least."""
        source = self._info.picture.pixel_format
        odd = (self._info.picture.width % 2 and source.shift_x) or (self._info.picture.height % 2 and source.shift_y)
        if encoder.needs_even_size and odd:
            self.notices.append(f"an odd size of {source.name} is encoded as 4:4:4")
            full = "yuvj444p" if source.full_range else "yuv444p"
            source = PIXEL_FORMATS["yuv444p10le" if source.bits > 8 else full]
        same = [source.name, *EQUIVALENT_FORMATS.get(source.name, ())]
        near = TEN_BIT_FORMATS if source.bits > 8 else EIGHT_BIT_FORMATS
        supported = [each.name for each in self._stream.codec_context.codec.video_formats or ()]
        chosen = next((name for name in (*same, *near, *EIGHT_BIT_FORMATS) if name in supported), None)
        if chosen is None:
            raise SinkError(
                f"{encoder.name} takes no {source.name} pictures; choose another codec with -c:v (encode.codec)"
            )
        if chosen not in same:
            self.notices.append(f"{encoder.name} takes no {source.name}, the video is encoded as {chosen}")
        return chosen

    def _configure(self, settings: EncodeConfig) -> None:
        picture, stream, context = self._info.picture, self._stream, self._stream.codec_context
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, self._pixel_format
        context.thread_count = settings.threads
        if settings.bitrate is not None:
            context.bit_rate = parse_bitrate(settings.bitrate)

    @property
    def stream(self) -> VideoStream:
        """The stream of the output container."""
        return self._stream

    def refusal(self, why: str) -> str:
        """Return the message for an encoder that does not open, for which the size of the picture may be the cause."""
        picture = self._info.picture
        what = f"{picture.width}x{picture.height} pictures as {self._pixel_format}"
        return f"{self._name} does not open for {what}: {why}; choose another codec with -c:v (encode.codec)"

    def encode(self, frame: RedactedFrame) -> list[Packet[Stream]]:
        """Encode a frame with its own pts.

        Raises SinkError.
        """
        picture = frame.native
        try:
            if picture.format.name != self._pixel_format:
                color_range = FULL_RANGE if self._info.picture.full_range else None
                picture = self._reformatter.reformat(
                    picture,
                    format=self._pixel_format,
                    src_color_range=color_range,
                    dst_color_range=color_range,
                    threads=1,
                )
            picture.pts, picture.time_base = frame.pts, self._info.time_base
            self._durations[frame.pts] = frame.native.duration
            picture.pict_type = 0  # else the source's own I, P and B pattern is forced on the encoder
            return self._with_durations(self._stream.encode(self._marked(picture)))
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkError(f"frame {frame.number} cannot be encoded: {reason(error)}") from error

    def probe(self) -> None:
        """Encode a grey picture and drop it.

        Raises FFmpeg's own error.
        """
        picture = VideoFrame(self._info.picture.width, self._info.picture.height, self._pixel_format)
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        picture.pts, picture.time_base = 0, self._info.time_base
        self._stream.encode(picture)
        self._stream.encode(None)

    def flush(self) -> list[Packet[Stream]]:
        """Return the packets that the encoder still holds.

        Raises SinkError.
        """
        try:
            return self._with_durations(self._stream.encode(None))
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkError(f"the end of the video cannot be encoded: {reason(error)}") from error

    def _with_durations(self, packets: list[Packet[Stream]]) -> list[Packet[Stream]]:
        """Give each packet the duration of its frame: else the last one of a slide show ends at once."""
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration > 0:
                packet.duration = duration
        return packets


def _live_options(encoder: Encoder, live: RtspConfig, info: StreamInfo) -> dict[str, str]:
    """Return options for low latency and a key frame every `gop_s`: the longest that a new player waits."""
    gop = max(1, round(live.gop_s * float(info.frame_rate or Fraction(DEFAULT_FRAME_RATE))))
    return {**(encoder.live_options or {}), "g": str(gop)}
