"""The video encoder: in which format, with which options."""

from __future__ import annotations

import logging
import os
from fractions import Fraction
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from blurscene_stream.config.schema import EncodeConfig, RtspConfig
from blurscene_stream.errors import SinkError, reason
from blurscene_stream.frames import PIXEL_FORMATS, PixelFormat, RedactedFrame, StreamInfo
from blurscene_stream.sink.codecs import AV1, VP9, X265, Encoder, bits_per_second, choose
from blurscene_stream.sink.fields import FieldMarker
from blurscene_stream.sink.signals import FULL_RANGE, describe

log = logging.getLogger(__name__)

DEFAULT_RATE = 25  # pictures a second, only as a hint to rate control where the source says nothing
LIVE_THREAD_PIXELS = 1920 * 1088  # what one core encodes in time; each thread more holds a picture back


class VideoEncoder:
    """One video stream of an output container.

    Raises SinkError when the encoder does not open with the given options.
    """

    def __init__(
        self, container: OutputContainer, info: StreamInfo, settings: EncodeConfig, live: RtspConfig | None = None
    ) -> None:
        self._info = info
        chosen = choose(settings, container.format.name)
        options = _options(chosen, settings) | (_live_options(live, info) if live else {})
        if chosen is AV1:
            os.environ.setdefault("SVT_LOG", "1")  # it writes its life story to stderr otherwise; 1: errors
        rate = info.frame_rate or DEFAULT_RATE
        self._stream = cast(VideoStream, container.add_stream(chosen.name, rate=rate, options=options))
        formats = {form.name for form in self._stream.codec_context.codec.video_formats or ()}
        self._format = _format(info, chosen, formats)
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}
        self._configure(settings)
        describe(self._stream, info, container.format.name)
        self._marked = FieldMarker(self._stream, info.fields)
        if live and not settings.threads:
            self._stream.codec_context.thread_count = -(-info.picture.width * info.picture.height // LIVE_THREAD_PIXELS)
        if chosen is X265 and container.format.name in ("mp4", "mov"):
            self._stream.codec_context.codec_tag = "hvc1"  # QuickTime plays no other
        if self._format != info.picture.pixel_format.name:
            log.info("%s: encoded as %s", info.name, self._format)

    def _configure(self, settings: EncodeConfig) -> None:
        picture, stream, context = self._info.picture, self._stream, self._stream.codec_context
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, self._format
        context.thread_count = settings.threads
        if settings.bitrate is not None:
            context.bit_rate = bits_per_second(settings.bitrate)

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


def _options(encoder: Encoder, settings: EncodeConfig) -> dict[str, str]:
    options = {**encoder.fixed, encoder.speed_option: settings.preset or encoder.preset}
    if settings.bitrate is None:
        options["crf"] = str(encoder.crf if settings.crf is None else settings.crf)
        if encoder is VP9:
            options["b"] = "0"  # constant quality, not constrained quality
    return options


def _live_options(live: RtspConfig, info: StreamInfo) -> dict[str, str]:
    """No picture waits for a later one, and a player that joins waits `gop_s` at most.

    A picture is one slice: GStreamer's payloader can repeat the parameter sets before each slice of a key frame,
    and what libav then makes of a stream that was relayed by it is torn.
    """
    every = max(1, round(live.gop_s * float(info.frame_rate or Fraction(DEFAULT_RATE))))
    return {"tune": "zerolatency", "bf": "0", "g": str(every), "x264-params": "sliced-threads=0"}


def _format(info: StreamInfo, encoder: Encoder, formats: set[str]) -> str:
    """The pixel format to encode: the source's own where the encoder takes it, else what loses least."""
    form = info.picture.pixel_format
    odd = (info.picture.width % 2 and form.shift_x) or (info.picture.height % 2 and form.shift_y)
    if encoder.even and odd:
        log.warning("%s: an odd size of %s is encoded as 4:4:4", info.name, form.name)
        form = PIXEL_FORMATS["yuv444p10le" if form.bits > 8 else "yuvj444p" if form.full_range else "yuv444p"]
    choices = [form.name, _twin(form), "yuv420p10le" if form.bits > 8 else "yuv420p", "yuv420p"]
    found = next((name for name in choices if name in formats), None)
    if found is None:
        raise SinkError(f"{encoder.name} takes no {form.name} pictures; choose another codec with -c:v")
    if found not in choices[:2]:
        log.warning("%s: %s takes no %s, the video is encoded as %s", info.name, encoder.name, form.name, found)
    return found


def _twin(form: PixelFormat) -> str:
    """Another name for the same samples: full range told by a tag, chroma in two planes."""
    return "yuv420p" if form.interleaved else form.name.replace("yuvj", "yuv")
