"""What a client wants to see: filter, page, order and attributes of one request.

The same question comes as query parameters of a GET or as a SearchRequest body (RFC 7644 3.4.3).

Rule: both spellings become the same `Query`; nothing else reads query parameters.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs

from bridge.core.errors import InvalidCount, InvalidFilter, InvalidSyntax, InvalidValue
from bridge.core.schema import ResourceType, Returned, Target
from bridge.journal.queries import sorts_by
from bridge.scim import urns
from bridge.scim.service import Page
from bridge.scim.settings import ScimSettings

PARAMETERS = 32
"""Most query parameters in one request."""

FARTHEST = 10**18
"""Numbers beyond this one mean the same as it does: databases count to 2**63."""

MULTIPLE = frozenset({"attributes", "excludedattributes"})
"""Parameters that may be repeated; their values are put together."""


@attrs.frozen
class Selection:
    """Which attributes an answer shows, as the client named them; both empty: the default."""

    attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@attrs.frozen
class Query:
    """One question. `start` counts from 1; `count` is what the client may get at most.

    With a `cursor` the page is found by that (RFC 9865) and not by `start`; the first one has "".
    """

    selection: Selection
    start: int
    count: int
    cursor: str | None = None
    filter: str | None = None
    sort_by: str | None = None
    descending: bool = False

    def page(self, rtype: ResourceType) -> Page:
        """Return which part of the resources of one type is asked for."""
        return Page(self.start - 1, self.count, self.sort(rtype), self.descending)

    def sort(self, rtype: ResourceType) -> Target | None:
        """Return what to sort by.

        An attribute that a type lacks or never shows, or that has no order, is ignored.
        """
        target = rtype.target(self.sort_by) if self.sort_by else None
        if target is None or Returned.NEVER in (target.attribute.returned, target.leaf.returned):
            return None
        return sorts_by(rtype, target)


EVERYTHING = Selection()


def parameters(query_string: bytes) -> dict[str, str]:
    """Return the query parameters by lower-case name.

    Raises InvalidValue for text that is not UTF-8, for too many of them, and for one that is
    given twice where that has no meaning.
    """
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS,
        )
    except ValueError:
        raise InvalidValue("The query parameters are not UTF-8, or too many.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key in found and key not in MULTIPLE:
            raise InvalidValue(f'The query parameter "{name}" is given twice.')
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def selection(given: Mapping[str, str]) -> Selection:
    """Return which attributes the query parameters ask for."""
    if "attributes" not in given and "excludedattributes" not in given:
        return EVERYTHING
    return Selection(
        _names(given.get("attributes", "")), _names(given.get("excludedattributes", ""))
    )


def from_parameters(given: Mapping[str, str], settings: ScimSettings) -> Query:
    """Return the query of a GET. Raises InvalidValue where a number is none."""
    return _query(
        selection(given),
        start=_integer(given, "startindex"),
        count=_count(given),
        cursor=given.get("cursor"),
        filter_=given.get("filter"),
        sort_by=given.get("sortby"),
        order=given.get("sortorder", ""),
        settings=settings,
    )


def from_search_request(document: Mapping[str, Any], settings: ScimSettings) -> Query:
    """Return the query of a SearchRequest body.

    Raises InvalidSyntax when it is none, and InvalidValue where a value has the wrong type.
    """
    given = {name.lower(): value for name, value in document.items()}
    schemas = given.get("schemas")
    if not isinstance(schemas, list) or urns.SEARCH_REQUEST not in schemas:
        raise InvalidSyntax(f'A search needs "schemas": ["{urns.SEARCH_REQUEST}"].')
    for name in ("filter", "sortby", "sortorder", "cursor"):
        if not isinstance(given.get(name), str | None):
            raise InvalidValue(f'"{name}" must be a string.')
    return _query(
        Selection(_listed(given, "attributes"), _listed(given, "excludedattributes")),
        start=_integer(given, "startindex"),
        count=_count(given),
        cursor=given.get("cursor"),
        filter_=given.get("filter"),
        sort_by=given.get("sortby"),
        order=given.get("sortorder") or "",
        settings=settings,
    )


def _query(
    wanted: Selection,
    *,
    start: int | None,
    count: int | None,
    cursor: str | None,
    filter_: str | None,
    sort_by: str | None,
    order: str,
    settings: ScimSettings,
) -> Query:
    if filter_ is not None and not filter_.strip():
        raise InvalidFilter("The filter is empty.")
    if cursor is not None and count is not None and not 1 <= count <= settings.page_limit:
        raise InvalidCount(f"With a cursor, count must be between 1 and {settings.page_limit}.")
    limit = settings.page_default if count is None else max(count, 0)
    return Query(
        selection=wanted,
        start=max(start or 1, 1),
        count=min(limit, settings.page_limit),
        cursor=cursor,
        filter=filter_,
        sort_by=sort_by or None,
        descending=order.lower() == "descending",
    )


def _count(given: Mapping[str, Any]) -> int | None:
    try:
        return _integer(given, "count")
    except InvalidValue as error:
        if given.get("cursor") is None:
            raise
        raise InvalidCount(error.detail) from None


def _integer(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-FARTHEST, min(value, FARTHEST))
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > 18 or not text.removeprefix("-").isdecimal():
        raise InvalidValue(f'"{name}" must be a whole number.')
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in map(str.strip, text.split(",")) if name)


def _listed(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return _names(value)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidValue(f'"{name}" must be a list of attribute names.')
    return tuple(value)
