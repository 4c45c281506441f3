"""A decoded image: its samples, the rest of its file that matters, and the frames that a detector gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blurscene_stream.boxes import UPRIGHT, Orientation
from blurscene_stream.frames import PICTURE_FORMATS, Frame, PictureInfo, RedactedFrame
from blurscene_stream.levels import dark_span, level_span, stretch_table

PIXEL_FORMAT_NAMES = {1: "gray", 2: "ya8", 3: "gbrp", 4: "gbrap"}  # channels -> one of PICTURE_FORMATS
PLANE_CHANNELS = {1: (0,), 2: (0, 1), 3: (1, 2, 0), 4: (1, 2, 0, 3)}  # channel of each plane of these formats
BACKGROUNDS = (255, 0)  # behind transparent parts most viewers have white or black
TAIL = 0.001  # share of the darkest and of the brightest pixels that a stretch leaves out: a few dots do not prevent it
FAINT_LEVELS = 64  # of 256: what spans fewer is faint
DARK_STEP_PX = 4  # every so many rows and columns are counted for dark parts


@dataclass(frozen=True, slots=True)
class JpegEncoding:
    """Parameters that a JPEG was encoded with.

    quantization_tables: 64 numbers each, by their index
    subsampling:         of chroma, in Pillow's numbers: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0
    """

    quantization_tables: tuple[tuple[int, ...], ...]
    subsampling: int


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One upright image, in main memory of its own.

    samples:       uint8 (height, width, channels): grey, grey and alpha, RGB, or RGB and alpha, full range
    file_format:   format of its file, such as "jpeg"
    lossless:      that file holds every sample as it was
    icc_profile:   its ICC profile, for these channels
    jpeg_encoding: of a JPEG that was stored upright
    orientation:   how the file holds it
    """

    samples: NDArray[np.uint8]
    file_format: str
    lossless: bool
    icc_profile: bytes | None = None
    jpeg_encoding: JpegEncoding | None = None
    orientation: Orientation = UPRIGHT

    @classmethod
    def of(cls, frame: Frame | RedactedFrame) -> DecodedImage:
        """Return the image that `frame` shows; for frames of `DecodedImage.frames` alone."""
        return cast(DecodedImage, frame.native)

    @classmethod
    def blank(cls, width: int, height: int) -> DecodedImage:
        """Return a black image, which shows nothing; for a first run of a detector."""
        return cls(np.zeros((height, width, 3), np.uint8), "array", lossless=True)

    @property
    def info(self) -> PictureInfo:
        """Properties that its frames have in common."""
        height, width, channels = self.samples.shape
        return PictureInfo(width, height, PICTURE_FORMATS[PIXEL_FORMAT_NAMES[channels]], full_range=True)

    @property
    def has_alpha(self) -> bool:
        """True when the last channel is opacity."""
        return self.samples.shape[2] in (2, 4)

    @property
    def translucent(self) -> bool:
        """True when something of what lies behind the image shows."""
        return self.has_alpha and int(self.samples[:, :, -1].min()) < 255

    @property
    def color(self) -> NDArray[np.uint8]:
        """The samples without opacity."""
        return self.samples[:, :, :-1] if self.has_alpha else self.samples

    def frames(self) -> list[Frame]:
        """Return the frames that a detector gets; all are over the same samples, and stand upright.

        The first shows the colours, also those that transparency hides. Where there is transparency, it may draw a
        picture of its own: others show it over each of BACKGROUNDS, and alone. What a viewer sees once the contrast is
        raised must be found too: transparency alone, and colours whose luma spans fewer than FAINT_LEVELS, are shown
        stretched, channel by channel, so that chroma counts as well; others are, if they have dark parts.
        """
        planes = tuple(self.samples[:, :, channel] for channel in PLANE_CHANNELS[self.samples.shape[2]])
        shown = [_Scaler(self.color)]
        if self.translucent:
            alpha = self.samples[:, :, -1:]
            shown += [_Scaler(self.color, alpha, background) for background in BACKGROUNDS]
            shown += [_Scaler(_stretched(alpha))] if np.ptp(alpha) else []
        if (raised := _raised(self.color)) is not None:
            shown += [_Scaler(raised)]
        return [Frame(number, 0, self.info, planes, scaler, self) for number, scaler in enumerate(shown)]


@dataclass(frozen=True, slots=True)
class _Scaler:
    """Frame.scale_rgb of `color` (H, W, 1 or 3): alone, or composited by `alpha` (H, W, 1) over `background`."""

    color: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    background: int = 0

    def __call__(self, width: int, height: int) -> NDArray[np.uint8]:
        color = _resized(self.color, width, height)
        if self.alpha is not None:
            opacity = _resized(self.alpha, width, height) / np.float32(255)
            color = (color * opacity + self.background * (1 - opacity)).round().astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(color, (height, width, 3)))


def _raised(color: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return `color` with more contrast where its luma spans few levels in all, or in a dark part; None: nowhere."""
    luma = np.asarray(Image.fromarray(color).convert("L") if color.shape[2] == 3 else color[:, :, 0])
    low, high = level_span(luma, TAIL)
    if high - low < FAINT_LEVELS:
        return _stretched(color) if int(np.ptp(color, axis=(0, 1)).max()) > 0 else None
    span = dark_span(luma[::DARK_STEP_PX, ::DARK_STEP_PX], 256, black=0)
    return None if span is None else stretch_table(*span, 256)[color]


def _stretched(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch each channel of (H, W, channels) to 0..255."""
    stretched = np.empty_like(samples)
    for channel in range(samples.shape[2]):
        plane = samples[:, :, channel]
        stretched[:, :, channel] = stretch_table(*level_span(plane, TAIL), 256)[plane]
    return stretched


def _resized(samples: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    image = Image.fromarray(samples if samples.shape[2] == 3 else samples[:, :, 0])
    # Each pixel is a mean of all that it stands for, as in the scaler that video goes through.
    scaled = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.uint8)
    return scaled.reshape(height, width, samples.shape[2])
