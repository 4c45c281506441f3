"""Opening of video files, and the refusal of what is none, incomplete, or refers to other files."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer

from blurscene_stream.errors import CorruptInputError, SourceError, reason
from blurscene_stream.paths import check_video_input
from blurscene_stream.source.container.completeness import JOINED, has_second_movie, missing_bytes

# From PyAV 19 on, tags that are not UTF-8 are no error any more, and the argument is gone.
LENIENT_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
STILL_IMAGE_FORMATS = ("image2", "_pipe")
LIST = "is a list of other files; give the video itself"
RAW_MJPEG_SUFFIXES = (".mjpeg", ".mjpg")  # by its bytes alone a video of one frame is a picture
PLAYLIST_FORMATS = ("concat", "hls", "dash", "imf", "webm_dash_manifest")  # libav goes on without a missing part
REFERRING_FORMATS = frozenset((*PLAYLIST_FORMATS, "sdp", "rtsp", "rtp", "vobsub", "mlv"))
"""Formats whose demuxer opens further files or addresses that the file names; libav would do so before it is asked."""
LIST_STARTS = (b"#EXTM3U", b"ffconcat", b"v=0")  # of HLS, concat and SDP


def open_file(path: Path, max_pixels: int | None = None) -> InputContainer:
    """Open a video file.

    max_pixels: of a picture that is decoded to find out what the file holds; None: any
    Raises SourceError when it is not there or not a video, CorruptInputError when it is cut short.
    """
    check_video_input(path)
    try:
        options = {**input_options("file"), **pixel_limit(max_pixels)}
        container: InputContainer = av.open(f"file:{path}", options=options, **LENIENT_TAGS)
        if container.format.name == "jpeg_pipe" and path.suffix.lower() in RAW_MJPEG_SUFFIXES:
            container.close()
            container = av.open(f"file:{path}", format="mjpeg", options=options, **LENIENT_TAGS)
    except (av.error.FFmpegError, OSError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty") from error
        if _is_truncated_mp4(path):
            raise CorruptInputError(f"{path}: the file is cut short; nothing was written") from error
        if _is_list(path):
            raise SourceError(f"{path}: {LIST}") from error
        raise SourceError(f"{path}: cannot be read as a video: {reason(error)}") from error
    try:
        refuse_images_and_playlists(path, container.format.name)
        with hold_open(path) as file:
            complete_size(path, file, container)
    except SourceError:
        container.close()
        raise
    return container


def refuse_images_and_playlists(path: Path, container_format: str) -> None:
    """Refuse what libav can read, but is not one video.

    container_format: libav's name of the container
    Raises SourceError.
    """
    if container_format.endswith(STILL_IMAGE_FORMATS):
        raise SourceError(f"{path}: is a single picture, a video is expected")
    if container_format in PLAYLIST_FORMATS:
        raise SourceError(f"{path}: {LIST}")


def input_options(protocol: str) -> dict[str, str]:
    """Return libav's options with which nothing else is opened or fetched because of what an input holds.

    protocol: the one of the input itself
    """
    return {"protocol_whitelist": protocol, "format_whitelist": _self_contained_formats()}


def pixel_limit(max_pixels: int | None) -> dict[str, str]:
    """Return libav's option, of a container or a codec, that refuses to decode a larger picture."""
    return {} if max_pixels is None else {"max_pixels": str(max_pixels)}


@cache
def _self_contained_formats() -> str:
    return ",".join(sorted(set(av.formats_available) - REFERRING_FORMATS))


def _is_list(path: Path) -> bool:
    """Return whether a file that libav refuses is a list of others."""
    try:
        with path.open("rb") as file:
            return file.read(16).startswith(LIST_STARTS)
    except OSError:
        return False


def _is_truncated_mp4(path: Path) -> bool:
    """Return whether this is an MP4 that libav cannot open at all: its index comes last, and is gone."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ftyp" and missing_bytes(file, "mp4") > 0
    except OSError:
        return False


def hold_open(path: Path) -> AbstractContextManager[BinaryIO | None]:
    """Hold the file open, so that at the end it is this one whose size is read; None for a pipe, which has no size.

    Raises CorruptInputError when it cannot be opened.
    """
    try:
        return path.open("rb") if path.is_file() else nullcontext()
    except OSError as error:
        raise CorruptInputError(f"{path}: cannot be read any more: {reason(error)}; nothing was written") from error


def complete_size(path: Path, file: BinaryIO | None, container: InputContainer) -> int:
    """Return the size of a file in bytes; 0 for a pipe, which is None.

    Raises CorruptInputError when it lacks bytes, cannot be read, or is an MP4 with another one behind it.
    """
    if file is None:
        return 0
    try:
        missing = missing_bytes(file, container.format.name)
        joined = has_second_movie(file, container.format.name)
        size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise CorruptInputError(f"{path}: cannot be read any more: {reason(error)}; nothing was written") from error
    if joined:
        raise CorruptInputError(f"{path}: {JOINED}")
    if missing:
        raise CorruptInputError(f"{path}: the file is cut short, {missing} bytes are missing; nothing was written")
    return size
