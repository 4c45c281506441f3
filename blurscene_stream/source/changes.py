"""What a video says at its start must hold to its end: what changes is refused, or told in one line."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blurscene_stream.errors import CorruptInputError
from blurscene_stream.source.rationals import known_fraction
from blurscene_stream.source.signals import SignalReader, Signals
from blurscene_stream.streams import ColorMetadata, FieldOrder

UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)  # 16.16 and 2.30 fixed point, ISO/IEC 14496-12

log = logging.getLogger(__name__)


class Constancy:
    """Holds each picture of a video against the first.

    first: what the first one says of itself
    """

    def __init__(self, stream: VideoStream, first: VideoFrame, name: str) -> None:
        self._stream = stream
        self._name = name
        self._told: set[str] = set()
        self._stored = _stored(first)
        self._ratio = _ratio(stream)
        self._words = _look(first)
        self._read = SignalReader(stream.codec_context.name)
        self.first = self._read(first)

    def check(self, decoded: VideoFrame, number: int) -> None:
        """Compare the picture of that number.

        What the encoder cannot follow ends the run; what it need not know to encode is logged at its first change.
        Raises CorruptInputError when size, format or turn are not those of the first one.
        """
        if _stored(decoded) != self._stored:
            raise self._refusal(decoded, number)
        now = self._read(decoded)
        if now.display_matrix not in (None, self.first.display_matrix or UPRIGHT):  # in H.264, silence is no news
            raise self._refusal(decoded, number, ", turned otherwise")
        for what in self._changes(now):
            if what not in self._told:
                self._told.add(what)
                log.warning(
                    "%s: from frame %d on %s; the output says throughout what the first frame says; "
                    "cut the file there if that matters",
                    self._name,
                    number,
                    what,
                )

    def _refusal(self, decoded: VideoFrame, number: int, how: str = "") -> CorruptInputError:
        return CorruptInputError(
            f"{self._name}: frame {number} is {_look(decoded)}{how}, the first one is {self._words}; "
            "cut the file where it changes"
        )

    def _changes(self, now: Signals) -> list[str]:
        first, changes = self.first, []
        if _ratio(self._stream) != self._ratio:
            changes.append("the shape of the pixels is another")
        if _tags(now.colour) != _tags(first.colour):
            changes.append("the colour tags are others")
        told = [
            (now.colour.mastering_display, first.colour.mastering_display),
            (now.colour.content_light_level, first.colour.content_light_level),
        ]
        if any(new not in (None, old) for new, old in told):  # it comes with key frames only
            changes.append("the HDR metadata is another")
        if now.fields is not first.fields:
            mixed = {now.fields, first.fields} & {FieldOrder.progressive, FieldOrder.single_field}
            changes.append("interlaced and progressive pictures mix" if mixed else "the field order is another")
        return changes + [f"{words} comes up" for words in now.lost if words not in first.lost]


def _stored(decoded: VideoFrame) -> tuple[int, int, str]:
    return decoded.width, decoded.height, decoded.format.name


def _ratio(stream: VideoStream) -> Fraction:
    """What the coded pictures say, not the container, whose word holds throughout."""
    ratio = stream.codec_context.sample_aspect_ratio
    return known_fraction(ratio) or Fraction(1)


def _tags(colour: ColorMetadata) -> ColorMetadata:
    return replace(colour, mastering_display=None, content_light_level=None)


def _look(decoded: VideoFrame) -> str:
    turned = f" turned by {decoded.rotation} degrees" if decoded.rotation else ""
    return f"{decoded.width}x{decoded.height} {decoded.format.name}{turned}"
