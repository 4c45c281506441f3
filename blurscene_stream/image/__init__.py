"""Still-image codecs: the bytes of a file to samples and back; all metadata but an ICC profile are dropped."""

from blurscene_stream.image.decode import LARGEST_PIXELS, decode
from blurscene_stream.image.encode import FORMATS, encode
from blurscene_stream.image.samples import Picture

__all__ = ["FORMATS", "LARGEST_PIXELS", "Picture", "decode", "encode"]
