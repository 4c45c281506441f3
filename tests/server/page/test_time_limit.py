"""A browser that hangs ends its test, and nothing of it goes on."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

pytest.importorskip("playwright", reason="needs playwright, of the extra 'dev'")

LIMIT_S = 30
FROZEN = """
import os, signal
from playwright.sync_api import Error
from tests.server.page.browser import chromium
from tests.server.page.time_limit import children, descendants, time_limit

with chromium() as browser:
    page = browser.new_page()
    (driver,) = children(os.getpid())
    for pid in descendants(driver):
        os.kill(pid, signal.SIGSTOP)
    try:
        with time_limit(0.5):
            page.evaluate("1")
    except (Error, TimeoutError) as error:
        print("ended by", type(error).__name__)
"""


def test_a_frozen_browser_is_killed() -> None:
    start = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert "ended by" in ended.stdout, ended.stderr
    assert time.monotonic() - start < LIMIT_S
