"""Reading of standard input or a named pipe, which cannot seek."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Generator
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from blurscene_stream.errors import CorruptInputError, SourceError, reason
from blurscene_stream.source.container.completeness import (
    HEAD_BYTES,
    JOINED,
    SIGNATURES,
    SIZE_IN_HEAD,
    MovieCollector,
    SignatureFinder,
    has_another,
    missing_bytes,
    next_file_start,
)
from blurscene_stream.source.container.mp4_atoms import is_mp4
from blurscene_stream.source.container.opening import (
    LENIENT_TAGS,
    input_options,
    pixel_limit,
    refuse_images_and_playlists,
)
from blurscene_stream.source.container.stream_selection import Selection
from blurscene_stream.source.file import decode
from blurscene_stream.source.frames.video_decoder import DecodedFrame

STANDARD_INPUT = Path("/dev/stdin")
POLL_INTERVAL_S = 0.1  # between two checks for a stop, while nothing comes
ADVICE = "a pipe cannot seek: send mkv, ts or fragmented mp4"


class PipeReader:
    """File object that libav reads a pipe through.

    Raises SourceError when it cannot be opened. Opening a named pipe waits for a writer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopped = False
        self._head = b""
        self._collector, self._finder = MovieCollector(), SignatureFinder()
        try:
            self._descriptor = os.dup(0) if path == STANDARD_INPUT else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {reason(error)}") from error

    def read(self, size: int) -> bytes:
        """Return the next bytes, as soon as there are any; none at the end, and when the run is to stop."""
        waiting = select.poll()  # select() knows descriptors up to 1023 only
        waiting.register(self._descriptor, select.POLLIN)
        try:
            while not self._stopped:
                if waiting.poll(POLL_INTERVAL_S * 1000):
                    data = os.read(self._descriptor, size)
                    self._head += data[: max(0, HEAD_BYTES - len(self._head))]
                    self._collector.feed(data)
                    self._finder.feed(data)
                    return data
        except BaseException:  # of a signal: libav swallows it, and goes on to read
            self._stopped = True
            raise
        return b""

    def stop(self) -> None:
        """Read no more, even if nothing comes: as if the pipe ended there."""
        self._stopped = True

    def missing(self, container_format: str) -> int:
        """Count the bytes that did not come, as far as the beginning announced them.

        container_format: libav's name
        """
        announced = not set(SIZE_IN_HEAD).isdisjoint(container_format.split(","))
        return missing_bytes(io.BytesIO(self._head), container_format, self._finder.size) if announced else 0

    def begins_again(self, container_format: str, last: int) -> bool:
        """Read what is left, and return whether another video of that format is behind the first.

        container_format: libav's name
        last:             offset of the last whole packet
        """
        if not is_mp4(container_format) and container_format not in SIGNATURES:
            return False
        while self.read(HEAD_BYTES):
            pass
        if is_mp4(container_format):
            return has_another(self._collector.movies)
        start = next_file_start(self._head, container_format, last, self._finder.size)
        return self._finder.last.get(container_format, 0) >= start

    def close(self) -> None:
        """Close the pipe: its writer gets an error."""
        self.stop()
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1


def is_pipe(path: Path) -> bool:
    """Return whether a path cannot seek. Standard input may be a file all the same."""
    try:
        return path.is_fifo() or path.is_socket()
    except OSError:
        return False


def open_pipe(reader: PipeReader, path: Path, max_pixels: int | None = None) -> InputContainer:
    """Open what comes through a pipe by its beginning.

    max_pixels: as in `open_file`
    Raises SourceError when it is not a video.
    """
    try:
        options = {**input_options("pipe"), **pixel_limit(max_pixels)}
        container: InputContainer = av.open(reader, "r", options=options, **LENIENT_TAGS)
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path}: cannot be read as a video: {reason(error)}; {ADVICE}") from error
    try:
        refuse_images_and_playlists(path, container.format.name)
    except SourceError:
        container.close()
        raise
    return container


def read_pipe(
    container: InputContainer, selection: Selection, path: Path, reader: PipeReader
) -> Generator[DecodedFrame | Packet[Stream]]:
    """Yield decoded frames and copied packets, as they come.

    Raises CorruptInputError when a packet cannot be decoded, or less came than was announced: not all formats do so.
    """
    try:
        last = yield from decode(container, selection, path)
        joined = reader.begins_again(container.format.name, last)
    except CorruptInputError as error:
        raise CorruptInputError(f"{error}; {ADVICE}") from error
    finally:
        reader.close()
    if joined:
        raise CorruptInputError(f"{path}: {JOINED}")
    if missing := reader.missing(container.format.name):
        raise CorruptInputError(f"{path}: is cut short, {missing} bytes are missing; nothing was written")
