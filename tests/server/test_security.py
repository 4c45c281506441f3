"""Who may use the service, and what a browser may do with its answers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from blurscene_stream.errors import ConfigError
from blurscene_stream.server.application import token_of_environment
from tests.pictures import file_of, samples_of
from tests.server.conftest import MakeApp

COLOR = file_of(samples_of(3), "png")
PUBLIC = ("/healthz", "/readyz", "/limits")


def post(client: FlaskClient, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/anonymize", data=COLOR, content_type="image/png", headers=named).status_code


def test_with_a_token_only_its_bearer_is_served(make_app: MakeApp) -> None:
    client = make_app(token="s3cret").test_client()
    assert post(client, Authorization="Bearer s3cret") == post(client, Authorization="bearer  s3cret") == 200
    for wrong in ("Bearer s3cre", "Bearer s3crett", "Bearer", "", "Basic s3cret", "s3cret", "Bearer s3crét"):
        assert post(client, Authorization=wrong) == 401, wrong
    answer = client.post("/anonymize", data=COLOR, content_type="image/png")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert [client.get(path).status_code for path in PUBLIC] == [200] * len(PUBLIC)
    assert [client.get(path).status_code for path in ("/metrics", "/nothing")] == [401, 401]


def test_an_empty_token_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLURSCENE_TOKEN", " ")
    with pytest.raises(ConfigError, match="BLURSCENE_TOKEN is empty"):
        token_of_environment()
    monkeypatch.delenv("BLURSCENE_TOKEN")
    assert token_of_environment() is None


def test_a_page_of_another_site_cannot_use_the_service(client: FlaskClient) -> None:
    assert post(client, Sec_Fetch_Site="same-origin", Origin="http://localhost") == 200
    assert post(client) == 200  # curl
    for refused in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://evil.test"}):
        assert post(client, **refused) == 403
    assert post(client, Origin="null") == 403


def test_only_the_names_of_this_host_are_served(make_app: MakeApp) -> None:
    client = make_app({"server.allowed_hosts": ["localhost", "[::1]"]}).test_client()
    assert [post(client, Host=host) for host in ("localhost:5000", "localhost", "[::1]:5000")] == [200, 200, 200]
    answer = client.post("/anonymize", data=COLOR, content_type="image/png", headers={"Host": "evil.test:5000"})
    assert answer.status_code == 400
    assert answer.json and answer.json["error"].startswith("this host name is not served here")


@pytest.mark.parametrize("path", ["/limits", "/nothing", "/anonymize"])
def test_every_answer_has_the_headers_that_bind_a_browser(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_errors_are_json_or_plain_text_as_the_client_prefers(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers={"X-Request-Id": "a"})
    assert (answer.status_code, answer.json) == (404, {"error": "there is nothing here", "request_id": "a"})
    plain = client.get("/nothing", headers={"Accept": "text/plain"})
    assert (plain.mimetype, plain.text) == ("text/plain", "there is nothing here\n")
    wrong = client.put("/anonymize")
    assert (wrong.status_code, sorted(wrong.allow)) == (405, ["OPTIONS", "POST"])
    assert wrong.json and wrong.json["error"] == "the method must be OPTIONS or POST"
