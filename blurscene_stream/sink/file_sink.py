"""The file sink: an output file that has its final name only when it is complete."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import av
from av.container import OutputContainer

from blurscene_stream.atomic_file import AtomicFile
from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import SinkError, StoppedError, UsageError, reason
from blurscene_stream.frames import CopiedPacket, RedactedFrame
from blurscene_stream.paths import FILE_FORMATS, check_file_extension, check_output_path
from blurscene_stream.sink.encoder_choice import choose_encoder
from blurscene_stream.sink.muxer import Muxer
from blurscene_stream.streams import OWN_NETWORK_ID, StreamInfo

MUXER_OPTIONS = {
    "mp4": {"movflags": "+faststart"},  # the index comes first, so that a browser can start at once
    "mov": {"movflags": "+faststart"},
    "mpegts": {"flush_packets": "0", "mpegts_original_network_id": str(OWN_NETWORK_ID)},
}
SPARE_BYTES = 64 << 20  # left free on the disk for the end of a recording, whatever else grows meanwhile
SPARE_FRAMES = 256  # frames that the tracker, the queues and the encoder may hold, and that are still to be written
INDEX_BYTES = 48  # MP4's index of one packet: size, time, offset, chunk and place as a key frame


class FileSink:
    """Writes NAME.partial, and renames it to NAME when everything is on the disk.

    Used as a context manager: leaving it without `commit` deletes what was written.
    Raises UsageError for a path that cannot be written to, SinkError when writing fails.
    """

    def __init__(self, path: Path, info: StreamInfo, settings: Settings, overwrite: bool) -> None:
        self._path = path
        check_file_target(path, settings, overwrite)
        self._file = AtomicFile(path, overwrite)
        self._frames = self._packets = 0
        self._container: OutputContainer | None = None
        try:
            muxer = FILE_FORMATS[path.suffix.lower()]
            options = _muxer_options(muxer, info)
            self._container = av.open(f"file:{self._file.path}", "w", format=muxer, options=options)
            self._file.check()
            self._muxer = Muxer(self._container, info, settings)
            self._muxer.start()
        except SinkError as error:
            self._abort()
            raise SinkError(f"{path}: {error}") from error
        except (av.error.FFmpegError, ValueError) as error:
            self._abort()
            raise SinkError(f"{path}: cannot be written: {reason(error)}") from error
        except BaseException:
            self._abort()
            raise

    def write(self, item: RedactedFrame | CopiedPacket) -> None:
        """Write the next item.

        Raises SinkError.
        """
        try:
            self._muxer.write(item)
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}; nothing was left") from error
        self._frames += isinstance(item, RedactedFrame)
        self._packets += 1

    def is_disk_full(self) -> bool:
        """Tell whether the disk has room for little more than the end of the file, which grows with its length."""
        frame_bytes = self._file.written_bytes // max(self._frames, 1)
        end_bytes = SPARE_BYTES + SPARE_FRAMES * frame_bytes + INDEX_BYTES * self._packets
        return self._file.free_bytes < end_bytes

    def flush(self) -> BinaryIO:
        """Write the end, sync it to the disk, and return the file, to be read from its beginning and not closed.

        Raises SinkError when it is not complete on the disk: then nothing is left.
        """
        with self._named_errors():
            if self._container is not None:
                self._muxer.flush()
                self._container.close()
                self._container = None
            return self._file.flush()

    def commit(self) -> None:
        """Complete the file and rename it to its final name.

        Raises SinkError when it is not complete on the disk: then nothing is left.
        """
        self.flush()
        with self._named_errors():
            self._file.commit()

    @contextmanager
    def _named_errors(self) -> Generator[None]:
        """Raise every error as a SinkError that names the file."""
        try:
            yield
        except SinkError as error:
            raise SinkError(f"{self._path}: {error}; nothing was left") from error
        except (av.error.FFmpegError, OSError) as error:
            raise SinkError(f"{self._path}: cannot be completed: {reason(error)}; nothing was left") from error

    def interrupt(self, error: StoppedError) -> None:
        """Do nothing: a file does not keep anybody waiting."""

    def rollback(self) -> None:
        """Delete the file, committed or not."""
        self._abort()
        self._file.rollback()

    def __enter__(self) -> FileSink:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._abort()

    def _abort(self) -> None:
        """Leave nothing behind, unless it is committed."""
        self._file.discard()
        if self._container is not None:
            with suppress(av.error.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None


def _muxer_options(muxer: str, info: StreamInfo) -> dict[str, str]:
    """Return FFmpeg's options of the muxer.

    MP4's edit lists count in `movie_timescale`, by default milliseconds: too coarse for the start of the video.
    """
    options = MUXER_OPTIONS.get(muxer, {})
    if muxer not in ("mp4", "mov"):
        return options
    ticks = info.time_base.denominator
    return {**options, "movie_timescale": str(ticks * -(-1000 // ticks))}


def check_file_target(path: Path, settings: Settings, overwrite: bool) -> None:
    """Refuse a file that cannot be written before any work is done for it.

    Raises UsageError.
    """
    check_file_extension(path)
    muxer = FILE_FORMATS[path.suffix.lower()]
    if settings.encode.format not in (None, muxer):
        raise UsageError(f"{path}: encode.format is {settings.encode.format}, and the ending says {muxer}")
    choose_encoder(settings.encode, muxer)
    check_output_path(path, overwrite)
