"""Steps: what is done to the tables, as values that print themselves as SQL.

The text is for people: the database never sees it. Values are always bound.

Rule: a statement is complete by itself; text and execution are made from the same fields.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


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
    """All of its statements, or none. One plan is one transaction."""

    statements: tuple[Statement, ...]

    def __str__(self) -> str:
        return "\n".join(["BEGIN;", *map(str, self.statements), "COMMIT;"])


def condition(where: Mapping[str, Any]) -> str:
    return " AND ".join(
        f"{name(column)} IN ({', '.join(map(literal, value))})"
        if isinstance(value, tuple)
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
    return "'{}'".format("".join(map(_shown, str(value))).replace("'", "''"))


def _shown(character: str) -> str:
    return character if character.isprintable() else f"\\u{ord(character):04x}"


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Return `items` in order, cut into pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
