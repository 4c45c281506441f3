"""Splitting of an audio packet into frames whose headers tell how long they are."""

from __future__ import annotations

from collections.abc import Callable

HEADER_BYTES = 8  # enough for every codec
FrameBytes = Callable[[bytes], int]
"""Returns the bytes of the frame that begins with a header. Raises ValueError or IndexError when it is none."""


def split_frames(data: bytes, frame_bytes: FrameBytes) -> list[bytes]:
    """Return the frames that a packet begins with, else those that it ends with.

    FFmpeg's parsers give what lies between two frames together with the second one.
    Raises ValueError when there is none.
    """
    if frames := _frames_at(data, 0, frame_bytes):
        return frames
    for start in range(1, len(data)):
        frames = _frames_at(data, start, frame_bytes)
        if frames and start + sum(map(len, frames)) == len(data):
            return frames
    raise ValueError


def _frames_at(data: bytes, start: int, frame_bytes: FrameBytes) -> list[bytes]:
    frames = []
    try:
        while start < len(data) and (end := start + frame_bytes(data[start : start + HEADER_BYTES])) <= len(data):
            frames.append(data[start:end])
            start = end
    except (ValueError, IndexError):  # no frame
        pass
    return frames
