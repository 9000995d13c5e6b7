"""Looking into stored JSON documents: the SQL of each dialect, as constructs of its own.

A path into a document is a tuple of keys: ("name", "givenName"), ("urn:…:User", "department").

Rule: no other module knows how a dialect reads JSON or compares text.
"""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Keys = tuple[str, ...]

VALUE: ColumnElement[Any] = literal_column("v.value")
"""A value of the row source `Values`."""

KIND: ColumnElement[str] = literal_column("v.type")
"""Its JSON type: text, integer, real, true, false, object, array."""

ATOM: ColumnElement[Any] = literal_column("v.atom")
"""A value that is neither object nor array, of the row source `Leaves`; else NULL."""

IS_TRUE: ColumnElement[int] = literal_column("(v.type = 'true')")
"""1 where the value of the row source `Values` is true, else 0."""


class fold(FunctionElement[str]):  # noqa: N801 - reads as the function it is
    """The key of a text whose case does not count: `bridge.core.schema.keys.name_key`."""

    inherit_cache = True
    type = Text()


class position(FunctionElement[int]):  # noqa: N801 - reads as the function it is
    """Where a text holds another, counting from 1; 0 where it does not."""

    inherit_cache = True
    type = Integer()


class time_text(FunctionElement[str]):  # noqa: N801 - reads as the function it is
    """Microseconds since 1970 as SCIM shows them: UTC with milliseconds and Z."""

    inherit_cache = True
    type = Text()


class by_hand(FunctionElement[Any]):  # noqa: N801 - reads as the function it is
    """The value itself, which no index is used to sort by.

    Without figures about the rows, a planner would rather walk all resources in order of an
    index than look up the few that match and sort those.
    """

    inherit_cache = True


class text_at(FunctionElement[Any]):  # noqa: N801 - reads as the function it is
    """The single value at a path of a JSON document; NULL where there is none."""

    inherit_cache = False

    def __init__(self, document: ColumnElement[str], *keys: str) -> None:
        super().__init__(document)
        self.keys = keys


class first_at(FunctionElement[Any]):  # noqa: N801 - reads as the function it is
    """The value that stands for many at a path: of the primary entry, or else of the first.

    `sub` names the part of each entry, None where entries are simple values.
    """

    inherit_cache = False

    def __init__(self, document: ColumnElement[str], keys: Keys, sub: str | None) -> None:
        super().__init__(document)
        self.keys = keys
        self.sub = sub


class Values(FunctionElement[Any]):
    """Row source `v`: the values at a path of a document, one by one if it is a list.

    With `sub`, the values of that part of every entry of the list. Without a document, of the
    entry `e` of the row source `Entries` around it; no keys either stand for the entry itself.
    """

    inherit_cache = False

    def __init__(
        self, document: ColumnElement[str] | None, keys: Keys, sub: str | None = None
    ) -> None:
        super().__init__(*([] if document is None else [document]))
        self.keys = keys
        self.sub = sub


class Leaves(Values):
    """Row source `v`: as `Values`, with everything inside of the values, at any depth."""

    inherit_cache = False


class Entries(FunctionElement[Any]):
    """Row source `e`: the entries of the list at a path of a document."""

    inherit_cache = False

    def __init__(self, document: ColumnElement[str], keys: Keys) -> None:
        super().__init__(document)
        self.keys = keys


_ENTRY = "CASE e.type WHEN 'object' THEN e.value ELSE '{}' END"


def _path(*keys: str) -> str:
    quoted = "".join(f'."{key}"' for key in keys).replace("'", "''")
    return f"'${quoted}'"


@compiles(fold, "sqlite")
def _fold_sqlite(element: fold, compiler: SQLCompiler, **kw: Any) -> str:
    return f"scim_key({compiler.process(element.clauses, **kw)})"


@compiles(position, "sqlite")
def _position_sqlite(element: position, compiler: SQLCompiler, **kw: Any) -> str:
    return f"instr({compiler.process(element.clauses, **kw)})"


@compiles(by_hand, "sqlite")
def _by_hand_sqlite(element: by_hand, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(time_text, "sqlite")
def _time_text_sqlite(element: time_text, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S', {at} / 1000000, 'unixepoch')"
    return f"({seconds} || printf('.%03dZ', {at} / 1000 % 1000))"


@compiles(text_at, "sqlite")
def _text_at_sqlite(element: text_at, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **kw)}, {_path(*element.keys)})"


@compiles(first_at, "sqlite")
def _first_at_sqlite(element: first_at, compiler: SQLCompiler, **kw: Any) -> str:
    document = compiler.process(element.clauses, **kw)
    each = f"json_each({document}, {_path(*element.keys)}) AS e"
    value = "e.value" if element.sub is None else f"json_extract({_ENTRY}, {_path(element.sub)})"
    primary = f"json_extract({_ENTRY}, '$.primary') IS 1 DESC"
    first = f"SELECT {value} FROM {each} ORDER BY {primary}, e.key LIMIT 1"  # noqa: S608
    return f"({first})"


@compiles(Values, "sqlite")
def _values_sqlite(element: Values, compiler: SQLCompiler, **kw: Any) -> str:
    each = "json_tree" if isinstance(element, Leaves) else "json_each"
    if len(element.clauses) == 0:
        if not element.keys:
            return "(SELECT e.value AS value, e.type AS type, e.atom AS atom) AS v"
        return f"{each}({_ENTRY}, {_path(*element.keys)}) AS v"
    document = compiler.process(element.clauses, **kw)
    if element.sub is None:
        return f"{each}({document}, {_path(*element.keys)}) AS v"
    entries = f"json_each({document}, {_path(*element.keys)}) AS e"
    return f"{entries}, {each}({_ENTRY}, {_path(element.sub)}) AS v"


@compiles(Entries, "sqlite")
def _entries_sqlite(element: Entries, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)}, {_path(*element.keys)}) AS e"
