"""Take the picture of the page in docs/server.md: a drawn street with an astronaut, before and after.

page_screenshot.py ADDRESS PICTURE [--scheme light|dark]

    blurscene-stream serve &
    python -m scripts.page_screenshot http://127.0.0.1:5000/ docs/page.jpg

Needs Chromium, and the extra "dev" for playwright. Nobody private is in it, see demo_clip.py.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import FilePayload, sync_playwright

from scripts.demo_clip import scene

WIDTH, HEIGHT = 1120, 640


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    chosen = parser.parse_args(arguments)
    _, street = cv2.imencode(".jpg", cv2.cvtColor(scene(), cv2.COLOR_RGB2BGR))
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=chosen.scheme)
        page.goto(chosen.address)
        page.wait_for_selector("html[data-ready]")
        page.set_input_files(
            "#file-input", FilePayload(name="street.jpg", mimeType="image/jpeg", buffer=street.tobytes())
        )
        page.wait_for_selector("#download:not([disabled])")
        page.locator(".compare input").fill("24")
        shot = page.screenshot()
        browser.close()
    picture = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or not cv2.imwrite(str(chosen.picture), picture, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        raise SystemExit(f"{chosen.picture}: cannot be written")


if __name__ == "__main__":
    main()
