"""One picture, bytes to bytes: decoded, judged, redacted, encoded."""

from blurscene_stream.pipeline.picture.anonymizer import Anonymized, Found, PictureAnonymizer, judge_picture, together
from blurscene_stream.pipeline.picture.decode import LARGEST_PIXELS, decode
from blurscene_stream.pipeline.picture.encode import FORMATS, encode
from blurscene_stream.pipeline.picture.files import (
    PictureSummary,
    PictureWatch,
    anonymize_pictures,
    find_in_pictures,
    read_picture,
)
from blurscene_stream.pipeline.picture.places import PictureJob
from blurscene_stream.pipeline.picture.samples import Picture

__all__ = [
    "FORMATS",
    "LARGEST_PIXELS",
    "Anonymized",
    "Found",
    "Picture",
    "PictureAnonymizer",
    "PictureJob",
    "PictureSummary",
    "PictureWatch",
    "anonymize_pictures",
    "decode",
    "encode",
    "find_in_pictures",
    "judge_picture",
    "read_picture",
    "together",
]
