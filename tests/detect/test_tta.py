"""Variants: every pixel is in one of them, boxes come back from each, and each finds what was missed without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blurscene_stream.address import Address
from blurscene_stream.boxes import Boxes, Detections, Orientation, iou
from blurscene_stream.config.schema import (
    BUILT_IN_V2,
    DetectConfig,
    MergeConfig,
    Precision,
    Settings,
    TrackConfig,
    VariantsConfig,
)
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.detect.backends.network import MULTIPLES
from blurscene_stream.detect.face_plate import FacePlateModel
from blurscene_stream.detect.letterbox import (
    MAX_ASPECT_RATIO,
    Letterbox,
    letterbox_top_left,
    tile_spans,
    tiles,
    tta_views,
)
from blurscene_stream.detect.model import Candidates
from blurscene_stream.detect.preprocessor import Preprocessor
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo
from blurscene_stream.source import open_source
from tests.detect.pictures import FACE, PLATE, WIDTH, Picture, frame_of, shown_to, stored_as
from tests.settings import changed
from tests.videos import VideoSpec, make_video

ORIENTATIONS = [Orientation(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]
BOTH = np.array([FACE, PLATE], np.float32)
YUV = PIXEL_FORMATS["yuv420p"]

variants = st.builds(
    VariantsConfig,
    mirror_image=st.booleans(),
    enlarged_regions_n=st.integers(0, 8),
    region_overlap=st.floats(0, 0.75),
    scales=st.lists(st.floats(0.1, 2), min_size=1, max_size=3),
    rotations=st.lists(st.sampled_from([90, 180, 270]), unique=True),
)
pictures = st.builds(
    PictureInfo,
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.just(YUV),
    st.sampled_from(ORIENTATIONS),
    st.fractions(Fraction(1, 8), 8, max_denominator=20),
)


def views_of(picture: PictureInfo, config: DetectConfig) -> list[Letterbox]:
    """What the built-in model is shown."""

    def plan(shown: PictureInfo, times: float) -> Letterbox:
        return letterbox_top_left(shown, config.size_px, config.max_upscale, times, MULTIPLES[BUILT_IN_V2])

    return tta_views(picture, config.variants, plan, (0, *config.variants.fixed_rotations))


def tta_detector(size_px: int = WIDTH, merge: MergeConfig | None = None, **kinds: Any) -> Detector:
    chosen = VariantsConfig(**{"scales": [1.0], **kinds})
    detect = DetectConfig(size_px=size_px, precision=Precision.fp32, variants=chosen, merge=merge or MergeConfig())
    return load_detector(Settings(device="cpu", detect=detect, track=TrackConfig(enabled=False)))


@given(length=st.integers(1, 5000), parts=st.integers(1, 8), overlap=st.floats(0, 0.75))
def test_tiles_leave_no_pixel_unseen(length: int, parts: int, overlap: float) -> None:
    spans = tile_spans(length, parts, overlap)
    assert len(spans) == parts
    assert {pixel for start, stop in spans for pixel in range(start, stop)} == set(range(length))
    (span,) = {stop - start for start, stop in spans}
    for (_, stop), (start, _) in pairwise(spans):
        assert stop - start >= math.floor(overlap * span) - 1


@given(length=st.integers(50, 5000), parts=st.integers(2, 8), overlap=st.floats(0.05, 0.75), start=st.floats(0, 1))
def test_what_is_on_a_cut_is_whole_in_one_region(length: int, parts: int, overlap: float, start: float) -> None:
    spans = tile_spans(length, parts, overlap)
    size = max(0, math.floor(overlap * (spans[0][1] - spans[0][0])) - 1)
    low = start * (length - size)
    assert any(first <= low and low + size <= stop for first, stop in spans)


@given(width=st.integers(1, 60), height=st.integers(1, 60), parts=st.integers(1, 8), overlap=st.floats(0, 0.75))
def test_regions_leave_no_pixel_unseen(width: int, height: int, parts: int, overlap: float) -> None:
    seen = np.zeros((height, width), np.bool_)
    for x0, y0, x1, y1 in tiles(width, height, parts, overlap):
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        seen[y0:y1, x0:x1] = True
    assert seen.all()


@given(
    picture=pictures,
    size_px=st.integers(32, 2048),
    kinds=variants,
    corners=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_a_box_goes_there_and_back_in_every_view(
    picture: PictureInfo, size_px: int, kinds: VariantsConfig, corners: list[float]
) -> None:
    """Forward is the picture's way, by the definitions: cut, turn upright, turn further, mirror, scale."""
    x0, x1, y0, y1 = (*sorted(corners[:2]), *sorted(corners[2:]))
    stored = np.array([x0 * picture.width, y0 * picture.height, x1 * picture.width, y1 * picture.height])
    for view in views_of(picture, DetectConfig(size_px=size_px, variants=kinds)):
        left, top, right, bottom = view.region
        u0, v0, u1, v1 = (stored - [left, top, left, top]) / [right - left, bottom - top, right - left, bottom - top]
        turn = picture.orientation
        if turn.transposed:
            u0, v0, u1, v1 = v0, u0, v1, u1
        if turn.flip_x:
            u0, u1 = 1 - u1, 1 - u0
        if turn.flip_y:
            v0, v1 = 1 - v1, 1 - v0
        for _ in range(view.rotation // 90):  # a quarter turn clockwise: the left side becomes the upper one
            u0, v0, u1, v1 = 1 - v1, u0, 1 - v0, u1
        if view.mirrored:
            u0, u1 = 1 - u1, 1 - u0
        wide, high = view.content_width, view.content_height
        shown = np.array([[u0 * wide, v0 * high, u1 * wide, v1 * high]], np.float32)
        tolerance = 1e-5 * max(picture.width, picture.height) * max(1, kinds.enlarged_regions_n)
        assert np.allclose(view.to_stored(shown)[0], stored, atol=tolerance)


@given(picture=pictures, size_px=st.integers(32, 2048), kinds=variants)
def test_every_combination_is_planned_once(picture: PictureInfo, size_px: int, kinds: VariantsConfig) -> None:
    views = views_of(picture, DetectConfig(size_px=size_px, variants=kinds))
    parts = kinds.enlarged_regions_n
    expected = len(set(kinds.scales)) + (parts**2 if parts > 1 else 0)
    ratio = picture.sample_aspect_ratio
    shapes = 1 if max(ratio, 1 / ratio) <= MAX_ASPECT_RATIO else 2
    assert len(views) == expected * (2 if kinds.mirror_image else 1) * (1 + len(kinds.fixed_rotations)) * shapes
    for view in views:
        assert view.width % 64 == view.height % 64 == 0
        assert 1 <= view.content_width <= view.width
        assert 1 <= view.content_height <= view.height
    if parts > 1 and max(picture.width, picture.height) > 1:  # one batch, and one for those on their side
        sideways = len({view.rotation % 180 for view in views})
        assert len({(view.width, view.height) for view in views if not view.is_whole}) <= sideways * shapes


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_region_shows_its_pixels_upright_turned_and_mirrored(orientation: Orientation) -> None:
    """With 2 x 2 regions that are not enlarged, what is drawn is the picture itself, cut and turned."""
    upright = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    stored = stored_as(upright, orientation)
    frame = frame_of(stored, orientation)
    kinds = VariantsConfig(
        mirror_image=True, enlarged_regions_n=2, region_overlap=0, scales=[1.0], rotations=[90, 180, 270]
    )
    views = views_of(frame.picture, DetectConfig(size_px=32, variants=kinds))
    preprocessor, checked = Preprocessor(), 0
    for view in views:
        shown = np.zeros((view.height, view.width, 3), np.uint8)
        preprocessor.draw(frame, view, shown)
        if view.is_whole:
            continue
        content = shown[: view.content_height, : view.content_width]
        x0, y0, x1, y1 = view.region
        expected = np.rot90(orientation.upright(stored[y0:y1, x0:x1]), -view.rotation // 90)
        assert np.array_equal(content[:, ::-1] if view.mirrored else content, expected)
        checked += 1
    assert checked == 4 * 2 * 4


def far_away(scene: Picture, times: int) -> tuple[Picture, Boxes]:
    """The scene in a corner of a grey street that is `times` as wide and high, and where its objects are."""
    height, width = scene.shape[:2]
    street = np.full((times * height, times * width, 3), 110, np.uint8)
    street[-height:, -width:] = scene
    offset = np.array([(times - 1) * width, (times - 1) * height] * 2, np.float32)
    return street, BOTH + offset


def close_up(scene: Picture, times: int = 8) -> Picture:
    """The scene enlarged."""
    return np.asarray(cv2.resize(scene, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.uint8)


def finds(found: Detections, boxes: Boxes) -> list[bool]:
    """Whether there is a box of the right class over each of `boxes`: a face, a plate."""
    overlap = np.where(found.class_ids[None] == np.arange(len(boxes))[:, None], iou(boxes, found.xyxy), 0)
    return [bool(each) for each in overlap.max(axis=1, initial=0) > 0.5]


@pytest.mark.parametrize(
    ("kinds", "shapes"),
    [
        ({}, [(1, 3, 192, 256)]),
        ({"mirror_image": True}, [(1, 3, 192, 256)] * 2),
        ({"enlarged_regions_n": 1}, [(1, 3, 192, 256)]),
        ({"enlarged_regions_n": 2}, [(1, 3, 192, 256)] * 5),
        ({"scales": [1.0, 0.5]}, [(1, 3, 192, 256), (1, 3, 128, 128)]),
        ({"scales": VariantsConfig().scales}, [(1, 3, 192, 256), (1, 3, 128, 128), (1, 3, 64, 64)]),
        (
            {"mirror_image": True, "enlarged_regions_n": 2, "scales": [0.5]},
            [(1, 3, 128, 128)] * 2 + [(1, 3, 192, 256)] * 8,
        ),
    ],
)
def test_the_network_sees_each_variant_of_each_frame(
    scene: Picture, kinds: dict[str, Any], shapes: list[tuple[int, ...]]
) -> None:
    detect = tta_detector(**kinds)
    seen = shown_to(detect)
    found = detect([frame_of(scene), frame_of(scene)])
    assert sorted((1, 3, height, width) for width, height in seen) == sorted(shapes * 2)
    assert [len(each) > 0 for each in found] == [True, True]
    np.testing.assert_array_equal(found[0].xyxy, found[1].xyxy)


def test_no_call_is_given_more_pictures_than_the_batch_size(scene: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 views of each of 3 frames: the boxes are those of one call, and the memory is that of 7 pictures."""
    given: list[int] = []
    ask = FacePlateModel.__call__

    def counted(model: FacePlateModel, shown: NDArray[np.uint8], thresholds: Sequence[float]) -> Candidates:
        given.append(len(shown))
        return ask(model, shown, thresholds)

    monkeypatch.setattr(FacePlateModel, "__call__", counted)
    frames = [frame_of(each) for each in (scene, np.zeros_like(scene), np.ascontiguousarray(scene[:, ::-1]))]
    made = []
    for batch_size in (256, 7):
        kinds = VariantsConfig(mirror_image=True, enlarged_regions_n=2, scales=[1.0])
        detect = DetectConfig(size_px=WIDTH, batch_size=batch_size, precision=Precision.fp32, variants=kinds)
        made.append(load_detector(Settings(device="cpu", detect=detect)).candidates(frames)[0])
    assert given == [30, *[7] * 4, 2]
    for one, other in zip(*(arrays_of(each) for each in made), strict=True):
        np.testing.assert_array_equal(one, other)


def arrays_of(candidates: Candidates) -> tuple[NDArray[Any], ...]:
    return candidates.images, candidates.class_ids, candidates.scores, candidates.boxes


def test_what_mirrored_and_plain_views_share_is_made_once(scene: Picture) -> None:
    asked: list[tuple[int, int]] = []
    frame = frame_of(scene)

    def scale_rgb(width: int, height: int) -> Picture:
        asked.append((width, height))
        return frame.scale_rgb(width, height)

    tta_detector(mirror_image=True, enlarged_regions_n=2)([replace(frame, scale_rgb=scale_rgb)])
    assert asked == [(WIDTH, 144), (WIDTH, 144)]  # the whole picture, and the one that regions are cut from


def test_regions_find_what_is_too_small_for_the_whole(detector: Detector, scene: Picture) -> None:
    street, boxes = far_away(scene, 8)
    frame = frame_of(street)
    assert finds(detector([frame])[0], boxes) == [False, False]
    assert finds(tta_detector(enlarged_regions_n=4)([frame])[0], boxes) == [True, True]


def test_a_smaller_scale_finds_what_fills_the_picture(scene: Picture) -> None:
    frame = frame_of(close_up(scene))
    found = [tta_detector(8 * WIDTH, scales=scales)([frame])[0] for scales in ([1.0], [1.0, 0.25])]
    assert [finds(each, 8 * BOTH) for each in found] == [[False, True], [True, True]]


def test_a_reduced_view_counts_for_large_boxes_alone(scene: Picture) -> None:
    """Where it is the only one, or the largest, everything in it counts."""
    close, small = frame_of(close_up(scene)), frame_of(scene)
    for limit, shown in ((0, [True, True]), (1000, [False, True])):
        found = tta_detector(8 * WIDTH, scales=[1.0, 0.25], reduced_min_size_px=limit)([close])[0]
        assert finds(found, 8 * BOTH) == shown
    found = tta_detector(2 * WIDTH, scales=[0.5, 0.125], reduced_min_size_px=1000)([small])[0]
    assert finds(found, BOTH) == [True, True]


def test_a_reduced_view_is_measured_in_its_own_pixels(scene: Picture) -> None:
    picture = frame_of(scene).picture
    config = VariantsConfig(scales=[1.0, 0.5, 2.0], reduced_min_size_px=20)
    views = tta_views(picture, config, lambda shape, times: letterbox_top_left(shape, WIDTH, 2.0, times))
    boxes = np.array([[0, 0, 19, 5], [0, 0, 20, 5], [3, 3, 4, 30]], np.float32)
    assert [view.counts(boxes).tolist() for view in views] == [[True] * 3, [False, True, True], [True] * 3]


def test_the_mirrored_picture_adds_what_is_found_only_there(scene: Picture, detector: Detector) -> None:
    """The network is not the same in both directions: a threshold between its two scores tells them apart."""
    mirrored = np.ascontiguousarray(scene[:, ::-1])
    plain, turned = (detector([frame_of(each)])[0] for each in (scene, mirrored))
    label = int(np.argmax(np.abs(plain.scores - turned.scores)))
    worse = scene if plain.scores[label] < turned.scores[label] else mirrored
    threshold = float(plain.scores[label] + turned.scores[label]) / 2
    for mirror, expected in ((False, 0), (True, 1)):
        config = changed(
            Settings(device="cpu", detect=DetectConfig(size_px=WIDTH, precision=Precision.fp32)),
            {"track.enabled": False, "detect.variants": VariantsConfig(mirror_image=mirror, scales=[1.0])},
        )
        config = changed(config, {f"classes.{config.model.classes[label]}.threshold": threshold})
        (found,) = load_detector(config)([frame_of(worse)])
        assert (found.class_ids == label).sum() == expected


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_view_finds_what_lies_on_its_side(quarters: int, scene: Picture, detector: Detector) -> None:
    """The box in the turned picture is the box of the upright one, turned; before, the face was missed."""
    lying = np.ascontiguousarray(np.rot90(scene, quarters))  # against the clock: clockwise stands it up again
    degrees = 90 * quarters
    height, width = scene.shape[:2]
    boxes = Orientation().turned(degrees).to_stored(BOTH, width, height)
    (upright,), (missed,) = detector([frame_of(scene)]), detector([frame_of(lying)])
    assert finds(upright, BOTH) == [True, True] and False in finds(missed, boxes)
    (found,) = tta_detector(rotations=[degrees])([frame_of(lying)])
    assert finds(found, boxes) == [True, True]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_regions_are_right_however_the_picture_is_stored(
    tiling: Detector, scene: Picture, orientation: Orientation
) -> None:
    street, boxes = far_away(scene, 3)
    stored = stored_as(street, orientation)
    (found,) = tiling([frame_of(stored, orientation)])
    assert finds(found, orientation.to_stored(boxes, street.shape[1], street.shape[0])) == [True, True]


@pytest.fixture(scope="module")
def tiling() -> Detector:
    return tta_detector(enlarged_regions_n=3, mirror_image=True)


def test_regions_of_pixels_that_are_not_square(tiling: Detector, scene: Picture) -> None:
    street, boxes = far_away(scene, 3)
    narrow = np.asarray(cv2.resize(street, None, fx=0.5, fy=1, interpolation=cv2.INTER_AREA), np.uint8)
    (found,) = tiling([frame_of(narrow, pixel_aspect=Fraction(2))])
    assert finds(found, boxes * np.array([0.5, 1, 0.5, 1], np.float32)) == [True, True]


@pytest.fixture(scope="module")
def photo(shared: Path) -> Picture:
    bgr = np.asarray(cv2.imread(str(shared / "data" / "faces_photos" / "images" / "dlib_000.jpg")), np.uint8)
    return bgr[:374, :500, ::-1]  # seven faces


def boxes_in_video(path: Path, photo: Picture, ratio: Fraction) -> Boxes:
    """Boxes of what is detected in a video that shows `photo`, and says that its pixels are as wide as `ratio`."""
    height, width = photo.shape[:2]
    spec = VideoSpec(1, width, height, audio=(), sample_aspect_ratio=ratio)
    with open_source(Address(str(make_video(path, spec, draw=lambda *_: photo))), Settings()) as opened:
        frame = next(item for item in opened.items() if isinstance(item, Frame))
    assert frame.picture.sample_aspect_ratio == ratio
    (found,) = tta_detector(640)([frame])
    return found.xyxy


@pytest.mark.parametrize("ratio", ["6", "1/6", "3", "1/4"])
def test_a_false_sample_aspect_ratio_hides_no_face(ratio: str, photo: Picture, tmp_path: Path) -> None:
    faces = boxes_in_video(tmp_path / "square.mkv", photo, Fraction(1))
    squeezed = boxes_in_video(tmp_path / "squeezed.mkv", photo, Fraction(ratio))
    assert len(faces) == 7
    assert (iou(faces, squeezed).max(axis=1, initial=0) > 0.9).all()


@pytest.mark.parametrize(("ratio", "views"), [("5/2", 1), ("2/5", 1), ("51/20", 2), ("20/51", 2)])
def test_only_pixels_far_from_square_cost_a_second_scan(ratio: str, views: int) -> None:
    picture = PictureInfo(400, 300, YUV, sample_aspect_ratio=Fraction(ratio))
    assert len(views_of(picture, DetectConfig(variants=VariantsConfig(scales=[1.0])))) == views


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (33, 31), (143, 223)])
def test_odd_picture_sizes_are_detected_in_tiles(tiling: Detector, shape: tuple[int, int]) -> None:
    (found,) = tiling([frame_of(np.full((*shape, 3), 90, np.uint8))])
    assert np.isfinite(found.xyxy).all()


def test_regions_of_a_decoded_video_lie_where_they_are(tmp_path: Path) -> None:
    """The whole way from a file: odd sides, chroma at half the size; the bright square is where it is drawn."""
    source = make_video(tmp_path / "in.mkv", VideoSpec(1, 126, 94, audio=()))
    with open_source(Address(str(source)), Settings()) as opened:
        frame = next(item for item in opened.items() if isinstance(item, Frame))
    kinds = VariantsConfig(enlarged_regions_n=2, mirror_image=True, scales=[1.0])
    views = views_of(frame.picture, DetectConfig(size_px=252, variants=kinds))
    drawn = np.zeros((1, len(views), views[0].height, views[0].width, 3), np.uint8)
    preprocessor = Preprocessor()
    for view, target in zip(views, drawn[0], strict=True):
        preprocessor.draw(frame, view, target)
    full = frame.scale_rgb(frame.picture.width, frame.picture.height).astype(int)
    checked = 0
    for view, shown in zip(views, drawn[0].astype(int), strict=True):
        for x, y in ((10, 10), (60, 50), (100, 80)):
            spot = np.array([[x - 1, y - 1, x + 2, y + 2]], np.float32)
            left, top, right, bottom = view.region
            if not (left + 2 <= x < right - 2 and top + 2 <= y < bottom - 2):
                continue
            factor = np.array([view.content_width / (right - left), view.content_height / (bottom - top)] * 2)
            u0, v0, u1, v1 = (spot[0] - [left, top, left, top]) * factor
            if view.mirrored:
                u0, u1 = view.content_width - u1, view.content_width - u0
            seen = shown[round(v0) : round(v1), round(u0) : round(u1)].mean(axis=(0, 1))
            assert np.abs(seen - full[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))).max() < 12
            checked += 1
    assert checked > len(views)


def test_thresholds_before_and_after_merging(scene: Picture) -> None:
    frame = frame_of(scene)
    (plain,) = tta_detector()([frame])
    lowest = float(plain.scores.min())
    for key in ("pre_merge_score_threshold", "post_merge_score_threshold"):
        kept, dropped = (changed(MergeConfig(), {key: value}) for value in (lowest / 2, (1 + lowest) / 2))
        assert len(tta_detector(merge=kept)([frame])[0]) == len(plain)
        assert len(tta_detector(merge=dropped)([frame])[0]) < len(plain)
    weak = MergeConfig(pre_merge_score_threshold=0.001)
    assert len(tta_detector(merge=weak)([frame])[0]) == len(plain)  # weak boxes take part, but are no objects


def test_a_least_score_before_merging_is_included(scene: Picture) -> None:
    (plain,) = tta_detector()([frame_of(scene)])
    for best in plain.scores:
        merge = MergeConfig(pre_merge_score_threshold=float(best))
        assert best in tta_detector(merge=merge)([frame_of(scene)])[0].scores
