"""What a run is asked for, what it has done, and who is told how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from blurscene_stream.address import Address
from blurscene_stream.frames import RedactedFrame
from blurscene_stream.streams import StreamInfo


@dataclass(frozen=True, slots=True)
class Job:
    """What to do.

    overwrite:  replace a target that exists
    preview:    draw boxes and scores instead of hiding; the target is marked as not anonymized
    detections: the file that is to tell what was covered in each frame; None: no such file
    audit:      the audit log that is to tell of the run; None: none
    """

    source: Address
    target: Address
    overwrite: bool = False
    preview: bool = False
    detections: Address | None = None
    audit: Address | None = None


@dataclass(slots=True)
class Summary:
    """What was done.

    found:          boxes of each class, in all frames together
    added:          boxes that tracking added to them
    covered_whole:  damaged pictures of a file, of which nothing is shown
    dropped_frames: pictures of a live source that came too fast or could not be decoded
    left_out:       what the source holds and the target does not, in words
    audit:          checksum of the run's entry in the audit log; "" without one
    """

    target: str
    device: str
    frames: int = 0
    seconds: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    added: int = 0
    covered_whole: int = 0
    dropped_frames: int = 0
    left_out: tuple[str, ...] = ()
    audit: str = ""

    @property
    def told(self) -> dict[str, object]:
        """What the audit log holds of it."""
        return {
            "device": self.device,
            "frames": self.frames,
            "dropped_frames": self.dropped_frames,
            "covered_whole": self.covered_whole,
            "found": dict(self.found),
            "added": self.added,
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far a run is; both run on the main thread.

    started: called once with the source, before the first frame
    written: called after each frame
    """

    started: Callable[[StreamInfo], None] = lambda _: None
    written: Callable[[RedactedFrame], None] = lambda _: None
