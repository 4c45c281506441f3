"""A network with its input and its peaks on one device, here the CPU: the same boxes, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from blurscene_stream import load_settings
from blurscene_stream.boxes import Detections, iou
from blurscene_stream.config.schema import Settings
from blurscene_stream.detect import Detector, load_detector
from blurscene_stream.detect import loading as detector_loading
from blurscene_stream.detect.backends import loading
from blurscene_stream.detect.backends.torch import self_check
from blurscene_stream.detect.backends.torch.device_network import OnDeviceNetwork
from blurscene_stream.detect.backends.torch.peaks import pack_peaks
from blurscene_stream.detect.backends.torch.plane_input import PlanePreprocessor
from blurscene_stream.detect.backends.torch.self_check import load_checked
from blurscene_stream.detect.face_plate import DeviceFacePlateModel
from blurscene_stream.errors import DetectionError
from blurscene_stream.frames import Frame, ScanMode
from blurscene_stream.pipeline.at_once import SharedDetector
from tests.detect.pictures import WIDTH, Picture
from tests.detect.yuv_frames import yuv_frame
from tests.processes import PATIENCE_S


def given(model: str = "face_plate_v1", *more: str) -> Settings:
    keys = ["device=cpu", "detect.backend=torch", "detect.precision=fp32", f"detect.size_px={WIDTH}"]
    return load_settings([f"model={model}", *keys, *more])


def on_device(settings: Settings) -> Detector:
    """The detector that a GPU would have, on the CPU."""
    network = OnDeviceNetwork(settings.model, "cpu", settings.detect)
    return Detector([DeviceFacePlateModel(settings.model, network, settings.detect)], settings)


def assert_same(found: Detections, wanted: Detections) -> None:
    """The same objects; those whose score is not near the threshold, which a level of a pixel may lift above it."""
    found, wanted = found.confident(), wanted.confident()
    for some, others in ((found[found.scores > 0.3], wanted), (wanted[wanted.scores > 0.3], found)):
        assert len(some)
        overlap = np.where(some.class_ids[:, None] == others.class_ids, iou(some.xyxy, others.xyxy), 0)
        best = overlap.argmax(axis=1)
        assert overlap.max(axis=1).min() > 0.9
        assert np.abs(some.scores - others.scores[best]).max() < 0.1


@pytest.mark.parametrize(
    ("model", "mode"),
    [("face_plate_v1", ScanMode.full), ("face_plate_v1", ScanMode.only_turned), ("face_plate_v2", ScanMode.full)],
)
def test_the_boxes_are_those_of_the_plain_way(model: str, mode: ScanMode, scene: Picture) -> None:
    settings = given(model, "detect.variants.mirror_image=true", "detect.batch_size=3")
    plain, device = load_detector(settings), on_device(settings)
    assert device.device_name == plain.device_name
    turned = np.ascontiguousarray(np.rot90(scene) if mode is ScanMode.only_turned else scene)
    frames = [
        replace(yuv_frame(np.ascontiguousarray(turned[:, ::step]), number=step), scan_mode=mode) for step in (1, -1)
    ]
    for found, wanted in zip(device(frames), plain(frames), strict=True):
        assert_same(found, wanted)


@pytest.mark.parametrize("model", ["face_plate_v1", "face_plate_v2"])
def test_frames_of_several_files_in_one_batch_have_the_boxes_that_they_have_alone(model: str, scene: Picture) -> None:
    settings, sizes = given(model, "detect.batch_size=4"), list[int]()
    detector = on_device(settings)
    films = [
        [yuv_frame(np.roll(scene, shift, 1), number=number) for number, shift in enumerate(shifts)]
        for shifts in ((0, 16), (64, 40))
    ]
    shared = SharedDetector(detector, 4, PATIENCE_S, on_batch=lambda frames, _: sizes.append(frames))
    shared.start()
    with ThreadPoolExecutor(2) as pool:
        gathered = list(pool.map(shared, films, timeout=PATIENCE_S / 2))
    shared.close()
    assert sizes == [4]
    for film, found in zip(films, gathered, strict=True):
        for frame, boxes in zip(film, found, strict=True):
            assert_same(boxes, detector([frame])[0])


def test_the_boxes_of_real_pictures_are_the_same(shared: Path) -> None:
    settings = given("face_plate_v1", "detect.size_px=480")
    plain, device = load_detector(settings), on_device(settings)
    for folder, name in (("plates_dashcam", "hold_000.jpg"), ("faces_photos", "dlib_000.jpg")):
        bgr = cv2.imread(str(shared / "data" / folder / "images" / name))
        assert bgr is not None
        frame = yuv_frame(np.ascontiguousarray(bgr[:, :, ::-1]))
        (found,), (wanted,) = device([frame]), plain([frame])
        assert_same(found, wanted)


def test_a_picture_that_is_no_video_is_detected_in_too(scene: Picture) -> None:
    from blurscene_stream.image.samples import DecodedImage  # noqa: PLC0415

    (frame,) = DecodedImage(scene, "png", lossless=True).frames()
    (found,), (wanted,) = (each([frame]) for each in (on_device(given()), load_detector(given())))
    assert np.array_equal(found.xyxy, wanted.xyxy) and np.allclose(found.scores, wanted.scores, atol=1e-6)


def test_a_batch_that_is_not_full_is_no_new_shape_and_gives_what_its_pictures_give(scene: Picture) -> None:
    settings = given("face_plate_v2", "detect.batch_size=6")
    network, shapes = OnDeviceNetwork(settings.model, "cpu", settings.detect), set[tuple[int, ...]]()
    network.network.register_forward_pre_hook(lambda _, inputs: shapes.add(tuple(inputs[0].shape)))
    shown = np.zeros((7, 192, 256, 3), np.uint8)
    for number, picture in enumerate(shown):
        picture[:144, :224] = np.roll(scene, 11 * number, 1)
    images = torch.from_numpy(shown).permute(0, 3, 1, 2)
    limits = np.full(2, -2, np.float32)
    alone = [network.cells(images[number : number + 1], limits) for number in range(7)]
    assert all(len(cells.rows) for cells in alone)
    for count, padded in ((1, 1), (2, 2), (3, 4), (4, 4), (5, 6), (6, 6), (7, 7)):
        shapes.clear()
        cells = network.cells(images[:count], limits)
        assert shapes == {(padded, 3, 192, 256)}
        for number, wanted in enumerate(alone[:count]):
            found = cells[cells.images == number]
            assert found.rows.tolist() == wanted.rows.tolist() and found.columns.tolist() == wanted.columns.tolist()
            assert np.allclose(found.values, wanted.values, atol=1e-3)
        assert set(cells.images.tolist()) == set(range(count))


class _Waiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what would wait for a GPU: reading a number, and results whose size depends on numbers."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal")
        assert func.overloadpacket.__name__ not in names, func
        if func.overloadpacket.__name__ == "index":
            assert all(each is None or each.dtype is torch.int64 for each in args[1]), "an index of booleans"
        return func(*args, **(kwargs or {}))


def test_nothing_on_the_way_to_the_cells_waits_for_the_device(scene: Picture) -> None:
    device = on_device(given("face_plate_v2"))
    frames = [yuv_frame(scene, number=number) for number in range(2)]
    device(frames)  # limits of the classes go up once
    with _Waiting():  # type: ignore[no-untyped-call]
        device(frames)


@pytest.mark.parametrize("model", ["face_plate_v1", "face_plate_v2"])
def test_a_device_that_does_what_the_cpu_does_passes_the_check(model: str) -> None:
    settings = given(model)
    for precision in ("fp32", "bf16"):
        config = load_settings([f"detect.precision={precision}"]).detect
        assert load_checked(settings.model, "cpu", config).device_name == f"cpu, torch, {precision}"


def broken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break one part of what runs on the device."""
    if what == "colours":
        monkeypatch.setattr(PlanePreprocessor, "batch", lambda own, samples: plain_batch(own, samples).flip(1))
    elif what == "network":
        monkeypatch.setattr(OnDeviceNetwork, "maps", lambda own, images: plain_maps(own, images.flip(3)))
    elif what == "numbers":
        monkeypatch.setattr(OnDeviceNetwork, "maps", lambda own, images: plain_maps(own, images) * float("nan"))
    else:
        monkeypatch.setattr(self_check, "pack_peaks", lambda maps, lowest: plain_pack(maps.flip(4), lowest))


plain_batch, plain_maps, plain_pack = PlanePreprocessor.batch, OnDeviceNetwork.maps, pack_peaks


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("colours", r"cpu, torch, fp32 gives pictures that differ by \d+ levels from those of the CPU; "),
        ("network", r"cpu, torch, fp32 gives heat maps that differ by [0-9.e+]+ from those of the CPU; "),
        ("numbers", r"cpu, torch, fp32 gives heat maps that differ by nan from those of the CPU; "),
        ("peaks", r"cpu, torch, fp32 gives other peaks than the CPU; "),
    ],
)
def test_a_device_that_does_something_else_is_refused(what: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(what, monkeypatch)
    with pytest.raises(DetectionError, match=message + r"try --set detect\.on_device=false, or --device cpu$"):
        load_checked(given().model, "cpu", given().detect)


def test_an_error_of_the_device_is_one_line_with_a_way_out(scene: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    detect = on_device(given())

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried 9 GiB\nmore")

    for part in ("_bring_up", "_draw"):
        with monkeypatch.context() as patch:
            patch.setattr(PlanePreprocessor, part, fail)
            with pytest.raises(
                DetectionError, match=r"px on cpu, torch, fp32: CUDA out of memory.*batch_size"
            ) as failed:
                detect([yuv_frame(scene)])
            assert "\n" not in str(failed.value)
    assert detect([yuv_frame(scene)])[0].confident().class_ids.tolist()[:2] == [0, 1]


def test_numbers_that_are_not_finite_are_an_error(scene: Picture) -> None:
    detect = on_device(given())
    (model,) = detect._models
    assert isinstance(model, DeviceFacePlateModel) and isinstance(model.network, OnDeviceNetwork)
    with torch.inference_mode():
        model.network.network.state_dict()["plate.heads.weight"].fill_(float("nan"))
    with pytest.raises(DetectionError, match="not finite"):
        detect([yuv_frame(scene)])


@contextmanager
def watched_preprocessors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[Frame]]]:
    held: list[list[Frame]] = []
    forget = PlanePreprocessor.forget

    def watched(own: PlanePreprocessor) -> None:
        held.append(list(getattr(own, "_planes", {})))
        forget(own)
        assert not own._planes

    monkeypatch.setattr(PlanePreprocessor, "forget", watched)
    yield held


def test_no_frame_is_held_after_a_call(scene: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    detect, frame = on_device(given()), yuv_frame(scene)
    with watched_preprocessors(monkeypatch) as held:
        detect([frame])
    assert held == [[], [frame]]


@pytest.mark.parametrize(("device", "asked", "taken"), [("cuda:0", "true", True), ("cuda:0", "false", False)])
def test_a_gpu_has_it_where_it_is_asked_for(
    device: str, asked: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = given("face_plate_v1", f"detect.on_device={asked}")
    monkeypatch.setattr(detector_loading, "choose_device", lambda *_: device)
    monkeypatch.setattr(
        detector_loading, "load_network", lambda model, _, config: loading.load_network(model, "cpu", config)
    )
    monkeypatch.setattr(
        detector_loading,
        "load_device_network",
        lambda model, _, config: loading.load_device_network(model, "cpu", config),
    )
    (model,) = load_detector(settings)._models
    assert isinstance(model, DeviceFacePlateModel) is taken
