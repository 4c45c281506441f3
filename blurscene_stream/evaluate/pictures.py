"""Reads the pictures of data sets as the anonymizer reads them, and lays their labels on them."""

from __future__ import annotations

from dataclasses import replace

from blurscene_stream.errors import SourceError
from blurscene_stream.evaluate.labels import Labelled, Truth
from blurscene_stream.image import DecodedImage
from blurscene_stream.pipeline.image import read_image


def read_labelled(labelled: Labelled) -> tuple[DecodedImage, Truth]:
    """The upright picture, and what is to be found in it.

    Labels are in pixels of the stored picture; of the upright one where only that has the size that they state.

    Raises SourceError when the picture cannot be read, or is not of that size either way.
    """
    picture = read_image(labelled.file)
    height, width = picture.samples.shape[:2]
    stored = picture.orientation.upright_size(width, height)  # to transpose again is to turn back
    if labelled.size in (None, stored):
        truth = labelled.on(*stored)
        return picture, replace(truth, boxes=picture.orientation.to_upright(truth.boxes, width, height))
    if labelled.size == (width, height):
        return picture, labelled.on(width, height)
    stated = "x".join(map(str, labelled.size or ()))
    raise SourceError(f"{labelled.file}: is {stored[0]}x{stored[1]}, but its labels are for {stated}")
