"""Finds and hides, in the bytes of one picture after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blurscene_stream.boxes import Detections, iou
from blurscene_stream.config.schema import Settings
from blurscene_stream.image.decode import decode
from blurscene_stream.image.encode import encode, refuse_loss
from blurscene_stream.image.samples import Picture
from blurscene_stream.pipeline.judge import Detect, Detector, judge
from blurscene_stream.redact import Preview, Redactor

SAME_IOU = 0.5  # boxes of one class that overlap by more, in two frames of one picture, are one object


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What is in a picture.

    width, height: pixels of the upright picture, which the boxes of `detections` are on
    """

    width: int
    height: int
    detections: Detections


@dataclass(frozen=True, slots=True, eq=False)
class Anonymized:
    """A picture in which everything is covered that must be.

    data:       the bytes of its file
    detections: what of it was found, in pixels of the upright picture
    """

    data: bytes
    detections: Detections


def judge_picture(picture: Picture, detect: Detect) -> Detections:
    """What is found in the picture.

    Raises DetectionError.
    """
    return together(judge(picture.frames(), detect))


def together(answers: Sequence[Detections]) -> Detections:
    """One list of the answers for all frames of a picture: an object that shows in several is in it once."""
    first, *others = (found.confident() for found in answers)
    for other in others:
        shared = iou(other.xyxy, first.xyxy) * (other.class_ids[:, None] == first.class_ids[None, :])
        new = other[~(shared > SAME_IOU).any(axis=1)]
        first = Detections.concatenate([first, new])
    return first


class PictureAnonymizer:
    """Anonymizes pictures that are given as the bytes of a file. Built once; holds nothing of a picture."""

    def __init__(self, settings: Settings, detector: Detector, preview: bool = False) -> None:
        """`preview`: draw boxes and scores instead of hiding.

        Raises ConfigError for a class of the detector without settings.
        """
        self._detector = detector
        classes = detector.classes
        self._redact = Preview(settings, classes) if preview else Redactor(settings, classes, still=True)

    def find(self, data: bytes) -> Found:
        """What is in the picture `data`.

        Raises SourceError, CorruptInputError, DetectionError; none of them names the file.
        """
        picture = decode(data)
        height, width = picture.samples.shape[:2]
        return Found(width, height, judge_picture(picture, self._detector))

    def anonymize(self, data: bytes, form: str) -> Anonymized:
        """The picture `data` as a file of the format `form`, upright, with all covered that must be of what was found.

        Raises SourceError, CorruptInputError, UsageError when `form` cannot hold it, DetectionError, RedactionError,
        ConfigError for an area that lies outside it, SinkError; none of them names the file.
        """
        picture = decode(data)
        refuse_loss(picture, form)
        done = self._redact(picture.frames()[0], judge_picture(picture, self._detector))
        return Anonymized(encode(done, form), done.detections)
