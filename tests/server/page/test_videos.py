"""Videos on the page in headless Chromium, as jobs of a real server with the real detector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("playwright", reason="needs playwright, of the extra 'dev'")

from playwright.sync_api import Locator, Page, Route, expect

from tests.server.page.browser import (
    BOTH,
    VIDEO,
    Samples,
    choose,
    downloaded,
    drag,
    review,
    still_running,
    stored,
    street,
    street_video,
    wait_for_result,
)
from tests.videos import read_video


def test_a_video_is_followed_reviewed_and_rendered_again(page: Page, tmp_path: Path) -> None:
    choose(page, street_video(tmp_path / "street.mp4"))
    wait_for_result(page)
    assert page.inner_text("#counts") == BOTH
    assert page.locator(".compare video").count() == 2
    first = downloaded(page)
    assert first[0] == "street_anonymized.mp4"
    review(page)
    rows = page.locator("#timeline .object")
    assert rows.count() == 2
    expect(page.locator("#timeline canvas[data-drawn]")).to_have_count(2)
    rows.filter(has_text="Licence plate").locator(".switch").click()
    assert "the result does not have your changes yet" in page.inner_text("#counts")
    assert page.is_disabled("#download")
    rows.first.locator(".object-bar").click(position={"x": 5, "y": 5})
    drag(page, (20, 20), (80, 90))
    page.locator(".object-ends button", has_text="To here").click()
    page.click("#render")
    wait_for_result(page)
    assert page.inner_text("#counts").split("\n") == ["2 faces covered", "1 left visible · 1 box added"]
    (tmp_path / "again.mp4").write_bytes(downloaded(page)[1])
    assert len(read_video(tmp_path / "again.mp4").luma) == VIDEO.frames
    _, text = downloaded(page, "#save-detections")
    labels = [[box["label"] for box in json.loads(line)["boxes"]] for line in text.splitlines()[1:]]
    assert labels == [["face", "face"]] + [["face"]] * (VIDEO.frames - 1)


def test_a_videos_job_is_stopped_and_started_again(page: Page, tmp_path: Path) -> None:
    page.route("**/jobs/*", still_running)
    choose(page, street_video(tmp_path / "street.mp4"))
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        page.wait_for_selector("#progress-text:text('Looking')")
        page.click("#cancel")
    assert deleted.value.status == 204
    expect(page.locator("#error-text")).to_contain_text("You stopped it")
    page.unroute("**/jobs/*")
    page.click("#retry")
    wait_for_result(page)


def test_a_connection_that_is_lost_for_a_while_costs_nothing(page: Page, tmp_path: Path) -> None:
    lost: list[str] = []

    def lose_once(route: Route) -> None:
        what = route.request.url.rsplit("/", 1)[-1]
        if what in lost or route.request.method != "GET":
            route.continue_()
        else:
            lost.append(what)
            route.abort()

    page.route("**/jobs/**", lose_once)
    choose(page, street_video(tmp_path / "street.mp4"))
    page.wait_for_selector("#progress-text:text('The server cannot be reached')")
    wait_for_result(page)
    assert lost[1:] == ["detections", "result"]
    assert page.inner_text("#counts") == BOTH


def test_a_job_that_the_server_no_longer_has_is_told_and_sent_again(page: Page, tmp_path: Path) -> None:
    page.route("**/jobs/*", lambda route: route.fulfill(status=404, json={"error": "there is nothing here"}))
    choose(page, street_video(tmp_path / "street.mp4"))
    expect(page.locator("#error-text")).to_contain_text("The server no longer has this video")
    page.unroute("**/jobs/*")
    page.click("#retry")
    wait_for_result(page)


MOST_APART = 26  # of 255, by the codec and the scaling; what is upside down, or a few pixels off, is 30 and more apart
SHOWN = """([x, y, width, height]) => {
    const video = document.querySelector('.review > video');
    const area = video.getBoundingClientRect();
    const [sx, sy] = [video.videoWidth / area.width, video.videoHeight / area.height];
    const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(video, (x - area.x) * sx, (y - area.y) * sy, width * sx, height * sy, 0, 0, 8, 8);
    return [...context.getImageData(0, 0, 8, 8).data];
}"""


def shown_in(page: Page, box: Locator) -> Samples:
    """What the player shows where a box lies: RGB (8, 8, 3)."""
    area = box.bounding_box()
    assert area
    values = page.evaluate(SHOWN, [area["x"], area["y"], area["width"], area["height"]])
    return np.array(values, np.uint8).reshape(8, 8, 4)[:, :, :3]


def apart(shown: Samples, xyxy: Sequence[float], rotation: int) -> float:
    """How much that differs from what is in a box of the video's first frame as stored."""
    x0, y0, x1, y1 = (round(edge) for edge in xyxy)
    there = stored(stored(street(), rotation)[y0:y1, x0:x1], -rotation)
    small = cv2.resize(np.ascontiguousarray(there), (8, 8), interpolation=cv2.INTER_AREA)
    return float(np.abs(small.astype(int) - shown).mean())


def first_boxes(page: Page) -> dict[str, Sequence[float]]:
    """The boxes of the first frame in the detections file."""
    _, text = downloaded(page, "#save-detections")
    return {box["label"]: box["xyxy"] for box in json.loads(text.splitlines()[1])["boxes"]}


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_turned_video_has_its_boxes_where_they_show(page: Page, tmp_path: Path, degrees: int) -> None:
    choose(page, street_video(tmp_path / "turned.mp4", rotation=degrees))
    wait_for_result(page)
    review(page)
    area = page.locator(".review-surface").bounding_box()
    assert area
    assert area["width"] / area["height"] == pytest.approx(800 / 450, abs=0.01)
    titles = {"face": "Face", "license_plate": "Licence plate"}
    boxes = first_boxes(page)
    assert set(boxes) == set(titles)
    for label, xyxy in boxes.items():
        shown = shown_in(page, page.locator(".box", has_text=titles[label]))
        assert apart(shown, xyxy, degrees) < MOST_APART
    x, y = area["x"] + area["width"] * 0.05, area["y"] + area["height"] * 0.1
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 90, steps=3)
    page.mouse.up()
    assert apart(shown_in(page, page.locator(".box.added")), first_boxes(page)["face"], degrees) < MOST_APART


@pytest.mark.parametrize("name", ["phone.mov", "disc.ts"])
def test_a_video_that_the_browser_cannot_play_is_looked_at_by_its_result(page: Page, tmp_path: Path, name: str) -> None:
    codec = {"phone.mov": "libx265", "disc.ts": "mpeg2video"}[name]
    path = street_video(tmp_path / name, codec=codec, rate=25, rotation=90 if name == "phone.mov" else 0)
    with page.expect_request(lambda request: request.method == "POST") as sent:
        choose(page, path)
        expect(page.locator("#stage-note")).to_contain_text(f"This browser cannot play {name} itself. It is covered")
    assert "codec=h264" in sent.value.url
    wait_for_result(page)
    assert "1 licence plate covered" in page.inner_text("#counts")
    assert page.inner_text("#stage-note").endswith("so there is no “before” here.")
    assert page.locator(".compare video").count() == 1
    page.wait_for_function("document.querySelector('.compare video').videoWidth > 0")
    saved, content = downloaded(page)
    assert saved == f"{path.stem}_anonymized.mp4"
    (tmp_path / saved).write_bytes(content)
    with av.open(str(tmp_path / saved)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
    review(page)
    assert page.inner_text("#stage-note").endswith("so the boxes lie over the result.")
    expect(page.locator("#timeline canvas[data-drawn]")).to_have_count(page.locator("#timeline .object").count())
    colours = "canvas => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, 96, 96).data.buffer)).size"
    assert page.locator("#timeline canvas").first.evaluate(colours) > 100
    page.locator(".object", has_text="Licence plate").locator(".switch").click()
    page.click("#render")
    wait_for_result(page)
    assert "1 left visible" in page.inner_text("#counts")
    assert "plate" not in page.inner_text("#counts")


def test_a_result_that_the_browser_cannot_play_is_told(page: Page, tmp_path: Path) -> None:
    def unplayable(route: Route) -> None:
        route.fulfill(response=route.fetch(), body=b"no video of this browser")

    page.route("**/jobs/*/result", unplayable)
    choose(page, street_video(tmp_path / "street.mp4"))
    expect(page.locator("#stage-note")).to_contain_text("This browser cannot play the result. Download it")
    assert downloaded(page)[1] == b"no video of this browser"
