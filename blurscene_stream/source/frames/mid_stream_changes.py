"""Mid-stream changes: properties of the first frame must hold to the last; a change is refused or logged once."""

from __future__ import annotations

import logging
from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.errors import CorruptInputError
from blurscene_stream.source.frames.frame_properties import FrameProperties, FramePropertiesReader, without_hdr
from blurscene_stream.source.frames.timestamps import known_fraction
from blurscene_stream.streams import FieldOrder

IDENTITY_MATRIX = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)  # 16.16 and 2.30 fixed point, ISO/IEC 14496-12

log = logging.getLogger(__name__)


class ChangeDetector:
    """Compares each frame of a video with the first.

    first: properties of the first frame
    """

    def __init__(self, stream: VideoStream, first: VideoFrame, name: str) -> None:
        self._stream = stream
        self._name = name
        self._logged: set[str] = set()
        self._size_and_format = _size_and_format(first)
        self._aspect_ratio = _sample_aspect_ratio(stream)
        self._description = _describe(first)
        self._read = FramePropertiesReader(stream.codec_context.name)
        self.first = self._read(first)

    def check(self, decoded: VideoFrame, number: int) -> None:
        """Compare the frame of that number with the first one.

        What the encoder cannot follow ends the run; what it need not know to encode is logged at its first change.
        Raises CorruptInputError when size, pixel format or display matrix differ.
        """
        if _size_and_format(decoded) != self._size_and_format:
            raise self._refusal(decoded, number)
        now = self._read(decoded)
        # H.264 need not repeat the matrix
        if now.display_matrix not in (None, self.first.display_matrix or IDENTITY_MATRIX):
            raise self._refusal(decoded, number, ", turned otherwise")
        for change in self._changes(now):
            if change not in self._logged:
                self._logged.add(change)
                log.warning(
                    "%s: from frame %d on %s; the output keeps the properties of the first frame; "
                    "cut the file there if that matters",
                    self._name,
                    number,
                    change,
                )

    def _refusal(self, decoded: VideoFrame, number: int, how: str = "") -> CorruptInputError:
        return CorruptInputError(
            f"{self._name}: frame {number} is {_describe(decoded)}{how}, the first one is {self._description}; "
            "cut the file where it changes"
        )

    def _changes(self, now: FrameProperties) -> list[str]:
        first, changes = self.first, []
        if _sample_aspect_ratio(self._stream) != self._aspect_ratio:
            changes.append("the pixel aspect ratio is another")
        if without_hdr(now.color) != without_hdr(first.color):
            changes.append("the colour tags are others")
        hdr = [
            (now.color.mastering_display, first.color.mastering_display),
            (now.color.content_light_level, first.color.content_light_level),
        ]
        if any(new not in (None, old) for new, old in hdr):  # it comes with key frames only
            changes.append("the HDR metadata is another")
        if now.field_order is not first.field_order:
            mixed = {now.field_order, first.field_order} & {FieldOrder.progressive, FieldOrder.single_field}
            changes.append("interlaced and progressive pictures mix" if mixed else "the field order is another")
        return changes + [f"{dropped} comes up" for dropped in now.dropped if dropped not in first.dropped]


def _size_and_format(decoded: VideoFrame) -> tuple[int, int, str]:
    return decoded.width, decoded.height, decoded.format.name


def _sample_aspect_ratio(stream: VideoStream) -> Fraction:
    """Return that of the coded frames, not of the container, whose word holds throughout."""
    return known_fraction(stream.codec_context.sample_aspect_ratio) or Fraction(1)


def _describe(decoded: VideoFrame) -> str:
    turned = f" turned by {decoded.rotation} degrees" if decoded.rotation else ""
    return f"{decoded.width}x{decoded.height} {decoded.format.name}{turned}"
