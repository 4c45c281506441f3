"""What to cover and how, on the planes of the frame; the only maker of RedactedFrame."""

from blurscene_stream.redact.preview import Preview
from blurscene_stream.redact.redactor import Redactor
from blurscene_stream.redact.regions import Region, cover_mask, covered

__all__ = ["Preview", "Redactor", "Region", "cover_mask", "covered"]
