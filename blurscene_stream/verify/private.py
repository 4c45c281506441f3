"""Does OUTPUT hold anything that a run lets through only by name, or never?"""

from __future__ import annotations

from blurscene_stream.frames import Frame
from blurscene_stream.source.foreign import Holdings, PictureNotes
from blurscene_stream.streams import StreamInfo, StreamType
from blurscene_stream.verify.report import Check, Grade

NOTHING = "nothing beside pictures and sound but what may be kept"


class Private:
    """Looks at what is not pictures or sound.

    check: what was found
    """

    def __init__(self, after: StreamInfo, holdings: Holdings) -> None:
        self.check = Check("private", NOTHING)
        self._notes = PictureNotes()
        self._told: set[str] = set()
        if len(holdings.videos) > 1:
            self._add(f"{len(holdings.videos)} videos")
        for what in (*after.dropped, *holdings.foreign):
            self._add(what)
        for track in after.copied_streams:
            held = track.native.codec_context.extradata if track.type is StreamType.audio else None
            if held and bytes(held) != track.extradata:
                self._add(f"something in the header of its {track.codec} sound that decoding does not need")

    def look(self, shown: Frame) -> None:
        """One picture of OUTPUT. The same in each picture counts once."""
        for what in self._notes(shown.native):
            if what not in self._told:
                self._told.add(what)
                self._add(f"{what} inside the video", shown.number)

    def finish(self, cleaned: int) -> None:
        """Sum up; `cleaned`: packets of its sound in or beside which was something else."""
        if cleaned:
            self._add(f"something beside the sound, in {cleaned:,} of its packets")

    def _add(self, what: str, frame: int | None = None) -> None:
        self.check.summary = "something beside pictures and sound that may not be kept, or was not named"
        self.check.add(Grade.fail, f"OUTPUT holds {what}", frame)
