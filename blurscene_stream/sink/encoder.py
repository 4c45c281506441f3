"""The video encoder: in which format, with which options."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import cast

import av
from av.codec.hwaccel import HWAccel
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from blurscene_stream.config.schema import EncodeConfig, RtspConfig
from blurscene_stream.errors import SinkError, reason
from blurscene_stream.frames import PIXEL_FORMATS, RedactedFrame
from blurscene_stream.sink.codecs import bits_per_second, options
from blurscene_stream.sink.encoders import AV1, Encoder
from blurscene_stream.sink.fields import FieldMarker
from blurscene_stream.sink.signals import FULL_RANGE, describe
from blurscene_stream.streams import StreamInfo

DEFAULT_RATE = 25  # pictures a second, only as a hint to rate control where the source says nothing
SAME_SAMPLES = {  # other names for them: full range told by a tag, chroma in one plane or two
    "yuv420p": ("nv12",),
    "yuvj420p": ("yuv420p", "nv12"),
    "nv12": ("yuv420p",),
    "yuv422p": ("nv16",),
    "yuvj422p": ("yuv422p", "nv16"),
    "yuvj444p": ("yuv444p",),
    "yuv420p10le": ("p010le",),
    "yuv422p10le": ("p210le",),
}
DEEP, FLAT = ("yuv420p10le", "p010le"), ("yuv420p", "nv12")
LIVE_THREAD_PIXELS = 1920 * 1088  # what one core encodes in time; each thread more holds a picture back


class VideoEncoder:
    """One video stream of an output container.

    notices: what of the video it cannot keep, in words

    Raises SinkError when the encoder is not there or takes no such pictures.
    """

    def __init__(
        self,
        container: OutputContainer,
        encoder: Encoder,
        info: StreamInfo,
        settings: EncodeConfig,
        live: RtspConfig | None = None,
    ) -> None:
        self._info = info
        self.notices: list[str] = []
        if encoder is AV1:
            os.environ.setdefault("SVT_LOG", "1")  # it writes its life story to stderr otherwise; 1: errors
        told = options(encoder, settings) | (_live_options(encoder, live, info) if live else {})
        chip = HWAccel(encoder.uploads_to) if encoder.uploads_to else None
        try:
            made = container.add_stream(encoder.name, info.frame_rate or DEFAULT_RATE, told, chip)
        except av.codec.codec.UnknownCodecError as error:
            raise SinkError(f"this build of PyAV has no {encoder.name}") from error
        self._stream = cast(VideoStream, made)
        self._format = self._choose_format(encoder)
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}
        self._configure(settings)
        self.notices += describe(self._stream, info, container.format.name)
        self._marked = FieldMarker(self._stream, info.field_order)
        if live and not settings.threads:
            self._stream.codec_context.thread_count = -(-info.picture.width * info.picture.height // LIVE_THREAD_PIXELS)
        if encoder.codec == "hevc" and container.format.name in ("mp4", "mov"):
            self._stream.codec_context.codec_tag = "hvc1"  # QuickTime plays no other

    def _choose_format(self, encoder: Encoder) -> str:
        """The pixel format to encode: the source's own where the encoder takes it, else what loses least."""
        form = self._info.picture.pixel_format
        odd = (self._info.picture.width % 2 and form.shift_x) or (self._info.picture.height % 2 and form.shift_y)
        if encoder.even and odd:
            self.notices.append(f"an odd size of {form.name} is encoded as 4:4:4")
            form = PIXEL_FORMATS["yuv444p10le" if form.bits > 8 else "yuvj444p" if form.full_range else "yuv444p"]
        same, near = [form.name, *SAME_SAMPLES.get(form.name, ())], DEEP if form.bits > 8 else FLAT
        takes = encoder.upload_formats or [each.name for each in self._stream.codec_context.codec.video_formats or ()]
        found = next((name for name in (*same, *near, *FLAT) if name in takes), None)
        if found is None:
            raise SinkError(f"{encoder.name} takes no {form.name} pictures; choose another codec with -c:v")
        if found not in same:
            self.notices.append(f"{encoder.name} takes no {form.name}, the video is encoded as {found}")
        return found

    def _configure(self, settings: EncodeConfig) -> None:
        picture, stream, context = self._info.picture, self._stream, self._stream.codec_context
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, self._format
        context.thread_count = settings.threads
        if settings.bitrate is not None:
            context.bit_rate = bits_per_second(settings.bitrate)

    @property
    def stream(self) -> VideoStream:
        """The stream of the output."""
        return self._stream

    def encode(self, frame: RedactedFrame) -> list[Packet[Stream]]:
        """Encode one picture at its own time.

        Raises SinkError.
        """
        picture = frame.native
        try:
            if picture.format.name != self._format:
                keep = FULL_RANGE if self._info.picture.full_range else None
                picture = self._reformatter.reformat(
                    picture, format=self._format, src_color_range=keep, dst_color_range=keep, threads=1
                )
            picture.pts, picture.time_base = frame.pts, self._info.time_base
            self._durations[frame.pts] = frame.native.duration
            picture.pict_type = 0  # else the source's own pattern of key frames is forced on the encoder
            return self._lasting(self._stream.encode(self._marked(picture)))
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkError(f"frame {frame.number} cannot be encoded: {reason(error)}") from error

    def try_out(self) -> None:
        """Encode a grey picture, for nobody.

        Raises libav's own error.
        """
        picture = VideoFrame(self._info.picture.width, self._info.picture.height, self._format)
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        picture.pts, picture.time_base = 0, self._info.time_base
        self._stream.encode(picture)
        self._stream.encode(None)

    def flush(self) -> list[Packet[Stream]]:
        """What the encoder still holds.

        Raises SinkError.
        """
        try:
            return self._lasting(self._stream.encode(None))
        except (av.error.FFmpegError, ValueError) as error:
            raise SinkError(f"the end of the video cannot be encoded: {reason(error)}") from error

    def _lasting(self, packets: list[Packet[Stream]]) -> list[Packet[Stream]]:
        """Each as long as its picture was: else the last one of a slide show ends at once."""
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration > 0:
                packet.duration = duration
        return packets


def _live_options(encoder: Encoder, live: RtspConfig, info: StreamInfo) -> dict[str, str]:
    """No picture waits for a later one, and a player that joins waits `gop_s` at most."""
    every = max(1, round(live.gop_s * float(info.frame_rate or Fraction(DEFAULT_RATE))))
    return {**(encoder.live or {}), "g": str(every)}
