"""The class names of a data set, told in those of the detector."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from blurscene_stream.errors import UsageError

SAME = (  # words for one thing, as public data sets have them; compared by `_plain`
    {"face", "faces", "human face", "person face", "humanface"},
    {
        *("license plate", "licence plate", "number plate", "registration plate", "vehicle registration plate"),
        *("license plates", "licence plates", "number plates", "car plate", "car license plate", "plate", "plates"),
        *("licenseplate", "licenceplate", "numberplate", "lp", "licence", "license"),
    },
)
ANY = "*"


class Names:
    """Knows which of the detector's classes a name stands for.

    classes: the detector's own, in the order of its labels
    maps:    "NAME=CLASS" each; "NAME=" leaves NAME out, "*=" leaves out every name that is not known

    Raises UsageError for a map that is none or leads to a class that the detector does not have.
    """

    def __init__(self, classes: Sequence[str], maps: Iterable[str] = ()) -> None:
        self.classes = tuple(classes)
        self._maps: dict[str, int | None] = {}
        for text in maps:
            name, equals, target = text.rpartition("=")
            if not equals or not name.strip() or (target.strip() and target.strip() not in self.classes):
                raise UsageError(
                    f"--map {text!r}: must be NAME=CLASS with one of {', '.join(self.classes)}; NAME= leaves it out"
                )
            self._maps[_plain(name)] = self.classes.index(target.strip()) if target.strip() else None

    def label(self, name: str, where: str) -> int | None:
        """The label that `name` stands for; None: it is left out. `where` names the place in errors.

        Raises UsageError when nothing tells what it stands for.
        """
        plain = _plain(name)
        if plain in self._maps:
            return self._maps[plain]
        words = {plain}.union(*(group for group in SAME if plain in group))
        for label, known in enumerate(self.classes):
            if _plain(known) in words:
                return label
        if ANY in self._maps:
            return self._maps[ANY]
        raise UsageError(
            f"{where}: class {name!r} is not known; say --map '{name}=CLASS' (one of {', '.join(self.classes)}), "
            f"or --map '{name}=' to leave it out"
        )


def _plain(name: str) -> str:
    """The name in lower case, its words one space apart."""
    return " ".join(re.split(r"[\s_-]+", name.strip().lower()))
