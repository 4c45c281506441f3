"""Reader of a file of detections, line by line, frame by frame."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from blurscene_stream.config.schema import Settings
from blurscene_stream.config.validation import shown
from blurscene_stream.errors import DetectionError, SourceError, reason
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, SourceItem
from blurscene_stream.json_lines import LineError
from blurscene_stream.sidecar.line_format import is_early_end, parse_frame, parse_header
from blurscene_stream.sidecar.manual_tracks import ManualTracks
from blurscene_stream.streams import StreamInfo

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1 << 24  # 150,000 boxes


class DetectionsFile:
    """An opened file of detections, of which only the header has been read; a `DetectionSource`.

    To be used once, as a context manager.

    class_names: by class id
    device_name: none is needed
    description: where the detections come from, in words
    file:        what is read

    opened: what to read in place of the file `path`, which is then only its name

    Raises SourceError when it cannot be opened, is no such file, or has a class that the settings do not know.
    """

    device_name = "none"

    def __init__(self, path: Path, settings: Settings, opened: BinaryIO | None = None) -> None:
        self._path = path
        self._number = 0
        self._manual_tracks = ManualTracks()
        self.file = _open(path) if opened is None else opened
        try:
            self._header = parse_header(self._next_line())
            self._check_classes(settings)
            self._warn_of_another_model(settings)
        except LineError as error:
            self.file.close()
            raise SourceError(f"{path}: is no file of detections that can be used: line 1 {error}") from error
        except SourceError:
            self.file.close()
            raise
        self.class_names = self._header.class_names
        self.description = f"as {path} says"

    def _check_classes(self, settings: Settings) -> None:
        for name in self._header.class_names:
            if name not in settings.classes:
                known = ", ".join(settings.classes)
                raise LineError(f"has the class {shown(name)}, which the settings do not know; known: {known}")

    def _warn_of_another_model(self, settings: Settings) -> None:
        """Say that boxes get the margins of another model than the run's: they may be covered less far.

        The names in the file are not said: in the HTTP service they are a client's.
        """
        name, names = settings.model.name, self._header.model_names
        if settings.face_model_conf is None and names and name not in names:
            way_out = "give that run's model too, with --set model=NAME"
            log.warning(
                "%s: is of a run with another model than %s, whose margins count; %s", self._path, name, way_out
            )

    def with_areas(self, settings: Settings) -> Settings:
        """Return `settings` with those areas too that the run covered in every frame."""
        own = settings.areas.always
        always = [*own, *(area for area in self._header.always if area not in own)]
        return replace(settings, areas=replace(settings.areas, always=always))

    def detected(self, items: Generator[SourceItem], info: StreamInfo) -> Generator[DetectedItem]:
        """Yield every frame with the detections of its line; packets keep their place between them.

        Raises UsageError when the file is of another video; DetectionError for a frame without a line of its own, for
        a line that makes no sense, and for lines that are left over.
        """
        self._header.check(info, str(self._path))
        return self._detected(items)

    def _detected(self, items: Generator[SourceItem]) -> Generator[DetectedItem]:
        last = -1
        with closing(items):
            for item in items:
                if isinstance(item, CopiedPacket):
                    yield item
                    continue
                last = item.number
                yield self._parsed(item)
        try:
            rest = self._next_line()
            if rest and is_early_end(rest):
                rest = self._next_line()
        except LineError as error:
            raise DetectionError(f"{self._path}: line {self._number} {error}") from error
        if rest:
            raise DetectionError(f"{self._path}: line {self._number} is left over: the input ends with frame {last}")

    def _parsed(self, frame: Frame) -> DetectedItem:
        try:
            line = self._next_line()
            if not line:
                raise DetectionError(f"{self._path}: ends before frame {frame.number}; every frame needs its line")
            detections, corrupt = parse_frame(line, frame, self.class_names)
            return replace(frame, corrupt=frame.corrupt or corrupt), self._manual_tracks.tracked(detections)
        except LineError as error:
            raise DetectionError(f"{self._path}: line {self._number} {error}") from error

    def _next_line(self) -> bytes:
        """Return the next line that is not blank; b"" at the end.

        Raises LineError for one that is too long, SourceError when the file cannot be read.
        """
        try:
            while line := self.file.readline(MAX_LINE_BYTES + 1):
                self._number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise LineError(f"is longer than {MAX_LINE_BYTES:,} bytes")
                if line.strip():
                    return line
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read any more: {reason(error)}") from error
        return b""

    def __enter__(self) -> DetectionsFile:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def _open(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise SourceError(f"{path}: is a folder, a file of detections is expected")
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(f"{path}: there is no such file") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
