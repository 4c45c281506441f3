"""Forms of the atoms that libav writes into MP4 and MOV: what stands in which, and what a leaf may hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from blurscene_stream.verify.container.sample_tables import TABLES

CHILDREN: dict[str, set[bytes]] = {  # of the atoms that hold others: those that libav writes into them
    "moov": {b"mvhd", b"trak", b"udta", b"meta"},
    "trak": {b"tkhd", b"edts", b"tref", b"mdia", b"udta", b"meta"},
    "edts": {b"elst"},
    "tref": {b"chap", b"tmcd"},
    "mdia": {b"mdhd", b"hdlr", b"minf"},
    "minf": {b"vmhd", b"smhd", b"sthd", b"nmhd", b"gmhd", b"hdlr", b"dinf", b"stbl"},
    "gmhd": {b"gmin", b"text", b"tmcd", b"gpmd"},
    "dinf": {b"dref"},
    "stbl": {b"stsd", *TABLES, b"sdtp", b"sgpd", b"cslg"},
    "udta": {b"meta", b"chpl", b"name", b"loci"},
    "meta": {b"hdlr", b"keys", b"ilst"},
    "ilst": set(),
    "stsd": set(),
}
TAG_HOLDERS = ("udta", "ilst")
BEFORE_CHILDREN = {b"meta": 4, b"stsd": 8}  # bytes before the first atom in them
_HANDLER = rb"\0{4}(?:\0{4}|mhlr|dhlr)[a-z ]{4}(?:\0{12}|appl\0{8})[\0-\x20]?[ -~]{0,32}\0?"
FORMS = {  # leaves whose whole body has one form; numbers in them are free
    b"ftyp": rb"[ -~]{4}.{4}(?:[ -~]{4}){0,10}",
    b"mvhd": rb"\0.{3}.{96}|\x01.{3}.{108}",
    b"tkhd": rb"\0.{3}.{80}|\x01.{3}.{92}",
    b"mdhd": rb"\0.{3}.{20}|\x01.{3}.{32}",
    b"hdlr": _HANDLER,
    b"vmhd": rb"\0{3}.\0{8}",
    b"smhd": rb"\0{8}",
    b"nmhd": rb"\0{4}",
    b"sthd": rb"\0{4}",
    b"dref": rb"\0{4}\0{3}\x01\0{3}\x0curl \0{3}\x01",  # one reference: this file
    b"elst": rb"(?s:\0.{3}\0{3}[\x01-\x04](?:.{12}){1,4}|\x01.{3}\0{3}[\x01-\x04](?:.{20}){1,4})",
    b"gmin": rb".{16}",
    b"text": rb".{36}",
    b"chap": rb".{4}",
    b"gpmd": rb".{4}",
    b"tmcd": rb".{4}|.{4}tcmi.{26,60}",
    b"pasp": rb".{8}",
    b"colr": rb"nclx.{7}|nclc.{6}",
    b"btrt": rb".{12}",
    b"fiel": rb".{2}",
    b"loci": rb".{14,40}",
    b"st3d": rb"\0{4}.",
    b"mdcv": rb".{24}",
    b"clli": rb".{4}",
    b"SmDm": rb".{28}",
    b"CoLL": rb".{8}",
    b"cslg": rb".{24}",
    b"chrm": rb".{4}",
    b"sgpd": rb"[\0\x01]\0{3}(?:roll|prol|rap |sync|tele).{4}\0{3}[\x01-\x20].{2,64}",
    b"free": rb"\0*",
    b"wide": rb"\0*",
}
_FORMS = {name: re.compile(form, re.DOTALL) for name, form in FORMS.items()}

_NAMES_IN_BOTH = rb"\xa9(?:nam|ART|aut|wrt|alb|day|too|swr|cmt|des|gen|cpy|mak|mod|xyz|key|grp|lyr)"
_NAMES_IN_LIST = rb"aART|cprt|desc|ldes|tvsh|tven|tvnn|keyw|\0[\0-\xff]{3}"  # the last one: a number in `keys`
TAG_FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        rb"ilst(?:" + _NAMES_IN_BOTH + rb"|" + _NAMES_IN_LIST + rb").{4}data\0{3}\x01\0{4}(?P<text>.*)",
        rb"udta" + _NAMES_IN_BOTH + rb".{4}(?P<text>.*)",
        rb"udtaname(?P<text>.*)",
    )
)
"""Texts that libav writes, by parent, name and body."""


def is_leaf(parent: str, name: bytes, body: bytes, texts: Collection[str]) -> bool:
    """Return True for an atom in the form in which libav writes it.

    texts: what libav has read of the file; a text that it has not read lies under another, or where none belongs
    """
    if name in _FORMS:
        return bool(_FORMS[name].fullmatch(body))
    if name in (b"chpl", b"keys"):
        return all(text in texts for text in _listed(name, body))
    found = next(filter(None, (form.fullmatch(parent.encode() + name + body) for form in TAG_FORMS)), None)
    return found is not None and found["text"].decode("utf-8", "replace") in texts


def _listed(name: bytes, body: bytes) -> Iterator[str | None]:
    """Yield the titles of chapters, or the names of tags; None for what is no list of them."""
    at = 9 if name == b"chpl" else 8
    while at + 9 <= len(body):
        size = 9 + body[at + 8] if name == b"chpl" else int.from_bytes(body[at : at + 4], "big")
        text = body[at + 9 : at + size] if name == b"chpl" else body[at + 8 : at + size]
        yield text.decode("utf-8", "replace") if name == b"chpl" or body[at + 4 : at + 8] == b"mdta" else None
        at += max(size, 8)
    if at != len(body):
        yield None
