"""History: an entity's change rows in the order of its versions.

Rule: what is handed out has no gap; where a version is missing, it ends before it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, bindparam, literal, select

from bridge.codec import CHANGE_COLUMNS
from bridge.journal.statements import prepared
from bridge.journal.store import Reader
from bridge.journal.tables import change

CLAIM_VERSIONS = 256
"""Versions of one entity that one claim hands over at most."""

CLAIM_CHARACTERS = 1_000_000
"""Stored text (documents; deltas, about 50 a member or user) after which a claim takes no more."""

_PAGE = 32  # versions fetched at a time: the cap on text bounds what is read, too
_FOLLOWING = prepared(
    select(*(change.c[name] for name in CHANGE_COLUMNS))
    .where(
        change.c.organization == bindparam("organization"),
        change.c.entity == bindparam("entity"),
        change.c.version > bindparam("after"),
    )
    .order_by(change.c.version)
    .limit(literal(_PAGE, Integer))
)


def pending_rows(
    reader: Reader, places: Sequence[tuple[str, str, int]]
) -> list[list[tuple[Any, ...]]]:
    """Return, for each (organization, entity, applied version), the rows that follow it.

    They are rows of CHANGE_COLUMNS, as many as a claim takes: at least one, however large, unless
    the version after the applied one is not there.
    """
    names = ("organization", "entity", "after")
    first = reader.rows_each(_FOLLOWING, [dict(zip(names, p, strict=True)) for p in places])
    return [_filled(reader, *place, page) for place, page in zip(places, first, strict=True)]


def _filled(
    reader: Reader, organization: str, entity: str, applied: int, page: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    characters = 0
    while True:
        for row in page:
            characters += sum(len(text) for text in row[4:10] if text)
            gap = row[2] != applied + len(found) + 1
            full = len(found) == CLAIM_VERSIONS or (found and characters > CLAIM_CHARACTERS)
            if gap or full:
                return found
            found.append(row)
        if len(page) < _PAGE:
            return found
        after = applied + len(found)
        page = reader.rows(_FOLLOWING, organization=organization, entity=entity, after=after)
