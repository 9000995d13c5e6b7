"""What happened in an organization, in an order that never changes once it has been told.

Change records are told by their sequence number. PostgreSQL gives these out before it is known
which transaction commits first, so that a number may appear after a higher one: nothing is told
until every transaction has ended that was writing when its number was the last one.

Rule: what is told follows everything that has been told, and has nothing new before it.
"""

import asyncio
import time
from typing import Any

import attrs
from sqlalchemy import BigInteger, Text, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from bridge.codec import CHANGE_COLUMNS, change_of
from bridge.core.changes import ChangeRecord
from bridge.journal.statements import prepared
from bridge.journal.store import Journal, Reader
from bridge.journal.tables import change

PAGE_CHARACTERS = 4_000_000
"""Stored text after which a page takes no more changes; it always takes one."""

PATIENCE_SECONDS = 2.0
"""How long to wait for transactions that are still writing before nothing is told."""

_TICK_SECONDS = 0.005
_SLICE = 100


class _Last(FunctionElement[int]):
    """The last sequence number that was given to a change."""

    inherit_cache = True
    type = BigInteger()


class _Writing(FunctionElement[str]):
    """The transactions that may have written changes and not ended, separated by blanks."""

    inherit_cache = True
    type = Text()


@compiles(_Last, "sqlite")
def _last_sqlite(_element: _Last, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "coalesce((SELECT max(sequence) FROM change), 0)"


@compiles(_Last, "postgresql")
def _last_postgresql(_element: _Last, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "coalesce(pg_sequence_last_value('change_sequence_seq'), 0)"


@compiles(_Writing, "sqlite")
def _writing_sqlite(_element: _Writing, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "''"  # there is one writer, and what is read is committed


@compiles(_Writing, "postgresql")
def _writing_postgresql(_element: _Writing, _compiler: SQLCompiler, **_kw: Any) -> str:
    # A transaction takes this lock before it takes a number, and holds it to its end.
    return (
        "coalesce((SELECT string_agg(virtualtransaction, ' ') FROM pg_locks"
        " WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted"
        " AND relation = 'change'::regclass AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())), '')"
    )


_LAST = prepared(select(_Last()))
_WRITING = prepared(select(_Writing()))
_PAGE = prepared(
    select(change.c.sequence, *(change.c[name] for name in CHANGE_COLUMNS))
    .where(
        change.c.organization == bindparam("organization"),
        change.c.sequence > bindparam("after"),
        change.c.sequence <= bindparam("last"),
    )
    .order_by(change.c.sequence)
    .limit(bindparam("room"))
)


@attrs.frozen
class Told:
    """A change record and its position among all that are told."""

    position: int
    change: ChangeRecord


@attrs.frozen
class Page:
    """Some of what happened, oldest first; `more`: the next page has something, or soon will."""

    told: tuple[Told, ...]
    more: bool


async def page(journal: Journal, organization: str, after: int, limit: int) -> Page:
    """Return up to `limit` changes of an organization behind position `after` (0: the first)."""
    last = await _decided(journal)
    if last is None:
        return Page((), more=True)
    return await journal.read(lambda reader: _page(reader, organization, after, last, limit))


async def _decided(journal: Journal) -> int | None:
    """Return the highest number below which nothing new can appear; None where none is found."""
    last, writing = await journal.read(_standing)
    ends = time.monotonic() + PATIENCE_SECONDS
    while writing:
        if time.monotonic() > ends:
            return None
        await asyncio.sleep(_TICK_SECONDS)
        writing &= await journal.read(_writing)
    return last


def _standing(reader: Reader) -> tuple[int, frozenset[str]]:
    (last,) = reader.row(_LAST) or (0,)
    return last, _writing(reader)  # in this order: who has a number by then is seen writing


def _writing(reader: Reader) -> frozenset[str]:
    (found,) = reader.row(_WRITING) or ("",)
    return frozenset(found.split())


def _page(reader: Reader, organization: str, after: int, last: int, limit: int) -> Page:
    told: list[Told] = []
    characters = 0
    while len(told) < limit:
        place = told[-1].position if told else after
        room = min(_SLICE, limit - len(told))
        rows = reader.rows(_PAGE, organization=organization, after=place, last=last, room=room)
        for position, *row in rows:
            characters += sum(len(text) for text in row[4:10] if text)
            if told and characters > PAGE_CHARACTERS:
                return Page(tuple(told), more=True)
            told.append(Told(position, change_of(row)))
        if len(rows) < room:
            return Page(tuple(told), more=False)
    return Page(tuple(told), more=True)
