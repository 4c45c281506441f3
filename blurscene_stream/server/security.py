"""Who may ask, and the headers that keep a browser from doing more with an answer than is meant."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, Unauthorized

from blurscene_stream.server.service import service

View = TypeVar("View", bound=Callable[..., object])
HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]+)?")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_SITES = ("same-origin", "none")  # none: typed by the user
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "media-src": "blob:",
    "connect-src": "'self'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer; Cache-Control: no-store is the default beside them."""
_PUBLIC = "is_public"


def public(view: View) -> View:
    """Mark a view that needs no token."""
    setattr(view, _PUBLIC, True)
    return view


def add_to(app: Flask) -> None:
    """Check every request, and add the headers to every answer."""
    app.before_request(_refuse_other_hosts)
    app.before_request(_refuse_other_sites)
    app.before_request(_refuse_strangers)
    app.after_request(_with_headers)


def _refuse_other_hosts() -> None:
    """Refuse another host name than those allowed: a site may have its own name point here (DNS rebinding)."""
    allowed = service().settings.server.allowed_hosts
    host = HOST.fullmatch(request.headers.get("Host", ""))
    if allowed and (host is None or host[1].lower() not in map(str.lower, allowed)):
        raise BadRequest("this host name is not served here; see server.allowed_hosts")


def _refuse_other_sites() -> None:
    """Refuse what a page of another site makes a browser send: it would use a service that only its user can reach."""
    if request.method in SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if (site is not None and site not in OWN_SITES) or (origin is not None and urlsplit(origin).netloc != request.host):
        raise Forbidden("a page of another site must not send this")


def _refuse_strangers() -> None:
    """Refuse a request without the token, unless none is needed."""
    token = service().token
    view = current_app.view_functions.get(request.endpoint or "")
    if token is None or getattr(view, _PUBLIC, False):
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    if scheme.lower() != "bearer" or not same:
        raise Unauthorized("Authorization: Bearer TOKEN is needed", www_authenticate=WWWAuthenticate("bearer"))


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response
