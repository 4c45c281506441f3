"""Options of an evaluation, and the mapping from a data set's class names to the detector's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from blurscene_stream.config.schema import Settings
from blurscene_stream.errors import UsageError
from blurscene_stream.evaluate.bootstrap import Bootstrap
from blurscene_stream.pipeline import StopToken
from blurscene_stream.pipeline.detection import LoadDetector, load_configured_detector

SYNONYMS = (  # class names of public data sets, as `_normalized` gives them
    {"face", "faces", "human face", "person face", "humanface"},
    {
        *("license plate", "licence plate", "number plate", "registration plate", "vehicle registration plate"),
        *("license plates", "licence plates", "number plates", "car plate", "car license plate", "plate", "plates"),
        *("licenseplate", "licenceplate", "numberplate", "lp", "licence", "license"),
    },
)
WILDCARD = "*"
MIN_VISIBLE = 0.5


class ClassMapping:
    """Mapping from class names of a data set to class ids of the detector.

    class_names: of the detector, by class id
    maps:        "NAME=CLASS" each; "NAME=" leaves NAME out, "*=" leaves out every unknown name

    Raises UsageError for a map of another form, or to a class that the detector does not have.
    """

    def __init__(self, class_names: Sequence[str], maps: Iterable[str] = ()) -> None:
        self.class_names = tuple(class_names)
        self._maps: dict[str, int | None] = {}
        for text in maps:
            name, equals, target = text.rpartition("=")
            if not equals or not name.strip() or (target.strip() and target.strip() not in self.class_names):
                raise UsageError(
                    f"--map {text!r}: must be NAME=CLASS with one of {', '.join(self.class_names)}; NAME= leaves it out"
                )
            self._maps[_normalized(name)] = self.class_names.index(target.strip()) if target.strip() else None

    def class_id(self, name: str, where: str) -> int | None:
        """Return the class id for `name`, None if it is left out. `where` is the place that errors name.

        Raises UsageError for an unknown name.
        """
        normalized = _normalized(name)
        if normalized in self._maps:
            return self._maps[normalized]
        synonyms = {normalized}.union(*(group for group in SYNONYMS if normalized in group))
        for class_id, known in enumerate(self.class_names):
            if _normalized(known) in synonyms:
                return class_id
        if WILDCARD in self._maps:
            return self._maps[WILDCARD]
        raise UsageError(
            f"{where}: class {name!r} is not known; add --map '{name}=CLASS' (one of {', '.join(self.class_names)}), "
            f"or --map '{name}=' to leave it out"
        )


def _normalized(name: str) -> str:
    """Return the name in lower case, its words one space apart."""
    return " ".join(re.split(r"[\s_-]+", name.strip().lower()))


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options shared by all data sets and clips of an evaluation.

    settings:      of the anonymizer, whose thresholds and margins are measured
    class_mapping: from the data sets' classes to the detector's
    bootstrap:     for the confidence intervals
    min_visible:   visible share of an object in a video frame, below which it does not count there
    min_size_px:   longer side of an object in a video frame, below which it does not count there
    progress:      called with the number of images or clips done, and of all
    stop_token:    stops the evaluation between two images or frames
    load_detector: builds the detector
    """

    settings: Settings
    class_mapping: ClassMapping
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    min_visible: float = MIN_VISIBLE
    min_size_px: float = 0.0
    progress: Callable[[int, int], None] = lambda _done, _total: None
    stop_token: StopToken = field(default_factory=StopToken)
    load_detector: LoadDetector = load_configured_detector
