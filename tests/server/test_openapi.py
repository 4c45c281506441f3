"""The OpenAPI document: its paths are the routes. scripts/check_api.py runs schemathesis against the service."""

from __future__ import annotations

from tests.server.conftest import MakeApp

PAGE = "/"


def test_the_document_has_every_route_and_its_methods(make_app: MakeApp) -> None:
    app = make_app()
    described = app.test_client().get("/openapi.json").get_json()["paths"]
    routes: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/static") and rule.rule != PAGE:
            path = rule.rule.replace("<", "{").replace(">", "}").replace("{string:", "{")
            routes.setdefault(path, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    assert {
        path: {method.upper() for method in item if method != "parameters"} for path, item in described.items()
    } == routes


def test_the_document_has_the_limits_of_this_server(make_app: MakeApp) -> None:
    values = {"server.max_mask_scale": 2, "detect.merge.method": "wbf", "classes.face.enabled": False}
    document = make_app(values, token="s").test_client().get("/openapi.json", headers={"Authorization": "Bearer s"})
    described = document.get_json()
    known = {each["name"]: each["schema"] for each in described["paths"]["/anonymize"]["post"]["parameters"]}
    assert set(known) == {"classes", "redact", "mask_scale"}
    assert (known["mask_scale"]["maximum"], known["classes"]["items"]["enum"]) == (2, ["license_plate"])
    assert described["security"] == [{"token": []}]
