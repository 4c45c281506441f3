"""Headless Chromium at the page of a real server, and what it must never do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request, Route, expect, sync_playwright

from scripts.demo_clip import scene
from tests.pictures import file_of
from tests.server.page.time_limit import time_limit
from tests.videos import VideoSpec, make_video

START_TIMEOUT_S = 120
CLOSE_TIMEOUT_S = 20
TIMEOUT_MS = 30_000
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ANSWERED_ERROR = "Failed to load resource: "  # Chromium's line for an answer with 4xx, or none
BOTH = "1 face and 1 licence plate covered"  # of the picture that `street` makes
MAX_BYTES = 3_000_000
QUICK = ("detect.size_px=640", "detect.variants.rotations=none", f"server.max_body_bytes={MAX_BYTES}")
UNSURE = "model=face_plate_v1"  # of the drawn plate it is less sure than of the face; the default is sure of both
VIDEO = VideoSpec(frames=4, width=800, height=450, rate=4, audio=())

Samples = NDArray[np.uint8]


@cache
def street() -> Samples:
    """A picture, RGB (450, 800, 3), with one face and one licence plate, of nobody private."""
    full = scene()
    made: Samples = full.reshape(450, 2, 800, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
    return made


def street_file(folder: Path, name: str, **options: Any) -> Path:
    """The picture as a file, in the format that the name tells."""
    path = folder / name
    path.write_bytes(file_of(street(), {"jpg": "jpeg", "tif": "tiff"}.get(path.suffix[1:], path.suffix[1:]), **options))
    return path


def street_video(path: Path, rotation: int = 0, **options: Any) -> Path:
    """The picture moving to the left for a second. It shows upright whatever the rotation; options: see VideoSpec."""
    height, width, _ = stored(street(), rotation).shape
    spec = replace(VIDEO, rotation=rotation, width=width, height=height, **options)
    return make_video(path, spec, draw=_moving(rotation))


@cache
def _moving(rotation: int) -> Callable[[int, VideoSpec], Samples]:
    return lambda number, _: stored(np.roll(street(), -4 * number, 1), rotation)


def stored(picture: Samples, rotation: int) -> Samples:
    """A picture as a video of this rotation has it, or with the negative rotation as that shows."""
    return np.rot90(picture, -rotation // 90)


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser; FAIL_WITHOUT_CHROMIUM=1: a must."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get("FAIL_WITHOUT_CHROMIUM"):
            pytest.fail("FAIL_WITHOUT_CHROMIUM is set, and there is no Chromium")
        pytest.skip("needs Chromium: apt-get install chromium")
    expect.set_options(timeout=TIMEOUT_MS)  # 5 s else
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments, timeout=START_TIMEOUT_S * 1000)
        try:
            yield browser
        finally:
            with time_limit(CLOSE_TIMEOUT_S):
                browser.close()


@contextmanager
def real_server() -> Generator[str]:
    """`blurscene-stream serve` with the real detector; its address, when it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sets = [part for override in (*QUICK, UNSURE) for part in ("--set", override)]
    command = [sys.executable, "-m", "blurscene_stream", "serve", "--port", str(port), "--device", "cpu", *sets]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        try:
            process.wait(CLOSE_TIMEOUT_S)
        finally:
            process.kill()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{address}readyz", timeout=CLOSE_TIMEOUT_S) as answer:
                answer.read()
            return
        except (URLError, TimeoutError):  # nobody listens yet, or the answer is 503
            time.sleep(0.1)
    raise AssertionError(f"the server was not ready after {START_TIMEOUT_S} s")


@contextmanager
def new_page(browser: Browser, **options: Any) -> Generator[Page]:
    """A page that has loaded nothing."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
    try:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        yield page
    finally:
        context.close()


@contextmanager
def loaded(page: Page, address: str) -> Generator[Page]:
    """The page loaded anew. It asks nobody else for anything, and no line in its console tells of an error."""
    wrong: list[str] = []

    def look_at_line(line: ConsoleMessage) -> None:
        if line.type in ("error", "warning") and not line.text.startswith(ANSWERED_ERROR):
            wrong.append(line.text)

    def look_at_error(error: Error) -> None:
        wrong.append(str(error))

    def look_at_request(request: Request) -> None:
        if not request.url.startswith((address, f"blob:{address}", "data:")):
            wrong.append(f"asked for {request.url}")

    page.on("console", look_at_line)
    page.on("pageerror", look_at_error)
    page.on("request", look_at_request)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    yield page
    page.remove_listener("console", look_at_line)
    page.remove_listener("pageerror", look_at_error)
    page.remove_listener("request", look_at_request)
    assert not wrong, wrong


@contextmanager
def tab(browser: Browser, address: str, **options: Any) -> Generator[Page]:
    """A page of its own, for what cannot be done on a page that other tests use too."""
    with new_page(browser, **options) as page, loaded(page, address):
        yield page


def clear(page: Page) -> None:
    """Leave the page, whatever it asks, and undo what a test has set."""
    page.unroute_all(behavior="ignoreErrors")
    page.context.set_offline(False)
    page.emulate_media(color_scheme="light")
    page.on("dialog", _accept)
    page.goto("about:blank")
    page.remove_listener("dialog", _accept)


def _accept(dialog: Dialog) -> None:
    dialog.accept()


def choose(page: Page, paths: Path | Sequence[Path]) -> None:
    """Give files to the page, as a file chooser does."""
    page.set_input_files("#file-input", paths)


def wait_for_result(page: Page) -> None:
    """Wait until what is shown can be downloaded."""
    page.wait_for_selector("#download:not([disabled])")


def rendered_again(page: Page, action: Callable[[], object]) -> None:
    """Do what makes the page render again, and wait for the new result."""
    page.evaluate("document.getElementById('download').disabled = false")
    with page.expect_response(lambda answer: "/render" in answer.url and answer.ok):
        action()
    wait_for_result(page)


def review(page: Page) -> None:
    """Go to the review."""
    page.check("[name=view][value=review]", force=True)
    page.wait_for_selector(".review-surface")


def downloaded(page: Page, button: str = "#download") -> tuple[str, bytes]:
    """Name and content of what a button downloads."""
    with page.expect_download() as caught:
        page.click(button)
    return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the review from one pixel of the picture to another."""
    area = page.locator(".review-surface").bounding_box()
    assert area
    scale = area["width"] / 800
    page.mouse.move(area["x"] + start[0] * scale, area["y"] + start[1] * scale)
    page.mouse.down()
    page.mouse.move(area["x"] + end[0] * scale, area["y"] + end[1] * scale, steps=4)
    page.mouse.up()


def still_running(route: Route) -> None:
    """Have a job run for as long as the test needs: a fast machine is done with it before it can be stopped."""
    if route.request.method != "GET":
        route.continue_()
        return
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | {"state": "running"})
