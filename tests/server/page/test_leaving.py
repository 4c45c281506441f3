"""What a person has done on the page is not lost without a question, and nothing of it stays on the server."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

pytest.importorskip("playwright", reason="needs playwright, of the extra 'dev'")

from playwright.sync_api import Browser, Page, expect

from tests.server.page.browser import (
    choose,
    downloaded,
    rendered_again,
    review,
    still_running,
    street_video,
    tab,
    wait_for_result,
)

TIMEOUT_S = 20


@pytest.fixture
def page(browser: Browser, address: str) -> Generator[Page]:
    """A page that may be closed."""
    with tab(browser, address) as made:
        yield made


def stay(page: Page) -> None:
    """Close the page, and stay when it asks."""
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()


def leave(page: Page) -> None:
    """Close the page, which does not ask."""
    with page.expect_event("close"):
        page.close(run_before_unload=True)


def test_only_a_review_that_is_not_downloaded_asks_before_the_page_is_left(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    review(page)
    rendered_again(page, page.locator(".box").first.click)
    stay(page)
    rendered_again(page, lambda: page.click("#undo"))
    rendered_again(page, lambda: page.click("#redo"))
    downloaded(page)
    leave(page)


def test_a_result_that_was_not_reviewed_is_left_without_a_question(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    page.click(".brand")
    leave(page)


def test_a_page_that_is_left_while_a_video_runs_asks_and_deletes_the_job(page: Page, tmp_path: Path) -> None:
    page.route("**/jobs/*", still_running)
    with page.expect_response(lambda answer: answer.request.method == "POST") as created:
        choose(page, street_video(tmp_path / "street.mp4"))
    page.wait_for_selector("#progress-text:text('Looking')")
    assert page.title().endswith("blurscene-stream")
    page.click(".brand")  # a browser asks nobody who has done nothing
    job = created.value.headers["location"]
    stay(page)
    assert status_of(created.value.url.replace("/jobs", job)) == 200
    page.once("dialog", lambda asked: asked.accept())
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    wait_for_status(created.value.url.replace("/jobs", job), 404)


def test_a_videos_result_asks_until_it_is_downloaded(page: Page, tmp_path: Path) -> None:
    choose(page, street_video(tmp_path / "street.mp4"))
    wait_for_result(page)
    assert page.title() == "Ready | blurscene-stream"
    page.click(".brand")
    stay(page)
    page.click("#close-file")
    page.click("#remove-dialog [value=keep]")
    assert page.inner_text("#file-name") == "street.mp4"
    downloaded(page)
    page.click("#close-file")
    expect(page.locator("#choose")).to_be_focused()


def test_a_file_with_a_review_is_removed_after_a_question(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    review(page)
    page.locator(".box").first.click()
    page.click("#close-file")
    expect(page.locator("#remove-title")).to_have_text("Remove street.png from the page?")
    page.keyboard.press("Escape")
    assert page.is_visible("#file-name")
    page.click("#close-file")
    page.click("#remove-dialog [value=remove]")
    expect(page.locator("#choose")).to_be_focused()


def status_of(address: str) -> int:
    try:
        with urlopen(address, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def wait_for_status(address: str, status: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while status_of(address) != status:
        assert time.monotonic() < deadline, f"{address} still does not answer with {status}"
        time.sleep(0.05)
