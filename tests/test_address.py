"""Addresses: what is a file, what is a camera, and that its secrets are never printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurscene_stream.address import Address, parse_address
from blurscene_stream.errors import UsageError

PRINTED = {  # as given -> as printed
    "rtsp://host/live": "rtsp://host/live",
    "rtsp://user:secret@host/live": "rtsp://host/live",
    "RTSP://User:Secret@Host:8554/Live": "rtsp://Host:8554/Live",
    "rtsps://secret@host:322/": "rtsps://host:322/",
    "rtsp://user:se@cr@et@host/live": "rtsp://host/live",
    "rtsp://user:se#cret@host/live": "rtsp://host/live",
    "rtsp://user:se?cret@host/live": "rtsp://host/live",
    "rtsp://user:se/cret@host/live": "rtsp://host/live",
    "rtsp://host/live?token=secret": "rtsp://host/live",
    "rtsp://host/live?user=admin&password=se@cret": "rtsp://***",  # no part of it
    "rtsp://host/live#secret": "rtsp://host/live",
    "rtsp://host/user=admin&password=secret&channel=1": "rtsp://host",
    "rtsp://host:554/ch0/user=admin_password=secret_channel=1.sdp": "rtsp://host:554/ch0",
    "rtsp://user:secret@[fe80::1]:8554/live": "rtsp://[fe80::1]:8554/live",
    "rtsp://:secret@host/live": "rtsp://host/live",
    "film.mp4": "film.mp4",
    "/data/rtsp.mp4": "/data/rtsp.mp4",
    "user:name@host.mp4": "user:name@host.mp4",
}


@pytest.mark.parametrize("text", PRINTED)
def test_as_it_is_printed(text: str) -> None:
    address = Address(text)
    assert str(address) == PRINTED[text]
    assert repr(address) == f"Address({PRINTED[text]!r})"
    assert f"{address}" == PRINTED[text]
    assert address.text == text


# Not letters that the rest of the address has too, so that what is found is found in the secret.
odd = st.text(st.sampled_from("XYZ0189@#?/:&=%!$+*'()[]{}\\ äß影"), min_size=1, max_size=20).filter(
    lambda text: any(letter in "XYZ0189äß影" for letter in text)
)


def parts_of(secret: str) -> set[str]:
    """Every run of letters of a secret: not one may come out."""
    return set("".join(letter if letter in "XYZ0189äß影" else " " for letter in secret).split())


@given(scheme=st.sampled_from(["rtsp", "rtsps", "RTSP"]), user=odd, password=odd)
def test_no_part_of_a_user_or_password_is_printed(scheme: str, user: str, password: str) -> None:
    address = Address(f"{scheme}://{user}:{password}@camera.lan/live")
    hidden = f"{scheme.lower()}://***"  # where a password may be a host and its path
    assert str(address) in (f"{scheme.lower()}://camera.lan/live", hidden)
    assert str(address) != hidden or any(mark in user + password for mark in "/?#")
    assert not any(part in repr(address) for part in parts_of(user) | parts_of(password))


@given(user=odd, token=st.text(st.sampled_from("XYZ0189#?/:&=%+"), min_size=1, max_size=30))
def test_no_part_of_a_token_is_printed(user: str, token: str) -> None:
    for text in (f"rtsp://camera.lan/live?token={token}", f"rtsp://{user}@camera.lan/live#{token}"):
        assert str(Address(text)) in ("rtsp://camera.lan/live", "rtsp://***")


@given(user=odd, password=odd, port=st.sampled_from(["", ":0", ":99999", ":port", ":-1"]))
def test_an_error_tells_no_secret_either(user: str, password: str, port: str) -> None:
    try:
        parse_address(f"rtsp://{user}:{password}@camera.lan{port}/live")
    except UsageError as error:
        assert len(str(error).splitlines()) == 1
        assert not any(part in str(error).replace(port, "") for part in parts_of(user) | parts_of(password))


ENDPOINTS = {
    "rtsp://host/live": ("host", 554),
    "rtsps://host/live": ("host", 322),
    "rtsp://user:secret@host:8554/live": ("host", 8554),
    "rtsp://[fe80::1]:8554": ("fe80::1", 8554),
    "RTSP://Host": ("host", 554),
}


@pytest.mark.parametrize("text", ENDPOINTS)
def test_where_to_connect_to(text: str) -> None:
    assert parse_address(text).endpoint == ENDPOINTS[text]


REFUSED = {  # as given -> a part of the message
    "": "an input and an output are needed",
    "a\0b": "an input and an output are needed",
    "http://host/film.mp4": "http:// addresses are not supported",
    "udp://239.0.0.1:1234": "udp:// addresses are not supported",
    "file:///film.mp4": "file:// addresses are not supported",
    "https://user:secret@host/": "https:// addresses are not supported",
    "rtsp://": "not an RTSP address",
    "rtsp:///live": "not an RTSP address",
    "rtsp://host:0/live": "not an RTSP address",
    "rtsp://host:70000/live": "not an RTSP address",
    "rtsp://user:secret@/live": "not an RTSP address",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert REFUSED[text] in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["film.mp4", "C:\\film.mp4", "a b", "rtsp:film.mp4", "./rtsp://x", "./-", "-y.mp4"])
def test_everything_else_is_a_file(text: str) -> None:
    address = parse_address(text)
    assert not address.live and not address.piped
    assert address.path == Path(text)


def test_a_dash_is_no_file() -> None:
    address = parse_address("-")
    assert address.piped and not address.live
    assert str(address) == "-"
