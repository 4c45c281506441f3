"""Redaction: cover detections and zones on the planes of a frame. The only maker of RedactedFrame."""

from blurscene_stream.redact.preview import Preview
from blurscene_stream.redact.redactor import Redactor
from blurscene_stream.redact.regions import Region, cover_mask, cover_regions

__all__ = ["Preview", "Redactor", "Region", "cover_mask", "cover_regions"]
