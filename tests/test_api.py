"""The Python front door: light to import, arrays and bytes in and out, and every example of docs/api.md."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import blurscene_stream
from blurscene_stream import Anonymizer, load_settings
from blurscene_stream.boxes import Detections
from blurscene_stream.errors import UsageError
from tests.conftest import ROOT
from tests.detectors import SquareDetector
from tests.videos import VideoSpec, make_video, picture, read_video

SPEC = VideoSpec()
SQUARE = picture(0, SPEC)  # a white square on grey


def anonymizer(**settings: object) -> Anonymizer:
    chosen = load_settings({"redact.method": "solid", **settings})
    return Anonymizer(chosen, load_detector=lambda _: SquareDetector())


def test_all_names_can_be_had_and_no_more_are_promised() -> None:
    for name in blurscene_stream.__all__:
        assert getattr(blurscene_stream, name) is not None
    assert set(blurscene_stream.__all__) <= set(dir(blurscene_stream))
    with pytest.raises(AttributeError, match="no attribute 'anonymise'"):
        _ = blurscene_stream.anonymise


def test_the_names_for_type_checkers_are_those_that_are_loaded() -> None:
    tree = ast.parse((ROOT / "blurscene_stream" / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in ast.walk(guarded) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported | {"__version__"} == set(blurscene_stream.__all__)


def test_importing_is_light() -> None:
    heavy = {"numpy", "torch", "av", "cv2", "hydra", "omegaconf", "scipy", "PIL", "click"}
    script = f"import sys, blurscene_stream; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_type_checkers_find_the_types() -> None:
    assert (ROOT / "blurscene_stream" / "py.typed").is_file()


def test_an_array_comes_back_covered_and_is_left_as_it_was() -> None:
    before = SQUARE.copy()
    after = anonymizer().image(SQUARE)
    assert after.shape == SQUARE.shape and after.dtype == np.uint8
    np.testing.assert_array_equal(SQUARE, before)
    assert SQUARE.max() > 200 > after.max(), "the square shows"


def test_detections_of_an_array_are_in_its_pixels() -> None:
    detections = anonymizer().detect(SQUARE)
    assert isinstance(detections, Detections) and len(detections) == 1
    x0, y0, x1, y1 = detections.xyxy[0].astype(int)
    assert SQUARE[y0:y1, x0:x1].min() > 200


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((0, 9, 3), np.uint8),
        Image.new("RGB", (9, 9)),
        [[[0, 0, 0]]],
    ],
    ids=["gray", "rgba", "float", "empty", "Pillow", "list"],
)
def test_other_arrays_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"must be .*uint8 \(H, W, 3\), RGB"):
        anonymizer().image(wrong)


def test_an_unknown_image_format_is_refused() -> None:
    with pytest.raises(UsageError, match="image_format must be one of bmp, jpeg, png, tiff, webp, got 'gif'"):
        anonymizer().image_bytes(b"", "gif")


@pytest.mark.parametrize("image_format", [None, "png", "webp"])
def test_bytes_come_back_covered_and_without_metadata(image_format: str | None) -> None:
    told, data = Image.Exif(), io.BytesIO()
    told[0x010F] = "Anna's camera"
    Image.fromarray(SQUARE).save(data, "JPEG", exif=told, quality=95)
    after = anonymizer().image_bytes(data.getvalue(), image_format)
    assert b"Anna" in data.getvalue() and b"Anna" not in after
    with Image.open(io.BytesIO(after)) as made:
        assert made.format == (image_format or "jpeg").upper()
        assert np.asarray(made.convert("RGB")).max() < 200


def test_a_video_reports_its_progress(tmp_path: Path) -> None:
    source, seen = make_video(tmp_path / "in.mp4", SPEC), list[tuple[int, int | None]]()
    summary = anonymizer().video(source, tmp_path / "out.mp4", progress=lambda done, total: seen.append((done, total)))
    assert summary.frames == SPEC.frames == len(read_video(tmp_path / "out.mp4").luma)
    assert seen == [(done, SPEC.frames) for done in range(1, SPEC.frames + 1)]


def test_a_target_that_exists_is_refused_with_the_argument_that_replaces_it(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", SPEC)
    target = make_video(tmp_path / "out.mp4", SPEC)
    with pytest.raises(UsageError, match=r"out\.mp4: exists already; .*overwrite=True"):
        anonymizer().video(source, target)
    assert anonymizer().video(source, target, overwrite=True).frames == SPEC.frames


def test_a_run_can_be_cancelled_from_the_progress_callback(tmp_path: Path) -> None:
    class Cancelled(Exception):  # noqa: N818
        pass

    def cancel(done: int, _: int | None) -> None:
        if done == 3:
            raise Cancelled

    source = make_video(tmp_path / "in.mp4", SPEC)
    with pytest.raises(Cancelled):
        anonymizer().video(source, tmp_path / "out.mp4", progress=cancel)
    assert list(tmp_path.iterdir()) == [source]


def test_the_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(SQUARE).save("street.jpg")
    make_video(tmp_path / "in.mp4", VideoSpec(frames=3))
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/api.md", "exec"), names)
    assert len(examples) > 5
    assert (tmp_path / "out.mp4").is_file()
    assert isinstance(names["anonymous_png"], bytes)
