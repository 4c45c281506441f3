"""Redaction of credentials in text that leaves the program: users and passwords in addresses, however mistyped.

Camera vendors put them into the user part (RFC 3986, 3.2.1), the query, or the path: `/user=admin&password=...`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HIDDEN = "***"
# Words of a text. A quote ends one where it is not followed by more of it: passwords may hold quotes of their own.
SEPARATOR = re.compile(r"(\s+|[\"'](?=[\s,;:)\]}]|$))")
LIVE_SCHEME = re.compile(r"rtsps?:/+", re.IGNORECASE)  # pathlib makes one slash of two
KEY_SCHEME = re.compile(r"(?<![a-z])(rtmp[a-z]{0,3}:/+).*[^:;,.)}]", re.IGNORECASE)  # its path is the key to publish
SCHEME_END = re.compile(r"[a-z][0-9+.-]*:/+", re.IGNORECASE)  # from its last letter on: no search from each one
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]*)(:\d{0,5})?|HOST\[:PORT\]", re.IGNORECASE)  # the last: our messages
# A name is tried once, and only before "=": tried from each of its characters, a long word would take minutes.
SECRET_PARAMETER = re.compile(
    r"((?<![\w-])(?=[\w-]*=)[\w-]*(?:pass|pwd|psw|token|secret|auth(?!or)|api_?key|credential)[\w-]*="
    r"|(?<![a-z0-9])(?:pw|sid|sig)=)(?:[^&:;,.)]|[:;,.)]+(?![:;,.)]|$))*",
    re.IGNORECASE,
)
PUNCTUATION = ":;,.)}"
OPENING = "/\"'([{<=,;"  # what may stand before an address without a blank


def redacted(text: str) -> str:
    """Return a text without the users, passwords, queries and fragments of addresses in it."""
    words = SEPARATOR.split(text)
    words[::2] = map(_redacted_word, words[::2])
    return "".join(words)


def redacted_data(value: object) -> object:
    """Return JSON data, with dicts and lists in it, whose strings are redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {redacted(str(key)): redacted_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted_data(inner) for inner in value]
    return value


def redacted_live(address: str) -> str:
    """Return scheme, host, port and path of an RTSP address, "***" for what cannot be told from a password."""
    scheme = LIVE_SCHEME.match(address)
    assert scheme is not None
    return scheme[0].lower() + _location(address[scheme.end() :])


def _location(rest: str) -> str:
    before, at, after = rest.rpartition("@")
    # A password may hold / ? # and @ of its own, and a query may hold @: then nobody knows where the host begins.
    first = re.split(r"[/?#]", before if at else rest)[0]
    if at and first != before and HOST.fullmatch(first):
        return HIDDEN
    if not at and not HOST.fullmatch(first):
        return HIDDEN  # cut off before its @
    plain, *segments = re.split(r"[?#]", after if at else rest)[0].split("/")
    if not HOST.fullmatch(plain):
        return HIDDEN  # as user@host:password
    kept = [plain]
    for segment in segments:
        if re.search("[=&:]", segment):
            break
        kept.append(segment)
    return "/".join(kept)


def _redacted_word(word: str) -> str:
    live = LIVE_SCHEME.search(word)
    if live is not None:
        end = max(len(word.rstrip(PUNCTUATION)), live.end())
        return _redacted_word(word[: live.start()]) + redacted_live(word[live.start() : end]) + word[end:]
    at, scheme = word.rfind("@"), SCHEME_END.search(word)
    if scheme is not None and scheme.end() <= at:
        word = f"{word[: scheme.end()]}{HIDDEN}{word[at:]}"
    elif 0 <= (colon := word.find(":")) < at and re.match(r"[\w\[]|[:;,.)}]*$", word[at + 1 :]):
        start = max(word.rfind(character, 0, colon) for character in OPENING) + 1
        word = f"{word[:start]}{HIDDEN}{word[at:]}"
    return SECRET_PARAMETER.sub(rf"\1{HIDDEN}", KEY_SCHEME.sub(rf"\1{HIDDEN}", word))
