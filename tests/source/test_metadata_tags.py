"""Metadata tags that pass, and the description of those that are dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import dictionaries, lists, sampled_from, text

from blurscene_stream.source.scrub.metadata_tags import describe_dropped, is_language_duplicate, kept_tags

KEYS = sampled_from(["language", "LANGUAGE", "title", "Title", "location", "comment", "creation_time"])


@given(dictionaries(KEYS, text(max_size=12)), lists(KEYS, max_size=3))
def test_only_what_is_named_passes(tags: dict[str, str], named: list[str]) -> None:
    passed = kept_tags(tags, named, ("language",))
    allowed = {key.lower() for key in named} | {"language"}
    assert all(tags[key] == value and key.lower() in allowed for key, value in passed.items())
    for key, value in tags.items():
        if key.lower() in allowed and key.lower() != "language":
            assert passed[key] == value


@pytest.mark.parametrize("language", ["de", "deu", "und", "pt-BR", "zh-Hans-CN"])
def test_a_language_passes(language: str) -> None:
    assert kept_tags({"language": language}, (), ("language",)) == {"language": language}


@pytest.mark.parametrize("language", ["", "Anna", "x", "52.5", "de, Anna's phone", "de-lives-here-too", "deu\n"])
@pytest.mark.parametrize("key", ["language", "LANGUAGE"])
def test_what_is_no_language_does_not(key: str, language: str) -> None:
    assert kept_tags({key: language}, ("language",), ("language",)) == {}


@pytest.mark.parametrize(
    ("dropped", "words"),
    [
        ([], ""),
        (["major_brand", "encoder", "handler_name", "DURATION", "BPS-eng", "NUMBER_OF_FRAMES"], ""),
        (["artist"], "1 tag"),
        (["encoder", "com.apple.quicktime.location.ISO6709"], "1 tag (a location)"),
        (["creation_time", "Creation_Time", "creation_time"], "1 tag"),
        (["artist", "LOCATION", "make"], "3 tags (a location among them)"),
    ],
)
def test_dropped_tags_are_counted_and_a_location_is_named(dropped: list[str], words: str) -> None:
    assert describe_dropped(dropped) == words


def test_a_tag_that_is_there_with_its_language_too_is_one() -> None:
    tags = {"location": "here", "location-eng": "here", "comment": "one", "comment-eng": "two"}
    assert [key for key in tags if is_language_duplicate(key, tags)] == ["location-eng"]


def test_of_two_times_the_last_passes() -> None:
    tags = {"creation_time": "2021-02-03T04:05:06.000000Z;2021-02-03T04:05:06Z", "title": "one; two"}
    assert kept_tags(tags, tags) == {"creation_time": "2021-02-03T04:05:06Z", "title": "one; two"}
