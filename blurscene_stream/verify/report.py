"""What the checks found, and the verdict that it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

MOST_TOLD = 5  # places of one check that are named; the rest is counted


class Grade(IntEnum):
    """How a check ended; the worst one is the verdict."""

    ok = 0
    """All is as it must be."""
    review = 1
    """Somebody must look: it cannot be told from the files whether this is as it must be."""
    fail = 2
    """OUTPUT is not INPUT, redacted."""


VERDICTS = {Grade.ok: "PASS", Grade.review: "REVIEW", Grade.fail: "FAIL"}
EXIT_CODES = {Grade.ok: 0, Grade.fail: 4, Grade.review: 5}


@dataclass(frozen=True, slots=True)
class Place:
    """One thing that a check found.

    frame:  its number, None when it belongs to no frame
    time_s: of the frame or packet in INPUT, None likewise
    """

    text: str
    frame: int | None = None
    time_s: float | None = None

    def __str__(self) -> str:
        where = "" if self.frame is None else f"frame {self.frame}"
        if self.time_s is not None:
            where += f" ({self.time_s:.3f} s)" if where else f"{self.time_s:.3f} s"
        return f"{where}: {self.text}" if where else self.text


@dataclass(slots=True)
class Check:
    """One check: how it ended, what was looked at, and the first things that were found.

    summary: what was looked at and how it was, in words
    found:   how many things were found in all
    """

    name: str
    summary: str = ""
    grade: Grade = Grade.ok
    found: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, grade: Grade, text: str, frame: int | None = None, time_s: float | None = None) -> None:
        """One thing more that was found. Those of the worst grade are named."""
        if grade > self.grade:
            self.grade = grade
            self.places.clear()
        self.found += 1
        if grade == self.grade and len(self.places) < MOST_TOLD:
            self.places.append(Place(text, frame, time_s))

    def lines(self) -> list[str]:
        """The check in words: one line, and one for each place."""
        more = self.found - len(self.places)
        told = [f"    {place}" for place in self.places]
        if more:
            told.append(f"    and {more:,} more")
        return [f"{self.name:<8} {self.grade.name:<7} {self.summary}".rstrip(), *told]

    def as_dict(self) -> dict[str, object]:
        """The check for a machine."""
        places = [{"frame": one.frame, "time_s": one.time_s, "text": one.text} for one in self.places]
        return {
            "name": self.name,
            "grade": self.grade.name,
            "summary": self.summary,
            "found": self.found,
            "places": places,
        }


def worst(checks: Sequence[Check]) -> Grade:
    """The grade of all checks together."""
    return max((check.grade for check in checks), default=Grade.ok)
