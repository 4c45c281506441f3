"""A line of a file of detections, there and back: nothing is lost, nothing is guessed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from blurscene_stream.boxes import NO_TRACK, Detections, Origin
from blurscene_stream.frames import PIXEL_FORMATS, Frame, PictureInfo, RedactedFrame
from blurscene_stream.json_lines import LineError
from blurscene_stream.sidecar.line_format import frame_line, parse_frame
from blurscene_stream.sidecar.manual_tracks import UNSET_TRACK
from tests.detectors import CLASSES

TICK = Fraction(1, 90_000)
PICTURE = PictureInfo(2, 2, PIXEL_FORMATS["yuv444p"])
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    """Any that are valid: outside the picture, turned inside out, without area, of any track."""
    count = draw(st.integers(0, 5))
    return Detections(
        xyxy=draw(arrays.arrays(np.float32, (count, 4), elements=FLOATS)),
        scores=draw(arrays.arrays(np.float32, count, elements=FLOATS)),
        class_ids=draw(arrays.arrays(np.int64, count, elements=st.integers(0, len(CLASSES) - 1))),
        class_names=CLASSES,
        origins=draw(arrays.arrays(np.int8, count, elements=st.sampled_from([int(origin) for origin in Origin]))),
        track_ids=draw(arrays.arrays(np.int64, count, elements=st.integers(NO_TRACK, 2**63 - 1))),
    )


def frame_of(number: int, pts: int, luma: int = 16) -> Frame:
    """Any frame."""
    plane = np.full((2, 2), luma, np.uint8)
    return Frame(number, pts, PICTURE, (plane,) * 3, lambda width, height: np.zeros((height, width, 3), np.uint8), None)


FIRST = frame_of(0, 5)


def line_of(frame: Frame, made: Detections) -> str:
    """What is written when `made` was covered in the frame."""
    return frame_line(RedactedFrame(frame.number, frame.pts, made, None, frame.corrupt, frame.checksum), made, TICK)


def check_same(one: Detections, other: Detections) -> None:
    assert one.class_names == other.class_names
    for name in ("xyxy", "scores", "class_ids", "origins", "track_ids"):
        before, after = getattr(one, name), getattr(other, name)
        assert before.dtype == after.dtype and before.tobytes() == after.tobytes(), name


@given(made=detections(), number=st.integers(0, 2**40), pts=st.integers(-(2**62), 2**62))
def test_what_is_written_is_read(made: Detections, number: int, pts: int) -> None:
    frame = frame_of(number, pts)
    line = line_of(frame, made)
    assert line.endswith("}\n") and len(line.splitlines()) == 1
    found, corrupt = parse_frame(line.encode(), frame, CLASSES)
    check_same(found, made)
    assert not corrupt and "corrupt" not in line


def test_a_line_is_for_one_picture_alone() -> None:
    line = line_of(FIRST, Detections.empty(CLASSES)).encode()
    other = frame_of(0, 5, luma=17)
    with pytest.raises(LineError, match="is for another picture than frame 0 of the input shows; give the input"):
        parse_frame(line, other, CLASSES)
    without = re.sub(b'"checksum": "[0-9a-f]{8}", ', b"", line)
    assert without != line
    parse_frame(without, other, CLASSES)
    parse_frame(line, replace(other, corrupt=True), CLASSES)  # decoded otherwise each time, and covered whole


def test_a_corrupt_frame_has_no_checksum() -> None:
    line = line_of(replace(FIRST, corrupt=True), Detections.empty(CLASSES))
    assert "checksum" not in line
    assert parse_frame(line.encode(), FIRST, CLASSES)[1]


@given(value=st.floats(width=32, min_value=-1e5, max_value=1e5))
def test_numbers_are_written_as_short_as_float32_allows(value: float) -> None:
    one = np.full((1, 4), value, np.float32)
    line = line_of(FIRST, Detections(one, one[0, :1], np.zeros(1, np.int64), CLASSES))
    assert json.loads(line)["boxes"][0]["score"] == float(str(np.float32(value)))


@given(made=detections(), cut=st.integers(1, 30))
def test_a_line_that_is_cut_short_is_refused(made: Detections, cut: int) -> None:
    line = line_of(FIRST, made).rstrip("\n").encode()
    with pytest.raises(LineError, match="not a whole line of JSON"):
        parse_frame(line[:-cut], FIRST, CLASSES)


def test_a_box_by_hand_needs_a_label_and_its_corners() -> None:
    line = b'{"frame": 0, "pts": 5, "boxes": [{"label": "license_plate", "xyxy": [1, 1.5, 3, 4]}]}'
    found, _ = parse_frame(line, FIRST, CLASSES)
    assert found.xyxy.tolist() == [[1, 1.5, 3, 4]]
    assert (found.class_ids.tolist(), found.scores.tolist()) == ([1], [1.0])
    assert (found.origins.tolist(), found.track_ids.tolist()) == ([Origin.detected], [UNSET_TRACK])


GOOD: dict[str, Any] = {"label": "face", "score": 0.5, "xyxy": [1, 2, 3, 4], "origin": "detected", "track": 4}
BAD_BOXES: dict[str, tuple[Any, str]] = {  # what is wrong -> the box, a part of what is said
    "no object": ([1, 2, 3, 4], "box 1: must be an object with label, xyxy, got [1, 2, 3, 4]"),
    "no label": ({"xyxy": [1, 2, 3, 4]}, "box 1: lacks 'label'"),
    "no corners": ({"label": "face"}, "box 1: lacks 'xyxy'"),
    "a typo": ({**GOOD, "trak": 3}, "box 1: has the unknown key 'trak'; known: label, xyxy, score, origin, track"),
    "unknown class": ({**GOOD, "label": "cat"}, "box 1: label must be face or license_plate, got 'cat'"),
    "label as a number": ({**GOOD, "label": 0}, "label must be"),
    "label in a list": ({**GOOD, "label": ["face"]}, "label must be"),
    "three corners": ({**GOOD, "xyxy": [1, 2, 3]}, "xyxy must be 4 numbers, got 3"),
    "corners by name": ({**GOOD, "xyxy": {"x0": 1}}, "xyxy must be a list"),
    "corner as text": ({**GOOD, "xyxy": [1, 2, 3, "4"]}, "xyxy must be a number, got '4'"),
    "corner missing": ({**GOOD, "xyxy": [1, 2, 3, None]}, "xyxy must be a number, got null"),
    "corner is true": ({**GOOD, "xyxy": [1, 2, 3, True]}, "xyxy must be a number, got true"),
    "corner too large": ({**GOOD, "xyxy": [1, 2, 3, 1e39]}, "xyxy must be a number"),
    "corner far too large": ({**GOOD, "xyxy": [1, 2, 3, 10**400]}, "xyxy must be a number"),
    "by hand, right of it": (
        {"label": "face", "xyxy": [2, 0, 9, 2]},
        "box 1: lies outside the picture of 2x2 pixels (as stored, before any rotation) and would cover nothing",
    ),
    "by hand, above, turned": ({"label": "face", "xyxy": [0, 0, 2, -3]}, "lies outside the picture of 2x2 pixels"),
    "score as text": ({**GOOD, "score": "high"}, "score must be a number"),
    "score is null": ({**GOOD, "score": None}, "score must be a number, got null"),
    "unknown origin": (
        {**GOOD, "origin": "mine"},
        "origin must be detected, low_confidence, interpolated or extrapolated, got 'mine'",
    ),
    "track as text": ({**GOOD, "track": "4"}, "track must be a whole number from 0, got '4'"),
    "track with a fraction": ({**GOOD, "track": 4.0}, "track must be a whole number"),
    "negative track": ({**GOOD, "track": -1}, "track must be a whole number from 0, got -1"),
    "track too large": ({**GOOD, "track": 2**63}, "track must be a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_BOXES)
def test_a_box_that_makes_no_sense_is_refused(what: str) -> None:
    box, said = BAD_BOXES[what]
    line = json.dumps({"frame": 0, "pts": 5, "boxes": [box]})
    with pytest.raises(LineError) as caught:
        parse_frame(line.encode(), FIRST, CLASSES)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def _line(**changed: Any) -> bytes:
    return json.dumps({"frame": 0, "pts": 5, "time_s": 0.1, "boxes": []} | changed).encode()


def _without(key: str) -> bytes:
    content = json.loads(_line())
    del content[key]
    return json.dumps(content).encode()


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "no object": (b"[]", "must be an object with frame, pts, boxes"),
    "nothing": (b"", "is not a whole line of JSON"),
    "no text": (b"\xff\xfe\x00\x93", "is not a whole line of JSON"),
    "too deep": (b"[" * 200_000, "is not a whole line of JSON"),
    "a number of too many digits": (b'{"frame": ' + b"9" * 5000 + b"}", "is not a whole line of JSON"),
    "more behind it": (_line() + b" {}", "is not a whole line of JSON"),
    "no frame": (_without("frame"), "lacks 'frame'"),
    "no pts": (_without("pts"), "lacks 'pts'"),
    "no boxes": (_without("boxes"), "lacks 'boxes'"),
    "a typo": (_line(box=[]), "has the unknown key 'box'; known: frame, pts, boxes, time_s"),
    "boxes twice": (b'{"frame": 0, "pts": 5, "boxes": [1], "boxes": []}', "has a key twice"),
    "another frame": (_line(frame=1), "is for frame 1, but the input goes on with frame 0"),
    "frame is false": (_line(frame=False), "is for frame false"),
    "frame with a fraction": (_line(frame=0.0), "is for frame 0.0"),
    "another time": (_line(pts=6), "is for pts 6, but the input goes on with pts 5"),
    "no time": (_line(pts=None), "is for pts null"),
    "time_s as text": (_line(time_s="0:01"), "time_s must be a number"),
    "checksum as a number": (_line(checksum=12345678), "checksum must be 8 hex digits, got 12345678"),
    "checksum of seven digits": (_line(checksum="1234567"), "checksum must be 8 hex digits, got '1234567'"),
    "boxes are null": (_line(boxes=None), "boxes must be a list, got null"),
    "NaN": (b'{"frame": 0, "pts": 5, "boxes": [{"label": "face", "xyxy": [NaN, 2, 3, 4]}]}', "holds NaN"),
    "Infinity": (b'{"frame": 0, "pts": 5, "boxes": [{"label": "face", "xyxy": [-Infinity, 2, 3, 4]}]}', "-Infinity"),
    "infinite": (b'{"frame": 0, "pts": 5, "boxes": [{"label": "face", "xyxy": [1e999, 2, 3, 4]}]}', "xyxy must be"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_line_that_makes_no_sense_is_refused(what: str) -> None:
    line, said = BAD_LINES[what]
    with pytest.raises(LineError) as caught:
        parse_frame(line, FIRST, CLASSES)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


@given(
    line=st.binary(max_size=60)
    | st.text(alphabet='{}[]",:0123456789.eE-NaInfty framepsboxl', max_size=60).map(str.encode)
)
def test_whatever_is_there_is_read_or_refused(line: bytes) -> None:
    try:
        parse_frame(line, FIRST, CLASSES)
    except LineError as error:
        assert len(str(error).splitlines()) == 1
