"""Proven here: a body is one JSON object within its limits, or is refused before harm is done."""

import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.errors import InvalidSyntax, PayloadTooLarge, UnsupportedMediaType
from bridge.scim import body

DEPTH = 32


def nested(levels: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    return (opening * levels + "1" + closing * levels).encode()


REFUSED = {
    "empty": (b"", "no body"),
    "blank": (b" \r\n", "no body"),
    "broken": (b'{"a": ', "not valid JSON"),
    "trailing": (b'{"a":1} x', "not valid JSON"),
    "unclosed string": (b'{"a": "b', "not valid JSON"),
    "a list": (b"[]", "one JSON object"),
    "a number": (b"1", "one JSON object"),
    "NaN": (b'{"a": NaN}', "not valid JSON"),
    "infinite": (b'{"a": 1e999}', "not valid JSON"),
    "byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16-le"), "not valid JSON"),
    "lone surrogate": (b'{"a": "\\ud800"}', "not valid JSON"),
    "NUL": (b'{"a": ["b", {"c": "\\u0000"}]}', "NUL"),
    "NUL in a name": (b'{"a\\u0000": 1}', "NUL"),
    "a name twice": (b'{"a": 1, "b": 2, "a": 1}', '"a" occurs twice'),
    "T3: a name twice, in two cases": (b'{"userName": 1, "USERNAME": 2}', '"USERNAME" occurs'),
    "a name twice, deep": (b'{"a": [[{"b": 1, "\\u0062": 2}]]}', '"b" occurs twice'),
    "33 levels": (nested(33), "deeper than body_depth"),
    "64 levels": (nested(64), "deeper than body_depth"),
    "65 levels": (nested(65), "deeper than body_depth"),
    "100 levels": (nested(100), "deeper than body_depth"),
    "100 lists": (nested(100, "[", "]"), "deeper than body_depth"),
    "a million open lists": (b"[" * 1_000_000, "deeper than body_depth"),
    "a million closed lists": (b"]" * 1_000_000, "not valid JSON"),
    "brackets after an escape outside": (nested(100) + b'\\"', "deeper than body_depth"),
}


@pytest.mark.parametrize(("raw", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidSyntax, match=reason):
        body.parse(raw, DEPTH)


ACCEPTED = {
    "empty object": b"{}",
    "32 levels": nested(32),
    "brackets in text": json.dumps({"a": "[" * 100 + '"{' * 100 + "\\"}).encode(),
    "names in text": b'{"a": "\\"a\\":", "b" : ":"}',
    "one name in two objects": b'{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}',
    "an escape that is none": b'{"a": "\\\\u0000"}',
    "beyond the BMP": '{"a": "\U0001f600"}'.encode(),
}


@pytest.mark.parametrize("raw", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(raw: bytes) -> None:
    assert body.parse(raw, DEPTH) == json.loads(raw)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON_VALUES), st.booleans())
def test_reading_agrees_with_an_independent_reader(document: dict[str, Any], ascii_: bool) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_, indent=1).encode()
    expected = "refused" if must_be_refused(document) else document
    try:
        found: object = body.parse(raw, DEPTH)
    except InvalidSyntax:
        found = "refused"
    assert found == expected


def must_be_refused(value: object, level: int = 1) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return (
                level > DEPTH
                or len({name.lower() for name in value}) < len(value)
                or any("\0" in name for name in value)
                or any(must_be_refused(item, level + 1) for item in value.values())
            )
        case list():
            return level > DEPTH or any(must_be_refused(item, level + 1) for item in value)
    return False


@pytest.mark.parametrize("unit", ['"', "[", "]", "{", '\\"', "[]", '{"":', "\\"])
def test_time_grows_with_the_length_only(unit: str) -> None:
    raw = (unit * 4_000_000)[: 4 * 1024 * 1024].encode()
    began = time.thread_time()
    with pytest.raises(InvalidSyntax):
        body.parse(raw, DEPTH)
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    "media_type",
    [
        "application/scim+json",
        "application/scim+json; charset=utf-8",
        "application/json",
        "Application/JSON;charset=UTF-8",
        "",
    ],
)
def test_O_1_media_types(media_type: str) -> None:
    body.check_headers({b"content-type": media_type.encode()}, 10)
    body.check_headers({}, 10)


@pytest.mark.parametrize(
    "headers",
    [
        {b"content-type": b"text/plain"},
        {b"content-type": b"application/x-www-form-urlencoded"},
        {b"content-type": b"application/jsonp"},
        {b"content-encoding": b"gzip"},
        {b"content-encoding": b"identity, br"},
    ],
)
def test_D6_foreign_and_compressed_bodies_are_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(UnsupportedMediaType):
        body.check_headers(headers, 10)


def test_a_declared_length_is_refused_unread() -> None:
    body.check_headers({b"content-length": b"10"}, 10)
    with pytest.raises(PayloadTooLarge, match="body_bytes of 10"):
        body.check_headers({b"content-length": b"11"}, 10)


def test_an_undeclared_length_is_refused_as_it_comes() -> None:
    asked = 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"12345", "more_body": True}

    with pytest.raises(PayloadTooLarge):
        asyncio.run(body.read(receive, 10))
    assert asked == 3


def test_a_client_that_goes_away_is_no_error_of_ours() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(body.ClientGone):
        asyncio.run(body.read(receive, 10))
