"""Judges the frames of a video by a file of detections, line by line."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from blurscene_stream.config.rules import shown
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import DetectionError, SourceError, reason
from blurscene_stream.frames import CopiedPacket, DetectedItem, Frame, SourceItem
from blurscene_stream.json_lines import LineError
from blurscene_stream.sidecar.header import parse_header
from blurscene_stream.sidecar.manual_tracks import ManualTracks
from blurscene_stream.sidecar.rows import parse_frame
from blurscene_stream.streams import StreamInfo

LONGEST_LINE_BYTES = 1 << 24  # 150,000 boxes


class DetectionsFile:
    """An opened file of detections; only its header has been read. To be used once, as a context manager.

    classes:     the names of what was looked for, in the order of the labels
    device_name: none is needed
    words:       who judges

    Raises SourceError when it cannot be opened, is no such file, or has a class that the settings do not know.
    """

    device_name = "none"

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._number = 0
        self._by_hand = ManualTracks()
        try:
            if path.is_dir():
                raise SourceError(f"{path}: is a folder, a file of detections is expected")
            self._file = path.open("rb")
        except FileNotFoundError as error:
            raise SourceError(f"{path}: there is no such file") from error
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {reason(error)}") from error
        try:
            self._header = parse_header(self._next_line())
            self._check_classes(settings)
        except LineError as error:
            self._file.close()
            raise SourceError(f"{path}: is no file of detections that can be used: line 1 {error}") from error
        except SourceError:
            self._file.close()
            raise
        self.classes = self._header.classes
        self.words = f"as {path} says"
        self.file: Path | None = path

    def _check_classes(self, settings: Settings) -> None:
        for name in self._header.classes:
            if name not in settings.classes:
                known = ", ".join(settings.classes)
                raise LineError(f"has the class {shown(name)}, which the settings do not know; known: {known}")

    def obeyed(self, settings: Settings) -> Settings:
        """`settings` by which those areas are covered too that the run covered in every frame."""
        asked = settings.areas.always
        always = [*asked, *(area for area in self._header.always if area not in asked)]
        return replace(settings, areas=replace(settings.areas, always=always))

    def judged(self, items: Generator[SourceItem], info: StreamInfo) -> Generator[DetectedItem]:
        """Every frame with what its line says; packets keep their place between them.

        Raises UsageError when the file is of another video; DetectionError for a frame without a line of its own, for
        a line that makes no sense, and for lines that are left over.
        """
        self._header.check(info, str(self._path))
        return self._judged(items)

    def _judged(self, items: Generator[SourceItem]) -> Generator[DetectedItem]:
        last = -1
        with closing(items):
            for item in items:
                if isinstance(item, CopiedPacket):
                    yield item
                    continue
                last = item.number
                yield self._answer(item)
        try:
            left = self._next_line()
        except LineError as error:
            raise DetectionError(f"{self._path}: line {self._number} {error}") from error
        if left:
            raise DetectionError(f"{self._path}: line {self._number} is left over: the video ends with frame {last}")

    def _answer(self, frame: Frame) -> DetectedItem:
        try:
            line = self._next_line()
            if not line:
                raise DetectionError(f"{self._path}: ends before frame {frame.number}; every frame needs its line")
            detections, damaged = parse_frame(line, frame, self.classes)
            return replace(frame, corrupt=frame.corrupt or damaged), self._by_hand.tracked(detections)
        except LineError as error:
            raise DetectionError(f"{self._path}: line {self._number} {error}") from error

    def _next_line(self) -> bytes:
        """The next line that is not blank; nothing at the end.

        Raises LineError for one that is too long, SourceError when the file cannot be read.
        """
        try:
            while line := self._file.readline(LONGEST_LINE_BYTES + 1):
                self._number += 1
                if len(line) > LONGEST_LINE_BYTES:
                    raise LineError(f"is longer than {LONGEST_LINE_BYTES:,} bytes")
                if line.strip():
                    return line
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read any more: {reason(error)}") from error
        return b""

    def __enter__(self) -> DetectionsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
