"""GET / and the files of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from blurscene_stream.server.page import FOLDER
from tests.server.conftest import MakeApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FILES = sorted(FOLDER.iterdir())
LONGEST_FILE_LINES = 320


def test_a_browser_gets_the_page_and_a_terminal_the_curl_line(client: FlaskClient) -> None:
    page = client.get("/", headers=BROWSER)
    assert page.mimetype == "text/html"
    assert "<!doctype html>" in page.text
    assert page.headers["Cache-Control"].startswith("no-cache")
    for accepted in ("*/*", "text/plain"):
        shown = client.get("/", headers={"Accept": accepted})
        assert (shown.status_code, shown.mimetype, shown.headers["Vary"]) == (200, "text/plain", "Accept")
        assert "--data-binary @image.jpg http://localhost/anonymize --output returned_image.jpg" in shown.text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_served_as_what_it_is(client: FlaskClient, path: Path) -> None:
    answer = client.get(f"/static/{path.name}")
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    assert (answer.mimetype, answer.data) == (kinds[path.suffix], path.read_bytes())
    again = client.get(f"/static/{path.name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_name_only_files_that_are_there_and_nothing_outside(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert len(text.splitlines()) <= LONGEST_FILE_LINES
    assert not re.findall(r"https?://|//[a-z]+\.[a-z]", text), "a resource of somebody else"
    named = re.findall(r"""["'(](?:static/|\./)?([\w-]+\.(?:js|css|svg))["')]""", text)
    assert set(named) <= {file.name for file in FILES}
    if path.suffix == ".html":
        assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", text), "the CSP would refuse it"


def test_the_page_needs_no_token(make_app: MakeApp) -> None:
    client = make_app(token="secret").test_client()
    assert client.get("/", headers=BROWSER).status_code == 200
    assert client.get("/static/app.js").status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2fpage.py", "%2e%2e/page.py", "/etc/passwd"])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["error"] == "there is nothing here"
