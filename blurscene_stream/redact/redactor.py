"""Hides what was found, in the frame's own planes."""

from __future__ import annotations

from blurscene_stream.boxes import NO_TRACK, Detections
from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.errors import ConfigError
from blurscene_stream.frames import Frame, PictureInfo, Plane, RedactedFrame
from blurscene_stream.redact.areas import Areas
from blurscene_stream.redact.covers import COVERS, COVERS_AGAIN
from blurscene_stream.redact.first_look import look
from blurscene_stream.redact.memory import Memory
from blurscene_stream.redact.regions import Region, covered, whole_picture
from blurscene_stream.redact.release import release
from blurscene_stream.redact.windows import Window, windows


class Redactor:
    """Covers every object in a frame; every sample outside the covered regions stays as it was.

    An object with a track is covered by what it looked like in the first frame, in all frames: they tell no more of it
    than that one. So is an area that is always covered, and the whole of damaged pictures. So a Redactor remembers, and
    belongs to one stream and one thread. Of boxes without a track it keeps nothing; with `still` of areas neither: a
    picture after the other may be given to it then, from several threads too.
    """

    def __init__(self, settings: Settings, classes: tuple[str, ...], still: bool = False) -> None:
        """What to cover, and how.

        classes: the detector's class names in the order of its labels
        still:   frames are pictures that have nothing to do with each other
        Raises ConfigError for a class without settings.
        """
        self._names = classes
        self._classes = in_label_order(settings, classes)
        self._config = settings.redact
        self._areas = Areas(settings.areas)
        self._still = still
        self._cover = COVERS[settings.redact.method]
        self._cover_again = COVERS_AGAIN.get(settings.redact.method)
        self._memory = Memory()

    def __call__(self, frame: Frame, detections: Detections) -> RedactedFrame:
        """Cover in the planes of `frame`, in place, what must be of `detections`, and the areas that always are.

        A damaged picture is covered whole.

        Raises RedactionError, ConfigError for an area that lies outside the picture; the planes may then be half done
        and must not be shown.
        """
        return release(frame, detections, self._names, self._hide)

    def regions(self, picture: PictureInfo, detections: Detections, damaged: bool = False) -> list[Region]:
        """All that is covered in a picture: the areas that always are, then objects; all of a damaged one."""
        if damaged:
            return [whole_picture(picture)]
        kept = self._areas.kept(picture, detections)
        return [*self._areas.regions(picture)["always"], *self._objects(picture, kept)]

    def _objects(self, picture: PictureInfo, kept: Detections) -> list[Region]:
        return covered(picture, kept, self._classes, self._config.least_margin_px)

    def _hide(self, frame: Frame, detections: Detections) -> Detections:
        kept = self._areas.kept(frame.picture, detections)
        places = self._whole(frame) if frame.corrupt else self._places(frame, kept)
        for track, region in places:
            parts = list(windows(frame, region.area))
            for window, samples in zip(parts, self._covers(parts, region, track), strict=True):
                window.write(samples, region.mask)
        return kept

    def _whole(self, frame: Frame) -> list[tuple[int, Region]]:
        """All of a damaged picture; what is under it is not remembered, for it may not be what the camera saw."""
        track = self._area_track(len(self._areas.regions(frame.picture)["always"]))
        self._memory.begin(frame, [track])
        return [(track, whole_picture(frame.picture))]

    def _places(self, frame: Frame, kept: Detections) -> list[tuple[int, Region]]:
        """What is covered in a picture, in order, each with its track."""
        # One after the other, each over what the ones before left: where regions overlap, the last one averages
        # samples that are covered already, and no original sample comes through. What was covered before comes first,
        # so that nothing that is averaged sees anything of it but its first look: areas, then known objects.
        always = self._areas.regions(frame.picture)["always"]
        areas = [(self._area_track(place), region) for place, region in enumerate(always)]
        tracks = kept.track_ids.tolist()
        self._memory.begin(frame, [*(track for track, _ in areas), *tracks])
        objects = [(tracks[region.index], region) for region in self._objects(frame.picture, kept)]
        objects.sort(key=lambda one: self._memory.recall(one[0]) is None)
        return [*areas, *objects]

    def _area_track(self, place: int) -> int:
        """What an area is remembered by: numbers that no object has."""
        return NO_TRACK if self._still else NO_TRACK - 1 - place

    def _covers(self, parts: list[Window], region: Region, track: int) -> list[Plane]:
        """What is put over the planes of a region."""
        if track == NO_TRACK or self._cover_again is None:
            longest_px = region.longest_px
            return [self._cover(window, self._config, longest_px) for window in parts]
        first = self._memory.recall(track)
        if first is None:
            first = look(parts, region, self._config.cells)
            self._memory.keep(track, first)
        return [self._cover_again(window, region, first) for window in parts]


def in_label_order(settings: Settings, classes: tuple[str, ...]) -> list[ClassConfig]:
    """The settings of each class in `classes`.

    Raises ConfigError for a class without settings.
    """
    unknown = [name for name in classes if name not in settings.classes]
    if unknown:
        raise ConfigError(
            f"classes.{unknown[0]} is missing: the detector finds it; known: {', '.join(settings.classes)}"
        )
    return [settings.classes[name] for name in classes]
