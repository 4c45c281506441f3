"""The HTTP service: pictures and videos in, anonymized ones out, and a page for the browser.

`create_app` makes the Flask application; `app` is the one of `gunicorn blurscene_stream.server:app`, made when it is
first asked for (PEP 562), with the settings of the environment. Importing this room loads and starts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from blurscene_stream.server.application import create_app

    app: Flask

__all__ = ["app", "create_app"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from blurscene_stream.server import application  # noqa: PLC0415

    if name == "create_app":
        return application.create_app
    made = globals()["app"] = application.app_of_environment()
    return made
