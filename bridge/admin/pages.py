"""Lists by keyset: a page, and a cursor from which the next one goes on.

Rule: a cursor holds the last row's key and nothing else, so a page costs the same at any depth.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from bridge.core.errors import OperatorError

T = TypeVar("T")

PAGE_DEFAULT = 100
PAGE_LIMIT = 1000
"""Rows on one page: unless asked for, and at most."""

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="Rows on the page.")]
After = Annotated[
    str | None, QueryParameter(description="`next` of the page before; the first page without it.")
]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows; `next` leads to the ones that follow, null at the end."""

    items: list[T]
    next: str | None = None


def page_of(
    rows: Sequence[Any], limit: int, key: Callable[[Any], Sequence[Any]], show: Callable[[Any], T]
) -> Page[T]:
    """Return the page of up to `limit` of `rows`; one row more says that there is a next page."""
    shown = rows[:limit]
    cursor = encode_cursor(key(shown[-1])) if len(rows) > limit else None
    return Page([show(row) for row in shown], cursor)


def encode_cursor(key: Sequence[Any]) -> str:
    """Return a row's key as text without meaning."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(key))).decode().rstrip("=")


def decode_cursor(text: str | None, *types: type) -> tuple[Any, ...] | None:
    """Return the key in a cursor, or None for the first page.

    Raises OperatorError BRG-CURSOR-INVALID.
    """
    if text is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        values = msgspec.json.decode(raw, type=list[Any])
    except ValueError:
        values = []
    if [type(value) for value in values] != list(types):
        raise OperatorError(
            "BRG-CURSOR-INVALID",
            "`after` is none of ours.",
            "Send back `next` of a page as it is, or nothing for the first page.",
        )
    return tuple(values)
