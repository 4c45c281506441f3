"""Videos on the page in headless Chromium, as jobs of a real server with the real detector."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright, of the extra 'dev'")

from playwright.sync_api import Browser, Page, Route, expect

from tests.server.browser import (
    BOTH,
    choose,
    chromium,
    downloaded,
    drag,
    real_server,
    review,
    street_video,
    tab,
    wait_for_result,
)
from tests.videos import read_video


@pytest.fixture(scope="module")
def opened() -> Generator[tuple[Browser, str]]:
    with chromium() as browser, real_server() as address:
        yield browser, address


@pytest.fixture
def page(opened: tuple[Browser, str]) -> Generator[Page]:
    with tab(*opened) as made:
        yield made


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
    assert page.inner_text("#counts").split("\n") == ["2 faces covered", "1 kept · 1 box added"]
    (tmp_path / "again.mp4").write_bytes(downloaded(page)[1])
    assert len(read_video(tmp_path / "again.mp4").luma) == 8
    _, text = downloaded(page, "#save-detections")
    labels = [[box["label"] for box in json.loads(line)["boxes"]] for line in text.splitlines()[1:]]
    assert labels == [["face", "face"]] + [["face"]] * 7


def still_running(route: Route) -> None:
    """Have a job run for as long as the test needs: a fast machine is done with it before it can be stopped."""
    if route.request.method != "GET":
        route.continue_()
        return
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | {"state": "running"})


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


def test_a_turned_video_has_its_boxes_where_they_show(page: Page, tmp_path: Path) -> None:
    choose(page, street_video(tmp_path / "turned.mp4", rotation=90))
    wait_for_result(page)
    review(page)
    area = page.locator(".review-surface").bounding_box()
    assert area
    assert area["width"] < area["height"]
