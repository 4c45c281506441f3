"""The page at / and its files; plain help where no page can be shown, such as in a terminal."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from blurscene_stream.server.security import public

blueprint = Blueprint("page", __name__)

FOLDER = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""By suffix: what the operating system says of .js is not to be relied upon."""
HELP = """blurscene-stream covers every face and licence plate in a picture or a video.

  curl -H "Content-Type: image/jpeg" --data-binary @image.jpg {address}anonymize --output returned_image.jpg

JPEG comes back as JPEG, every other picture as PNG. What may be sent and chosen: {address}limits
All that can be asked for: {address}openapi.json
In a browser, this address is a page for pictures and short videos.
"""


@blueprint.get("/")
@public
def index() -> Response:
    """Answer a browser with the page, and curl with help."""
    if "text/html" in request.headers.get("Accept", ""):  # curl asks for */*
        response = _file("index.html")
    else:
        response = Response(HELP.format(address=request.url_root), mimetype="text/plain")
    response.vary.add("Accept")
    return response


@blueprint.get("/static/<name>")
@public
def static(name: str) -> Response:
    """Answer with a file of the page."""
    return _file(name)


def _file(name: str) -> Response:
    """Answer with a file of FOLDER; a browser asks each time whether it has changed. Raises NotFound."""
    path = FOLDER / name
    if path not in FOLDER.iterdir():
        raise NotFound
    response = Response(path.read_bytes(), mimetype=TYPES[path.suffix])
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response
