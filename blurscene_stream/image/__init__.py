"""Still-image codecs: bytes of a file to samples and back; of all metadata an ICC profile's colours are kept."""

from blurscene_stream.image.decode import MAX_PIXELS, decode, pixels_of
from blurscene_stream.image.encode import encode, format_for, refuse_loss
from blurscene_stream.image.integrity import format_of
from blurscene_stream.image.samples import DecodedImage

__all__ = ["MAX_PIXELS", "DecodedImage", "decode", "encode", "format_for", "format_of", "pixels_of", "refuse_loss"]
