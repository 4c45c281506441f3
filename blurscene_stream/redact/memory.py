"""Remembers what tracked objects looked like when they were first covered, for as long as they may come back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from blurscene_stream.errors import RedactionError
from blurscene_stream.frames import Frame, PictureInfo
from blurscene_stream.redact.first_look import FirstLook

REMEMBERED_FRAMES = 5000
"""A track that is in none of so many frames is over: gaps last 20 s at most, which are 4800 frames at 240 Hz."""
MOST_LOOKS = 20_000
"""So many need about 20 MB. Of more, those unseen for longest are forgotten: they would be looked at once more."""


class Memory:
    """The first looks of the tracked objects of one stream, of the last frames only: about a kilobyte each."""

    def __init__(self) -> None:
        self._picture: PictureInfo | None = None
        self._frames = 0
        self._looks: OrderedDict[int, tuple[FirstLook, int]] = OrderedDict()  # the longest unseen first

    def __len__(self) -> int:
        return len(self._looks)

    def begin(self, frame: Frame, tracks: Iterable[int]) -> None:
        """A new frame: the objects in `tracks` are in it, and those that were not seen for long are forgotten.

        Raises RedactionError when it has another shape than those in which objects were remembered.
        """
        if self._looks and frame.picture != self._picture:
            raise RedactionError(
                f"frame {frame.number}: has another shape than the frames before it: tracks belong to one stream"
            )
        self._picture = frame.picture
        self._frames += 1
        for track in tracks:
            if track in self._looks:
                self._looks[track] = self._looks[track][0], self._frames
                self._looks.move_to_end(track)
        self._forget()

    def _forget(self) -> None:
        while self._looks:
            _, seen = next(iter(self._looks.values()))
            unseen = self._frames - seen
            if unseen == 0 or (unseen <= REMEMBERED_FRAMES and len(self._looks) <= MOST_LOOKS):
                break  # what is in this frame is never forgotten, nor is what was seen later than this one
            self._looks.popitem(last=False)

    def recall(self, track: int) -> FirstLook | None:
        """What `track` looked like; None when it was never covered."""
        return self._looks[track][0] if track in self._looks else None

    def keep(self, track: int, look: FirstLook) -> None:
        """Remember what `track`, which was never covered before, looks like."""
        self._looks[track] = look, self._frames
