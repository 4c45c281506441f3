"""The page in headless Chromium, at a real server with the real detector."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

pytest.importorskip("playwright", reason="needs playwright, of the extra 'dev'")

from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from tests.pictures import exif_of, read_back
from tests.server.conftest import MakeApp
from tests.server.page.browser import (
    BOTH,
    MAX_BYTES,
    Samples,
    choose,
    downloaded,
    drag,
    rendered_again,
    review,
    street,
    street_file,
    tab,
    wait_for_result,
)


def changed_share(before: Samples, after: Samples, box: list[float]) -> float:
    x0, y0, x1, y1 = (round(edge) for edge in box)
    return float((before[y0:y1, x0:x1] != after[y0:y1, x0:x1]).any(axis=2).mean())


def found(page: Page) -> dict[str, list[float]]:
    """The boxes of what is covered now, by class, as the detections file has them."""
    _, text = downloaded(page, "#save-detections")
    return {box["label"]: box["xyxy"] for box in json.loads(text.splitlines()[1])["boxes"]}


def test_a_picture_is_covered_compared_and_downloaded(page: Page, folder: Path) -> None:
    choose(page, folder / "street.jpg")
    wait_for_result(page)
    assert page.inner_text("#counts") == BOTH
    assert page.evaluate("document.activeElement.id") == "file-name"
    boxes = found(page)
    name, data = downloaded(page)
    assert name == "street_anonymized.jpg"
    after = read_back(data)
    assert after.shape == (450, 800, 3)
    assert {label: changed_share(street(), after, box) > 0.9 for label, box in boxes.items()} == {
        "face": True,
        "license_plate": True,
    }
    sources = page.eval_on_selector_all(".compare img", "images => images.map(image => image.src)")
    assert len(sources) == 2
    assert all(source.startswith("blob:") for source in sources)


def test_the_slider_moves_by_keys_and_by_mouse(page: Page, folder: Path) -> None:
    choose(page, folder / "street.jpg")
    wait_for_result(page)
    split = "document.querySelector('.compare').style.getPropertyValue('--split')"
    slider = page.locator(".compare input")
    slider.focus()
    assert page.evaluate(split) == "50%"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate(split) == "58%"
    assert slider.get_attribute("aria-valuetext") == "58 % before"
    page.keyboard.press("Home")
    assert page.evaluate(split) == "0%"
    area = slider.bounding_box()
    assert area
    page.mouse.move(area["x"] + 2, area["y"] + 50)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.25, area["y"] + 60)
    page.mouse.up()
    assert float(page.evaluate(split).rstrip("%")) == pytest.approx(25, abs=1)


def test_a_setting_renders_again_and_defaults_come_back(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    x0, y0, x1, y1 = (round(edge) for edge in found(page)["face"])
    rendered_again(page, lambda: page.check("[name=method][value=solid]", force=True))
    covered = read_back(downloaded(page)[1])
    assert len(np.unique(covered[y0:y1, x0:x1])) == 1
    rendered_again(page, lambda: page.uncheck("[name=class][value=face]"))
    assert page.inner_text("#counts") == "1 licence plate covered"
    rendered_again(page, lambda: page.click("#settings-form [type=reset]"))
    assert page.inner_text("#counts") == BOTH
    page.fill("#threshold", "0.9")
    wait_for_result(page)
    assert page.inner_text("#counts") == "1 face covered"
    assert page.inner_text("#threshold-value") == "90 %"
    page.uncheck("[name=class][value=face]")
    wait_for_result(page)
    assert page.inner_text("#counts") == "Nothing covered"
    assert (read_back(downloaded(page)[1]) == street()).all()


def test_review_keeps_adds_undoes_and_renders_again(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    boxes = found(page)
    review(page)
    rendered_again(page, lambda: page.locator(".box", has_text="Licence plate").click())
    page.select_option("#box-class", "face")
    rendered_again(page, lambda: drag(page, (20, 20), (80, 90)))
    assert page.inner_text("#counts").split("\n") == ["2 faces covered", "1 left visible · 1 box added"]
    after = read_back(downloaded(page)[1])
    assert changed_share(street(), after, boxes["license_plate"]) == 0
    assert changed_share(street(), after, boxes["face"]) > 0.9
    assert changed_share(street(), after, [20, 20, 80, 90]) > 0.9
    assert set(found(page)) == {"face"}
    rendered_again(page, lambda: page.click("#undo"))
    rendered_again(page, lambda: page.keyboard.press("Control+z"))
    assert page.inner_text("#counts") == BOTH
    assert page.is_disabled("#undo")
    rendered_again(page, lambda: page.keyboard.press("Control+y"))
    assert page.inner_text("#counts").split("\n") == ["1 face covered", "1 left visible"]


def test_an_added_box_is_moved_sized_and_classified(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    review(page)
    drag(page, (600, 20), (660, 60))
    drag(page, (630, 40), (680, 80))  # over the box: it moves
    page.select_option("#box-class", "license_plate")
    wait_for_result(page)
    edges = [box for label, box in found(page).items() if label == "license_plate"]
    assert page.inner_text("#counts").startswith("1 face and 2 licence plates")
    assert edges[-1] == pytest.approx([650, 60, 710, 100], abs=3)
    drag(page, (710, 100), (730, 130))  # its corner
    wait_for_result(page)
    assert found(page)["license_plate"] == pytest.approx([650, 60, 730, 130], abs=4)
    page.click("#remove-box")
    wait_for_result(page)
    assert page.inner_text("#counts") == BOTH


def test_by_touch_a_tap_keeps_and_a_drag_draws(browser: Browser, address: str, folder: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    with tab(browser, address, **phone) as page:
        choose(page, folder / "street.png")
        wait_for_result(page)
        review(page)
        page.locator(".box").first.tap()
        wait_for_result(page)
        assert "1 left visible" in page.inner_text("#counts")
        page.locator("#add-box").tap()
        area = page.locator(".review-surface").bounding_box()
        assert area
        points = [{"x": area["x"] + 10 + 12 * n, "y": area["y"] + 10 + 10 * n} for n in range(4)]
        session = page.context.new_cdp_session(page)
        for kind, touched in (("Start", points[0]), *(("Move", point) for point in points[1:]), ("End", None)):
            touches = [touched] if touched else []
            session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": touches})
        page.wait_for_selector(".box.added")
        assert page.get_attribute("#add-box", "aria-pressed") == "false"
        pressed = "button:not(.box), select, summary, .segments label, .check, .field input"
        small = (
            "all => all.filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"
        )
        assert page.eval_on_selector_all(pressed, small) == []


def test_less_certain_finds_are_shown_and_covered_when_asked_for(page: Page, folder: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    page.fill("#threshold", "0.9")
    review(page)
    assert page.locator(".box").count() == 1
    page.check("#show-faint")
    assert page.locator(".box.faint").count() >= 1
    page.locator(".object.kept", has_text="Licence plate").locator(".switch").first.click()
    wait_for_result(page)
    assert page.inner_text("#counts") == BOTH


def test_a_detections_file_is_saved_edited_and_loaded(page: Page, folder: Path, tmp_path: Path) -> None:
    choose(page, folder / "street.png")
    wait_for_result(page)
    name, data = downloaded(page, "#save-detections")
    assert name == "street.jsonl"
    header, line = data.decode().splitlines()
    content = json.loads(line)
    content["boxes"] = [{"label": "face", "xyxy": [10, 10, 50, 50]}]
    edited = tmp_path / "edited.jsonl"
    edited.write_text(f"{header}\n{json.dumps(content)}\n")
    rendered_again(page, lambda: page.set_input_files("#detections-input", edited))
    assert page.inner_text("#counts") == "1 face covered"
    assert changed_share(street(), read_back(downloaded(page)[1]), [10, 10, 50, 50]) > 0.8
    content["checksum"] = "00000000"
    edited.write_text(f"{header}\n{json.dumps(content | {'boxes': []})}\n")
    page.set_input_files("#detections-input", edited)
    expect(page.locator("#exchange-error")).to_contain_text("another picture")
    wait_for_result(page)
    assert page.inner_text("#counts") == "1 face covered"
    page.set_input_files("#detections-input", folder / "street.png")
    expect(page.locator("#exchange-error")).to_contain_text("street.png: line 1 is no JSON")


def test_what_the_page_does_not_know_in_a_detections_file_stays(page: Page) -> None:
    lines = [
        '{"format": "blurscene-stream detections", "format_version": 1, "width": 64, "height":48,'
        ' "time_base": "1/90000", "classes": ["face"], "always": ["0,0 1,1"], "models": {"boxes": [1, 2]}}',
        '{"frame": 0, "pts": 9007199254740993, "time_s": 0.10, "note": "a, \\"boxes\\": [1]", "boxes":'
        ' [ {"label": "face", "score": 0.50, "xyxy": [1.0, 2, 3e0, 4], "x": [{"y": "]"}]} ,'
        '{"label": "face", "xyxy": [5, 6, 7, 8]}], "z": [[], {}]}',
        '{"ended_early": "the source was lost"}',
    ]
    text = "\n".join(lines) + "\n"
    script = """async ([text, kept]) => {
        const { DetectionsFile } = await import('/static/detections_file.js');
        return new DetectionsFile(text).write((_, box) => kept.includes(box));
    }"""
    assert page.evaluate(script, [text, [0, 1]]) == text
    second = text.replace(text[text.index(' {"label"') : text.index(',{"label"') + 1], "")
    assert page.evaluate(script, [text, [1]]) == second
    assert json.loads(page.evaluate(script, [text, []]).splitlines()[1])["boxes"] == []


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page: Page, folder: Path, way: str) -> None:
    script = """([bytes, way]) => {
        const carried = new DataTransfer();
        carried.items.add(new File([new Uint8Array(bytes)], 'image.jpg', { type: 'image/jpeg' }));
        const options = { bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried };
        const event = way === 'drop' ? new DragEvent('drop', options) : new ClipboardEvent('paste', options);
        document.body.dispatchEvent(event);
    }"""
    page.evaluate(script, [list((folder / "street.jpg").read_bytes()), way])
    wait_for_result(page)
    assert page.inner_text("#counts") == BOTH


def test_files_that_the_server_would_refuse_are_refused_in_the_page(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name, size in (("notes.txt", 10), ("large.png", MAX_BYTES + 1), ("empty.jpg", 0), ("moving.gif", 10)):
        (tmp_path / name).write_bytes(bytes(size))
    choose(page, sorted(tmp_path.iterdir()))
    expect(page.locator("#refused p")).to_have_count(4)
    lines = [line.removesuffix("Dismiss").strip() for line in page.locator("#refused p").all_inner_texts()]
    assert lines == [
        "empty.jpg is empty.",
        "large.png has 3 MB, and this server takes up to 3 MB.",
        "moving.gif is no picture that this server takes: BMP, JPEG, PNG, TIFF or WebP.",
        "notes.txt is neither a picture (BMP, JPEG, PNG, TIFF or WebP) nor a video.",
    ]
    assert not asked
    for _ in range(4):
        page.locator("#refused button").first.click()
    assert page.is_visible("#choose")


def test_an_error_is_told_in_the_servers_words_and_is_no_dead_end(page: Page, folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((folder / "street.jpg").read_bytes()[:4000])
    choose(page, broken)
    page.wait_for_selector("#error-card:not([hidden])")
    assert page.inner_text("#error-text") == "broken.jpg: the file is cut short"
    with page.expect_response(lambda answer: answer.status == 400):
        page.click("#retry")
    page.click("#drop-file")
    assert page.evaluate("document.activeElement.id") == "choose"
    choose(page, folder / "street.jpg")
    wait_for_result(page)


def test_a_server_that_is_gone_and_comes_back(page: Page, folder: Path) -> None:
    page.context.set_offline(True)
    choose(page, folder / "street.jpg")
    page.wait_for_selector("#error-card:not([hidden])")
    assert "cannot be reached" in page.inner_text("#error-text")
    page.context.set_offline(False)
    page.click("#retry")
    wait_for_result(page)


def test_a_busy_server_is_told_over_the_picture_and_asked_again(page: Page, folder: Path) -> None:
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "busy"}}
    page.route("**/detect*", lambda route: route.fulfill(**busy), times=1)
    choose(page, folder / "street.jpg")
    page.wait_for_selector("#progress-text:text('The server is busy')")
    assert page.inner_text("#progress-detail") == "Trying again in 1 s"
    shown = """() => {
        const { x, y } = document.getElementById('progress-text').getBoundingClientRect();
        const { height } = document.querySelector('#canvas img').getBoundingClientRect();
        return [document.elementFromPoint(x + 2, y + 2).id, height > 200];
    }"""
    assert page.evaluate(shown) == ["progress-text", True]
    wait_for_result(page)


def test_several_pictures_each_with_its_state(page: Page, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes((folder / "street.png").read_bytes()[:2000])
    choose(page, [folder / "street.jpg", tmp_path / "broken.png", folder / "street.png"])
    expect(page.locator(".file-state")).to_have_text([BOTH, "Failed", BOTH])
    names: list[str] = []
    page.on("download", lambda download: names.append(download.suggested_filename))
    page.click("#download-all")
    page.wait_for_selector("#download-all:not([disabled])")
    page.wait_for_timeout(200)
    assert names == ["street_anonymized.jpg", "street_anonymized.png"]
    page.locator(".file").nth(1).click()
    assert page.inner_text("#file-name") == "broken.png"


def test_a_tiff_has_no_before_and_says_so(page: Page, folder: Path) -> None:
    choose(page, street_file(folder, "street.tif"))
    wait_for_result(page)
    assert page.locator(".compare img").count() == 1
    assert page.inner_text("#stage-note") == "This browser cannot show street.tif itself, so there is no “before” here."
    assert downloaded(page)[0] == "street_anonymized.png"
    review(page)
    rendered_again(page, page.locator(".box").first.click)
    assert "1 left visible" in page.inner_text("#counts")


def test_before_and_after_stand_upright(page: Page, folder: Path) -> None:
    choose(page, street_file(folder, "turned.jpg", exif=exif_of(6), quality=95))
    wait_for_result(page)
    sizes = page.eval_on_selector_all(".compare img", "all => all.map(i => [i.naturalWidth, i.naturalHeight])")
    assert sizes == [[450, 800], [450, 800]]
    review(page)
    area = page.locator(".review-surface").bounding_box()
    assert area
    assert area["width"] / area["height"] == pytest.approx(450 / 800, abs=0.01)


def test_a_token_is_asked_for_only_where_one_is_needed(browser: Browser, make_app: MakeApp, folder: Path) -> None:
    server = make_server("127.0.0.1", 0, make_app(token="secret"), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        with tab(browser, f"http://127.0.0.1:{server.server_port}/") as page:
            choose(page, folder / "street.png")
            page.fill("#token", "wrong")
            with page.expect_response(lambda answer: answer.status == 401):
                page.keyboard.press("Enter")
            page.wait_for_selector("#token-dialog[open]")
            page.click("#token-cancel")
            expect(page.locator("#error-text")).to_contain_text("Bearer")
            page.click("#retry")
            page.fill("#token", "secret")
            page.keyboard.press("Enter")
            wait_for_result(page)
            assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_narrow_phone_shows_everything_without_scrolling_sideways(
    browser: Browser, address: str, folder: Path
) -> None:
    with tab(browser, address, viewport={"width": 360, "height": 640}) as page:
        widths = [page.evaluate("document.documentElement.scrollWidth")]
        choose(page, [folder / "street.png", folder / "street.jpg"])
        wait_for_result(page)
        widths.append(page.evaluate("document.documentElement.scrollWidth"))
        review(page)
        widths.append(page.evaluate("document.documentElement.scrollWidth"))
        assert widths == [360, 360, 360]
        assert page.locator("#download").is_visible()
