"""Reading a request body: from bytes on the wire to one JSON object, or a clear refusal.

Everything that a parser could be hurt or fooled by is refused before or right after parsing:
compression, foreign media types, size, depth, text that is not UTF-8, NUL characters, and names
that occur twice in one object. SCIM names ignore case, so `userName` and `USERNAME` are twice.

Rule: sizes and depth are checked on the raw bytes, before any parser sees them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
from litestar.types import Receive

from bridge.core.errors import InvalidSyntax, PayloadTooLarge, UnsupportedMediaType

SCIM_JSON = "application/scim+json"
JSON = "application/json"

_WHITE_SPACE = b" \t\r\n"
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))


class ClientGone(Exception):
    """The client closed the connection before its body was complete; nobody hears an answer."""


def check_headers(headers: Mapping[bytes, bytes], body_bytes: int) -> None:
    """Refuse by the headers alone what needs no look at the body.

    Raises UnsupportedMediaType for a compressed body or a media type that is not JSON, and
    PayloadTooLarge for a declared length above `body_bytes`.
    """
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b""):
        raise UnsupportedMediaType("Send the body uncompressed: Content-Encoding is not supported.")
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type not in (b"", b"application/scim+json", b"application/json"):
        raise UnsupportedMediaType(f"Send the body as {SCIM_JSON} or {JSON}.")
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > body_bytes:
        raise _too_large(body_bytes)


async def read(receive: Receive, body_bytes: int) -> bytes:
    """Return the whole body; raises PayloadTooLarge as soon as it exceeds `body_bytes`."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunk = message["body"]
        size += len(chunk)
        if size > body_bytes:
            raise _too_large(body_bytes)
        chunks.append(chunk)
        if not message["more_body"]:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse(body: bytes, body_depth: int) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises InvalidSyntax when it is not UTF-8, not JSON, not an object, nested deeper than
    `body_depth`, or holds a NUL character or one name twice in an object (in any case).
    """
    if not body.strip():
        raise InvalidSyntax("The request has no body; it must be one JSON object.")
    if body.startswith(b"\xef\xbb\xbf"):
        raise InvalidSyntax("The body starts with a byte order mark; send UTF-8 without one.")
    skeleton = _skeleton(body)
    _check_depth(skeleton, body_depth)
    try:
        document = msgspec.json.decode(body)
    except UnicodeDecodeError:
        raise InvalidSyntax("The body is not UTF-8 text.") from None
    except msgspec.DecodeError as error:
        raise InvalidSyntax(f"The body is not valid JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidSyntax("The body must be one JSON object.")
    # Fewer distinct names than were written means that one was written twice.
    if _count_names(document, {}) != skeleton.count(b'":'):
        raise InvalidSyntax(f'The name "{_repeated_name(body)}" occurs twice in one object.')
    if b"\\u0000" in body and _holds_nul(document):
        raise InvalidSyntax("The body holds a NUL character.")
    return document


def _too_large(body_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body exceeds the limit body_bytes of {body_bytes} bytes.")


def _skeleton(body: bytes) -> bytes:
    # The text without white space and with every string literal reduced to one quotation mark,
    # made by bytes methods alone: linear, and fast enough for bodies of many megabytes.
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b'"'.join(body.split(b'"')[::2]).translate(None, _WHITE_SPACE)


def _check_depth(skeleton: bytes, body_depth: int) -> None:
    brackets = skeleton.translate(None, _NOT_BRACKETS)
    if len(brackets) <= body_depth:
        return
    # Each pass takes the innermost level away, so a valid body is used up after its depth.
    for _ in range(body_depth):
        shorter = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    # What starts with a closing bracket now is malformed, and the parser stops right there.
    if brackets[:1] in (b"{", b"["):
        raise InvalidSyntax(f"The body is nested deeper than body_depth, {body_depth} levels.")


def _count_names(value: object, shapes: dict[tuple[str, ...], int]) -> int:
    # `shapes` remembers the answer for objects with the same names: members are many and alike.
    if isinstance(value, dict):
        names = tuple(value)
        total = shapes.get(names)
        if total is None:
            total = shapes[names] = len({name.lower() for name in names})
        items: Iterable[object] = value.values()
    else:
        total, items = 0, cast("list[object]", value)
    for item in items:
        if isinstance(item, dict | list):
            total += _count_names(item, shapes)
    return total


def _repeated_name(body: bytes) -> str:
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name.lower() in seen:
                found.append(name)
            seen.add(name.lower())

    json.loads(body, object_pairs_hook=note)
    return found[0] if found else "?"


def _holds_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_holds_nul(name) or _holds_nul(item) for name, item in value.items())
        case list():
            return any(map(_holds_nul, value))
    return False
