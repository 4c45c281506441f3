"""A decoded picture: its samples, what else of its file matters, and the frames that a detector is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.frames import PICTURE_FORMATS, Frame, PictureInfo, Plane

FORMAT_NAMES = {  # (channels, bits) -> one of PICTURE_FORMATS
    (1, 8): "gray",
    (2, 8): "ya8",
    (3, 8): "gbrp",
    (4, 8): "gbrap",
    (1, 16): "gray16le",
    (2, 16): "ya16le",
    (3, 16): "gbrp16le",
    (4, 16): "gbrap16le",
}
PLANE_CHANNELS = {1: (0,), 2: (0, 1), 3: (1, 2, 0), 4: (1, 2, 0, 3)}  # where the planes of these formats lie
GROUNDS = (255, 0)  # what shows through where a picture is transparent: most viewers have white or black


@dataclass(frozen=True, slots=True)
class JpegLook:
    """How a JPEG was encoded.

    tables:   quantisation tables of 64 numbers, by their index
    sampling: of the chroma, in Pillow's numbers: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0
    """

    tables: tuple[tuple[int, ...], ...]
    sampling: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One upright picture, in main memory of its own.

    samples:  uint8 or uint16 (height, width, channels): grey, grey and alpha, RGB, or RGB and alpha, full range
    form:     the format of its file, such as "jpeg"
    lossless: that file holds every sample as it was
    profile:  its ICC profile, for these channels
    look:     of a JPEG that was stored upright
    orientation: how the file holds it
    """

    samples: Plane
    form: str
    lossless: bool
    profile: bytes | None = None
    look: JpegLook | None = None
    orientation: Orientation = UPRIGHT

    @property
    def info(self) -> PictureInfo:
        """What its frames have in common."""
        height, width, channels = self.samples.shape
        return PictureInfo(width, height, PICTURE_FORMATS[FORMAT_NAMES[channels, self.bits]], full_range=True)

    @property
    def bits(self) -> int:
        """Bits a sample: 8 or 16."""
        return self.samples.itemsize * 8

    @property
    def has_alpha(self) -> bool:
        """True when the last channel is opacity."""
        return self.samples.shape[2] in (2, 4)

    @property
    def translucent(self) -> bool:
        """True when something of what lies behind the picture shows."""
        return self.has_alpha and int(self.samples[:, :, -1].min()) < (1 << self.bits) - 1

    @property
    def colours(self) -> Plane:
        """The samples without opacity."""
        return self.samples[:, :, :-1] if self.has_alpha else self.samples

    def frames(self) -> list[Frame]:
        """What a detector must look at; all are over the same samples, and stand upright.

        The first shows the colours, also those that transparency hides. Where there is transparency, it may draw a
        picture of its own: the others show it over each of GROUNDS. Where 16 bits hold less than half of what they
        could, such as the 12 of a camera, the last one shows what they hold in full contrast.
        """
        planes = tuple(self.samples[:, :, channel] for channel in PLANE_CHANNELS[self.samples.shape[2]])
        grounds = GROUNDS if self.translucent else ()
        looks = [_Scaled(self, ground, 0, self.bits - 8) for ground in (None, *grounds)]
        if self.bits == 16:
            low, high = int(self.colours.min()), int(self.colours.max())
            used = (high - low).bit_length()
            looks += [_Scaled(self, None, low, max(used - 8, 0))] if used < 16 else []
        return [Frame(number, 0, self.info, planes, look, self) for number, look in enumerate(looks)]


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Frame.scale_rgb of one picture: the colours alone, or over a ground (0..255).

    black: the sample that becomes 0
    drop:  how many bits fewer the colours get, for 8 of them
    """

    picture: Picture
    ground: int | None
    black: int
    drop: int

    def __call__(self, width: int, height: int) -> NDArray[np.uint8]:
        picture = self.picture
        colours = _resized(_of_8_bits(picture.colours, self.black, self.drop), width, height)
        if self.ground is not None:
            opacity = _of_8_bits(picture.samples[:, :, -1:], 0, picture.bits - 8)
            alpha = _resized(opacity, width, height) / np.float32(255)
            colours = (colours * alpha + self.ground * (1 - alpha)).round().astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(colours, (height, width, 3)))


def _of_8_bits(samples: Plane, black: int, drop: int) -> NDArray[np.uint8]:
    """(h, w, channels): `black` becomes 0, and `drop` bits go."""
    shifted = samples if samples.itemsize == 1 else (samples - np.uint16(black)) >> np.uint16(drop)
    return shifted.astype(np.uint8, order="C")


def _resized(samples: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    image = Image.fromarray(samples if samples.shape[2] == 3 else samples[:, :, 0])
    # Each pixel is a mean of all that it stands for, as in the scaler that video goes through.
    scaled = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.uint8)
    return scaled.reshape(height, width, samples.shape[2])
