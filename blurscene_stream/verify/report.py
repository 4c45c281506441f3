"""Results of the checks, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from blurscene_stream.errors import VERIFY_FAIL_EXIT_CODE, VERIFY_REVIEW_EXIT_CODE

MAX_PLACES = 5  # of one check that are listed; the rest is counted


class Grade(IntEnum):
    """Grade of a check; the worst one is the verdict."""

    ok = 0
    """Everything is as it must be."""
    review = 1
    """Somebody must look: it cannot be told from the files whether this is as it must be."""
    fail = 2
    """OUTPUT is not INPUT, redacted."""


VERDICTS = {Grade.ok: "PASS", Grade.review: "REVIEW", Grade.fail: "FAIL"}
EXIT_CODES = {Grade.ok: 0, Grade.fail: VERIFY_FAIL_EXIT_CODE, Grade.review: VERIFY_REVIEW_EXIT_CODE}


@dataclass(frozen=True, slots=True)
class Place:
    """One finding of a check.

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
    """Result of one check, with the first of its findings.

    summary: what was checked, and the result, in words
    found:   number of findings
    """

    name: str
    summary: str = ""
    grade: Grade = Grade.ok
    found: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, grade: Grade, text: str, frame: int | None = None, time_s: float | None = None) -> None:
        """Add a finding. Those of the worst grade are listed."""
        if grade > self.grade:
            self.grade = grade
            self.places.clear()
        self.found += 1
        if grade == self.grade and len(self.places) < MAX_PLACES:
            self.places.append(Place(text, frame, time_s))

    def lines(self) -> list[str]:
        """Return the check in words: one line, and one for each place."""
        more = self.found - len(self.places)
        lines = [f"    {place}" for place in self.places]
        if more:
            lines.append(f"    and {more:,} more")
        return [f"{self.name:<8} {self.grade.name:<7} {self.summary}".rstrip(), *lines]

    def as_dict(self) -> dict[str, object]:
        """Return the check for a JSON report."""
        places = [{"frame": one.frame, "time_s": one.time_s, "text": one.text} for one in self.places]
        return {
            "name": self.name,
            "grade": self.grade.name,
            "summary": self.summary,
            "found": self.found,
            "places": places,
        }


def worst(checks: Sequence[Check]) -> Grade:
    """Return the grade of all checks together."""
    return max((check.grade for check in checks), default=Grade.ok)
