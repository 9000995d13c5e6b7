"""Steps: what is done to the tables, as values that print themselves as SQL.

The text is for people: the database never sees it. Values are always bound, and identifiers are
those of the tables as they were reflected or made.

Rule: a statement is complete by itself; text and execution are made from the same fields.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from bridge.plugin import Drift

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@attrs.frozen
class Lookup:
    """A value that is found when it is needed: the `column` of the one row where others are so."""

    table: str
    column: str
    where: Mapping[str, Any]

    def __str__(self) -> str:
        return f"(SELECT {name(self.column)} FROM {name(self.table)} WHERE {condition(self.where)})"  # noqa: S608


@attrs.frozen
class Insert:
    """Add rows. Every row has the same columns."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __str__(self) -> str:
        rows = ",\n  ".join(f"({', '.join(map(literal, row))})" for row in self.rows)
        columns = ", ".join(map(name, self.columns))
        return f"INSERT INTO {name(self.table)} ({columns}) VALUES\n  {rows};"


@attrs.frozen
class Update:
    """Set columns where others have these values; exactly one row is expected to match."""

    table: str
    values: Mapping[str, Any]
    where: Mapping[str, Any]

    def __str__(self) -> str:
        values = ", ".join(f"{name(c)} = {literal(v)}" for c, v in self.values.items())
        return f"UPDATE {name(self.table)} SET {values} WHERE {condition(self.where)};"  # noqa: S608


@attrs.frozen
class Delete:
    """Remove the rows where columns have these values; a tuple stands for any of its values."""

    table: str
    where: Mapping[str, Any]

    def __str__(self) -> str:
        return f"DELETE FROM {name(self.table)} WHERE {condition(self.where)};"  # noqa: S608


Statement = Insert | Update | Delete


@attrs.frozen
class Transaction:
    """All of its statements, or none. One plan is one transaction.

    `drift` is what it mends, where it was planned from what the tables hold.
    """

    statements: tuple[Statement, ...]
    drift: tuple[Drift, ...] = ()

    def __str__(self) -> str:
        return "\n".join(["BEGIN;", *map(str, self.statements), "COMMIT;"])


def condition(where: Mapping[str, Any]) -> str:
    return " AND ".join(
        f"{name(column)} IN ({', '.join(map(literal, value))})"
        if isinstance(value, tuple)
        else f"{name(column)} IS NULL"
        if value is None
        else f"{name(column)} = {literal(value)}"
        for column, value in where.items()
    )


def name(identifier: str) -> str:
    """Return an identifier, quoted unless it is plainly one."""
    if _PLAIN.fullmatch(identifier):
        return identifier
    return '"{}"'.format(identifier.replace('"', '""'))


def literal(value: Any) -> str:
    """Return a value as a SQL literal. Characters that would move a terminal are escaped."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return repr(value)
        case Lookup():
            return str(value)
        case datetime():
            return f"'{value:%Y-%m-%d %H:%M:%S}'"
    return "'{}'".format("".join(map(_shown, str(value))).replace("'", "''"))


def _shown(character: str) -> str:
    return character if character.isprintable() else f"\\u{ord(character):04x}"


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Return `items` in order, cut into pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
