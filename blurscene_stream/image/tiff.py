"""Which TIFFs are taken: those whose samples are read as they are meant."""

from __future__ import annotations

from PIL.TiffImagePlugin import TiffImageFile

from blurscene_stream.errors import SourceError
from blurscene_stream.image.deep import (
    CHANNELS,
    COMPRESSION,
    DEPTH,
    LAYOUT,
    PHOTOMETRIC,
    SAMPLE_KIND,
    TOGETHER,
    UNSIGNED,
)

DEPTHS = {1, 2, 4, 8, 16}
WHITE_IS_ZERO, OLD_JPEG = 0, 6


def refuse_odd_samples(image: TiffImageFile) -> None:
    """Refuse what Pillow reads as something else than it is: a detector would be shown another picture.

    MinSampleValue and MaxSampleValue make none odd: they are statistics and not to affect how a picture looks
    (TIFF 6.0, section 8).

    Raises SourceError.
    """
    tags = image.tag_v2
    if {*tags.get(SAMPLE_KIND, (UNSIGNED,))} != {UNSIGNED}:
        raise SourceError("samples that are not unsigned whole numbers are not taken in tiff pictures; convert them")
    depths = {*tags.get(DEPTH, (1,))}
    if not depths <= DEPTHS:
        listed = ", ".join(map(str, sorted(depths)))
        raise SourceError(f"{listed} bits a sample are not taken in tiff pictures; convert it to 8 or 16 bits")
    if PHOTOMETRIC not in tags:
        raise SourceError("the TIFF does not say whether 0 is black or white; save it anew as grey or RGB")
    if tags[PHOTOMETRIC] == WHITE_IS_ZERO and tags.get(COMPRESSION) == OLD_JPEG:
        raise SourceError("an old kind of JPEG in which 0 is white is not taken in tiff pictures; save it anew")
    if tags.get(LAYOUT, TOGETHER) != TOGETHER and tags.get(CHANNELS, 1) not in (1, 3):
        raise SourceError("alpha that is stored apart is not taken in tiff pictures; save it pixel by pixel")


def is_negative(image: TiffImageFile) -> bool:
    """Whether 0 is white in grey of 16 bits: Pillow turns that round in grey of fewer bits only."""
    return bool(image.mode.startswith("I;16") and image.tag_v2[PHOTOMETRIC] == WHITE_IS_ZERO)
