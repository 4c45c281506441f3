"""The Python front door: one `Anonymizer` for arrays, image files in memory and videos."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blurscene_stream.address import parse_address
from blurscene_stream.boxes import Detections
from blurscene_stream.config import Settings, load_settings
from blurscene_stream.errors import UsageError
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.paths import IMAGE_FORMATS
from blurscene_stream.pipeline import Callbacks, Job, StopToken, Summary, anonymize_video
from blurscene_stream.pipeline.detection import Detector, LoadDetector, load_configured_detector
from blurscene_stream.streams import StreamInfo

if TYPE_CHECKING:  # what is for images imports Pillow: a video does without
    from blurscene_stream.image import DecodedImage
    from blurscene_stream.pipeline.image import ImageAnonymizer
    from blurscene_stream.pipeline.image_files import ImageCallbacks, ImageSummary
    from blurscene_stream.pipeline.image_paths import Plan

Location = str | PathLike[str]
Progress = Callable[[int, int | None], None]
"""Called after every frame with the frames written so far, and those in all; None where that is not known."""


class Anonymizer:
    """Covers faces and licence plates in images and videos.

    The model is loaded once, when it is first needed. One `Anonymizer` serves one thread at a time.

    settings:      all settings, see `load_settings`; None: the defaults
    load_detector: builds another detector than the one that `settings` name
    """

    def __init__(
        self, settings: Settings | None = None, *, load_detector: LoadDetector = load_configured_detector
    ) -> None:
        self.settings = load_settings() if settings is None else settings
        self._load_detector = load_detector

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        """Detect in an image: uint8 (H, W, 3), RGB. Boxes are in its pixels, without margin.

        Raises ValueError for another shape or dtype, DetectionError.
        """
        return self._images.detect_decoded(_decoded(rgb))

    def image(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a copy of an image, uint8 (H, W, 3), RGB, in which everything is covered that was detected.

        Raises ValueError for another shape or dtype, DetectionError, RedactionError.
        """
        copied = _decoded(rgb)
        self._images.redact_decoded(copied)
        return np.asarray(copied.samples, np.uint8)

    def image_bytes(self, data: bytes, image_format: str | None = None) -> bytes:
        """Anonymize the bytes of an image file. The result stands upright, without any metadata but an ICC profile.

        image_format: jpeg, png, webp, bmp or tiff; None: that of `data`
        Raises SourceError and CorruptInputError for bytes that are no such image, UsageError when `image_format` cannot
        hold it, DetectionError, RedactionError, SinkError.
        """
        if image_format is not None and image_format not in IMAGE_FORMATS.values():
            raise UsageError(
                f"image_format must be one of {', '.join(sorted({*IMAGE_FORMATS.values()}))}, got {image_format!r}"
            )
        from blurscene_stream.image import format_of  # noqa: PLC0415

        return self._images.anonymize(data, image_format or format_of(data) or "").data

    def video(  # noqa: PLR0913
        self,
        source: Location,
        target: Location,
        *,
        overwrite: bool = False,
        detections: Location | None = None,
        audit: Location | None = None,
        progress: Progress | None = None,
    ) -> Summary:
        """Write an anonymized copy of a video file or an RTSP stream.

        source:     a file, or an rtsp:// address
        target:     a file, which has its name only when it is complete, or an rtsp:// address
        overwrite:  replace `target` (and `detections`) if it exists
        detections: file that is to tell what was covered in each frame
        audit:      log that gets an entry about this run
        progress:   called after every frame
        Raises the first error of any stage, a BlurSceneError when it was foreseen; nothing is then left that looks
        finished. KeyboardInterrupt and exceptions of `progress` end the run in the same way.
        """
        job = Job(
            parse_address(fspath(source)),
            parse_address(fspath(target)),
            overwrite=overwrite,
            detections=None if detections is None else parse_address(fspath(detections)),
            audit=None if audit is None else parse_address(fspath(audit)),
        )
        return self.run(job, Callbacks() if progress is None else _callbacks(progress), StopToken())

    def run(self, job: Job, callbacks: Callbacks, stop_token: StopToken) -> Summary:
        """Do one job over a video, as `video` does; the command line's way in.

        stop_token: ends the run in good order when `request_stop` is called, from a signal handler
        """
        return anonymize_video(job, self.settings, callbacks, stop_token, self._load)

    def run_images(self, todo: Plan, callbacks: ImageCallbacks, stop_token: StopToken) -> ImageSummary:
        """Anonymize the image files of a plan; see `anonymize_images`."""
        from blurscene_stream.pipeline.image_files import anonymize_images  # noqa: PLC0415

        return anonymize_images(todo, self.settings, callbacks, stop_token, self._load)

    def _load(self, _: Settings) -> Detector:
        return self._detector

    @cached_property
    def _detector(self) -> Detector:
        return self._load_detector(self.settings)

    @cached_property
    def _images(self) -> ImageAnonymizer:
        from blurscene_stream.pipeline.image import ImageAnonymizer  # noqa: PLC0415

        return ImageAnonymizer(self.settings, self._detector)


def _decoded(rgb: NDArray[np.uint8]) -> DecodedImage:
    """Copy an array, for redaction writes into it."""
    from blurscene_stream.image import DecodedImage  # noqa: PLC0415

    if not isinstance(rgb, np.ndarray):  # a list, or a picture of Pillow
        raise ValueError(
            f"an image must be a NumPy array, uint8 (H, W, 3), RGB, got {type(rgb).__name__}: np.asarray makes one"
        )
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"an image must be uint8 (H, W, 3), RGB, got {rgb.dtype} {rgb.shape}")
    return DecodedImage(np.array(rgb, order="C"), "array", lossless=True)


def _callbacks(progress: Progress) -> Callbacks:
    done, total = 0, None

    def started(info: StreamInfo) -> None:
        nonlocal total
        total = info.frame_count or None

    def written(_: RedactedFrame) -> None:
        nonlocal done
        done += 1
        progress(done, total)

    return Callbacks(started, written)
