"""The page for keyboards, screen readers, and eyes that need contrast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs playwright, of the extra 'dev'")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.server.page.browser import (
    BOTH,
    choose,
    downloaded,
    drag,
    review,
    still_running,
    street_video,
    wait_for_result,
)

MOST_TABS = 60
KEYS = "Arrow keys move the box, Shift and arrow keys size it, Delete removes it."
SAID = """() => {
    window.said = [];
    const live = document.getElementById('live');
    new MutationObserver(() => window.said.push(live.textContent)).observe(live, { childList: true });
}"""


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until an element has the focus."""
    for _ in range(MOST_TABS):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not come to {selector}")


def test_a_video_is_covered_reviewed_and_downloaded_by_keyboard(page: Page, tmp_path: Path) -> None:
    press = page.keyboard.press
    page.evaluate(SAID)
    with page.expect_file_chooser() as chooser:
        tab_to(page, "#choose")
        press("Enter")
    chooser.value.set_files(street_video(tmp_path / "street.mp4"))
    wait_for_result(page)
    assert page.evaluate("document.activeElement.id") == "file-name"
    tab_to(page, "[name=view]")
    press("ArrowRight")
    page.wait_for_selector(".review-surface")
    tab_to(page, ".box")
    kept = page.locator(".box:focus")
    expect(kept).to_have_attribute("aria-pressed", "true")
    name = kept.get_attribute("aria-label")
    press("Delete")
    expect(page.locator(f'.box[aria-label="{name}"]')).to_have_attribute("aria-pressed", "false")
    tab_to(page, "#add-box", "Shift+Tab")
    press("Enter")
    added = page.locator(".box.added")
    expect(added).to_be_focused()
    expect(added).to_have_accessible_name("Face, added by you")
    expect(added).to_have_accessible_description(KEYS)
    before = added.bounding_box()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        press(key)
    after = added.bounding_box()
    assert before
    assert after
    assert [round(after[k] - before[k]) for k in ("x", "y", "width", "height")] == pytest.approx([-6, -6, 6, 6], abs=1)
    tab_to(page, "#render")
    press("Enter")
    wait_for_result(page)
    assert page.evaluate("document.activeElement.id") == "file-name"
    tab_to(page, "#download")
    with page.expect_download() as caught:
        press("Enter")
    assert caught.value.suggested_filename == "street_anonymized.mp4"
    said = page.evaluate("window.said")
    assert "Sending the video, 0 %" in said
    assert any(each.startswith("Looking for faces and licence plates") for each in said)  # how far it is by then varies
    assert said[-1].startswith("street.mp4: ")
    assert said[-1].endswith("covered. The result is ready.")
    assert f"street.mp4: {BOTH}. The result is ready." in said


def test_a_box_is_removed_and_a_decision_undone_by_keyboard(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    review(page)
    press = page.keyboard.press
    tab_to(page, "#add-box")
    press("Enter")
    expect(page.locator(".box.added")).to_be_focused()
    press("Delete")
    expect(page.locator("#add-box")).to_be_focused()
    tab_to(page, ".box")
    press("Enter")
    wait_for_result(page)
    assert "1 left visible" in page.inner_text("#counts")
    press("Control+z")
    wait_for_result(page)
    assert page.inner_text("#counts") == BOTH
    labels = {box["label"] for box in json.loads(downloaded(page, "#save-detections")[1].splitlines()[1])["boxes"]}
    assert labels == {"face", "license_plate"}


def test_a_screen_reader_is_told_each_control_by_name(page: Page, tmp_path: Path) -> None:
    expect(page.locator("main")).to_match_aria_snapshot("""
      - main:
        - region "Cover the faces and licence plates in your pictures":
          - heading "Cover the faces and licence plates in your pictures" [level=2]
          - button "Choose files"
    """)
    choose(page, street_video(tmp_path / "street.mp4"))
    wait_for_result(page)
    review(page)
    expect(page.locator(".work")).to_match_aria_snapshot("""
      - heading "street.mp4" [level=2]
      - group "View":
        - radio "Compare"
        - radio "Review" [checked]
      - group "Zoom":
        - button "Zoom out" [disabled]
        - button "Fit to the window" [disabled]
        - button "Zoom in"
      - button "Remove this file from the page"
      - group "Review":
        - button "Add a box"
        - combobox "Class of the box"
        - button "Remove box" [disabled]
        - button "Undo" [disabled]
        - button "Redo" [disabled]
      - button /Face, \\d+ % certain, covered/ [pressed]
      - button /Licence plate, \\d+ % certain, covered/ [pressed]
      - group "Playback":
        - button "Play"
        - button "One frame back"
        - button "One frame on"
        - slider "Position"
      - button "Download"
      - region "Timeline":
        - button /Go to (Face|Licence plate) at 0:00.0/
        - button /(Face|Licence plate). go to its next appearance/
        - button /Covered. (Face|Licence plate)/ [pressed]
    """)
    expect(page.locator(".panel")).to_match_aria_snapshot("""
      - complementary "Settings and detections":
        - region "Review"
        - group:
          - heading "Settings" [level=3]
          - group "Cover":
            - checkbox "Faces" [checked]
            - checkbox "Licence plates" [checked]
          - group "With":
            - radio "Mosaic" [checked]
            - radio "Solid"
            - radio "Blur"
          - slider "Size of the cover"
          - slider "Certainty needed"
          - button /Back to this server.s defaults/
        - region "Detections file":
          - button "Save"
          - button "Load"
    """)


def look(page: Page, state: str, wrong: list[str]) -> None:
    """Have axe look at the page, and in dark at its contrast again: nothing else depends on the colours.

    Without motion: in the midst of a transition a button has neither colour.
    """
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    results = [Axe().run(page)]
    page.emulate_media(color_scheme="dark")
    results.append(Axe().run(page, options={"runOnly": ["color-contrast"]}))
    wrong.extend(f"{state}: {each.generate_report()}" for each in results if each.violations_count)


def test_axe_finds_nothing_at_pictures(page: Page, folder: Path, tmp_path: Path) -> None:
    wrong: list[str] = []
    broken = tmp_path / "broken.png"
    broken.write_bytes((folder / "street.png").read_bytes()[:2000])
    (tmp_path / "notes.txt").write_text("no picture")
    choose(page, tmp_path / "notes.txt")
    page.wait_for_selector("#refused p")
    look(page, "empty, with a file that was refused", wrong)
    choose(page, [folder / "street.png", broken])
    page.wait_for_selector(".file-state.bad")
    wait_for_result(page)
    look(page, "result", wrong)
    review(page)
    drag(page, (20, 20), (80, 90))
    look(page, "review", wrong)
    page.click("#close-file")
    look(page, "question", wrong)
    page.click("#remove-dialog [value=keep]")
    page.locator(".file").nth(1).click()
    page.wait_for_selector("#error-card:not([hidden])")
    look(page, "error", wrong)
    assert not wrong, "\n".join(wrong)


def test_axe_finds_nothing_at_videos(page: Page, tmp_path: Path) -> None:
    wrong: list[str] = []
    page.route("**/jobs/*", still_running)
    choose(page, street_video(tmp_path / "street.mp4"))
    page.wait_for_selector("#progress-text:text('Looking')")
    look(page, "progress", wrong)
    page.unroute("**/jobs/*")
    wait_for_result(page)
    look(page, "result", wrong)
    review(page)
    page.locator(".switch").first.click()
    drag(page, (20, 20), (80, 90))
    look(page, "review", wrong)
    assert not wrong, "\n".join(wrong)
