"""The redactor: covers detections and zones in the frame's own planes, and makes the RedactedFrame."""

from __future__ import annotations

from collections.abc import Callable

from blurscene_stream.boxes import NO_TRACK, Detections
from blurscene_stream.config.schema import ClassConfig, Settings
from blurscene_stream.crash_report import unforeseen_errors
from blurscene_stream.errors import ConfigError, RedactionError
from blurscene_stream.frames import Frame, PictureInfo, Plane, RedactedFrame
from blurscene_stream.redact.first_appearance import AppearanceCache, first_appearance
from blurscene_stream.redact.methods import METHODS, TRACKED_METHODS
from blurscene_stream.redact.plane_views import PlaneView, check_planes, plane_views
from blurscene_stream.redact.regions import Region, cover_regions, full_region
from blurscene_stream.redact.zones import Zones


class Redactor:
    """Covers every object in a frame; every sample outside the covered regions stays as it was.

    A tracked object is covered by its first appearance in all frames: they tell no more of it than the first one. So
    is a zone that is always covered, and the whole of corrupt frames. So a Redactor has state, and belongs to one
    stream and one thread. It has none for boxes without a track, nor with `still` for zones: then any picture may be
    given to it, from several threads too.
    """

    def __init__(self, settings: Settings, class_names: tuple[str, ...], still: bool = False) -> None:
        """Prepare what to cover, and how.

        class_names: the detector's class names in the order of its class ids
        still:       frames are unrelated images
        Raises ConfigError for a class without settings.
        """
        self._class_names = class_names
        self._classes = class_configs(settings, class_names)
        self._config = settings.redact
        self._zones = Zones(settings.areas)
        self._still = still
        self._method = METHODS[settings.redact.method]
        self._tracked_method = TRACKED_METHODS.get(settings.redact.method)
        self._appearances = AppearanceCache()

    def __call__(self, frame: Frame, detections: Detections) -> RedactedFrame:
        """Cover the detections that the zones leave, and the zones that are always covered, in the planes of `frame`.

        A corrupt frame is covered whole.

        Raises RedactionError, ConfigError for a zone that lies outside the picture; the planes may then be half done
        and must not be shown.
        """
        return release(frame, detections, self._class_names, self._redact)

    def regions(self, picture: PictureInfo, detections: Detections, corrupt: bool = False) -> list[Region]:
        """Return all that is covered in a picture: zones, then objects; one region over all of a corrupt one."""
        if corrupt:
            return [full_region(picture)]
        kept = self._zones.filter(picture, detections)
        return [*self._zones.regions(picture)["always"], *self._object_regions(picture, kept)]

    def _object_regions(self, picture: PictureInfo, kept: Detections) -> list[Region]:
        return cover_regions(picture, kept, self._classes, self._config.min_margin_px)

    def _redact(self, frame: Frame, detections: Detections) -> Detections:
        kept = self._zones.filter(frame.picture, detections)
        tracked_regions = self._whole_frame(frame) if frame.corrupt else self._tracked_regions(frame, kept)
        shown = frame.owned() if tracked_regions else frame
        for track_id, region in tracked_regions:
            views = list(plane_views(shown, region.rect))
            for view, samples in zip(views, self._covers(views, region, track_id), strict=True):
                view.write(samples, region.block_mask)
        return kept

    def _whole_frame(self, frame: Frame) -> list[tuple[int, Region]]:
        """Cover all of a corrupt frame. Objects in it are not remembered: it may not be what the camera saw."""
        track_id = self._zone_track_id(len(self._zones.regions(frame.picture)["always"]))
        self._appearances.start_frame(frame, [track_id])
        return [(track_id, full_region(frame.picture))]

    def _tracked_regions(self, frame: Frame, kept: Detections) -> list[tuple[int, Region]]:
        """Return the regions to cover in order, each with its track id."""
        # One after the other, each over what the ones before left: where regions overlap, the last one averages
        # samples that are covered already, and no original sample comes through. What was covered before comes first,
        # so that nothing that is averaged sees more of it than its first appearance: zones, then known objects.
        always = self._zones.regions(frame.picture)["always"]
        zones = [(self._zone_track_id(index), region) for index, region in enumerate(always)]
        track_ids = kept.track_ids.tolist()
        self._appearances.start_frame(frame, [*(track_id for track_id, _ in zones), *track_ids])
        objects = [(track_ids[region.index], region) for region in self._object_regions(frame.picture, kept)]
        objects.sort(key=lambda tracked: self._appearances.get(tracked[0]) is None)
        return [*zones, *objects]

    def _zone_track_id(self, index: int) -> int:
        """Return the track id of a zone: a number that no object has."""
        return NO_TRACK if self._still else NO_TRACK - 1 - index

    def _covers(self, views: list[PlaneView], region: Region, track_id: int) -> list[Plane]:
        """Return the samples to put over a region, plane by plane."""
        if track_id == NO_TRACK or self._tracked_method is None:
            longest_px = region.longest_px
            return [self._method(view, self._config, longest_px) for view in views]
        first = self._appearances.get(track_id)
        if first is None:
            first = first_appearance(views, region, self._config.cells)
            self._appearances.add(track_id, first)
        return [self._tracked_method(view, region, first) for view in views]


def class_configs(settings: Settings, class_names: tuple[str, ...]) -> list[ClassConfig]:
    """Return the settings of each class, in the order of the class ids.

    Raises ConfigError for a class without settings.
    """
    unknown = [name for name in class_names if name not in settings.classes]
    if unknown:
        raise ConfigError(
            f"classes.{unknown[0]} is missing: the detector finds it; known: {', '.join(settings.classes)}"
        )
    return [settings.classes[name] for name in class_names]


def release(
    frame: Frame,
    detections: Detections,
    class_names: tuple[str, ...],
    redact: Callable[[Frame, Detections], Detections],
) -> RedactedFrame:
    """Run `redact`, which writes into the planes of `frame`; make a RedactedFrame only when it succeeds.

    redact: returns those of the detections that it covered: the others do not count
    Raises RedactionError for whatever goes wrong, and when `detections` are not of `class_names`; ConfigError when
    `redact` does.
    """
    with unforeseen_errors(RedactionError, f"frame {frame.number}: could not be redacted"):
        if detections.class_names != class_names:
            raise RedactionError(
                f"frame {frame.number}: found classes {detections.class_names}, expected {class_names}"
            )
        check_planes(frame)
        checksum = frame.checksum
        covered = redact(frame, detections)
    return RedactedFrame(frame.number, frame.pts, covered, frame.native, frame.corrupt, checksum)
