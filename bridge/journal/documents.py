"""Looking into stored JSON documents: the SQL of each dialect, as constructs of its own.

A path into a document is a tuple of keys: ("name", "givenName"), ("urn:…:User", "department").

Rule: no other module knows how a dialect reads JSON or compares text.
"""

from enum import StrEnum
from typing import Any, assert_never

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


class _OfValue(FunctionElement[Any]):
    """The value of the row source `Values` as a number, or as 1 for true and 0 for all else."""

    inherit_cache = False

    def __init__(self, kind: "Kind") -> None:
        super().__init__()
        self.kind = kind


class Kind(StrEnum):
    """What a JSON value is taken as; `BOOLEAN` is 1 and 0."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"


NUMBER: ColumnElement[Any] = _OfValue(Kind.NUMBER)
IS_TRUE: ColumnElement[int] = _OfValue(Kind.BOOLEAN)


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

    def __init__(self, document: ColumnElement[str], *keys: str, kind: Kind = Kind.TEXT) -> None:
        super().__init__(document)
        self.keys = keys
        self.kind = kind


class first_at(FunctionElement[Any]):  # noqa: N801 - reads as the function it is
    """The value that stands for many at a path: of the primary entry, or else of the first.

    `sub` names the part of each entry, None where entries are simple values.
    """

    inherit_cache = False

    def __init__(
        self, document: ColumnElement[str], keys: Keys, sub: str | None, kind: Kind = Kind.TEXT
    ) -> None:
        super().__init__(document)
        self.keys = keys
        self.sub = sub
        self.kind = kind


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


# --- SQLite -------------------------------------------------------------------------------------

_ENTRY = "CASE e.type WHEN 'object' THEN e.value ELSE '{}' END"


def _path(*keys: str) -> str:
    quoted = "".join(f'."{key}"' for key in keys).replace("'", "''")
    return f"'${quoted}'"


@compiles(_OfValue, "sqlite")
def _of_value_sqlite(element: _OfValue, _compiler: SQLCompiler, **_: Any) -> str:
    return "v.value" if element.kind is Kind.NUMBER else "(v.type = 'true')"


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


# --- PostgreSQL ---------------------------------------------------------------------------------

# A document is text, for the order of its keys; what looks into it parses it. In a lax path `[*]`
# unfolds a list and leaves anything else as it is.

_ROW = """(SELECT {text} AS value, {number} AS number,
CASE jsonb_typeof(x) WHEN 'string' THEN 'text' WHEN 'number' THEN 'real'
WHEN 'boolean' THEN x #>> '{{}}' ELSE jsonb_typeof(x) END AS type,
CASE WHEN jsonb_typeof(x) NOT IN ('object', 'array') THEN {text} END AS atom
FROM {source} AS each(x)) AS v"""


def _as(kind: Kind, value: str) -> str:
    match kind:
        case Kind.TEXT:
            return f"({value} #>> '{{}}') COLLATE \"C\""
        case Kind.NUMBER:
            number = f"({value} #>> '{{}}')::numeric"
            return f"CASE jsonb_typeof({value}) WHEN 'number' THEN {number} END"
        case Kind.BOOLEAN:
            return f"CASE {value} WHEN 'true'::jsonb THEN 1 WHEN 'false'::jsonb THEN 0 END"
    assert_never(kind)


def _json(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS jsonb)"


def _lax(*keys: str, end: str = "") -> str:
    path = "".join(f'."{key}"[*]' for key in keys).replace("'", "''")
    return f"'lax ${path}{end}'"


@compiles(_OfValue, "postgresql")
def _of_value_postgresql(element: _OfValue, _compiler: SQLCompiler, **_: Any) -> str:
    return "v.number" if element.kind is Kind.NUMBER else "CAST(v.type = 'true' AS integer)"


@compiles(fold, "postgresql")
def _fold_postgresql(element: fold, compiler: SQLCompiler, **kw: Any) -> str:
    return f"scim_key({compiler.process(element.clauses, **kw)})"


@compiles(position, "postgresql")
def _position_postgresql(element: position, compiler: SQLCompiler, **kw: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **kw)})"


@compiles(by_hand, "postgresql")
def _by_hand_postgresql(element: by_hand, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(ARRAY[{compiler.process(element.clauses, **kw)}])[1]"


@compiles(time_text, "postgresql")
def _time_text_postgresql(element: time_text, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    shown = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""
    return f"to_char(timestamp 'epoch' + {at} * interval '1 microsecond', {shown})"


@compiles(text_at, "postgresql")
def _text_at_postgresql(element: text_at, compiler: SQLCompiler, **kw: Any) -> str:
    keys = ",".join(f'"{key}"' for key in element.keys).replace("'", "''")
    return _as(element.kind, f"({_json(element, compiler, **kw)} #> '{{{keys}}}')")


@compiles(first_at, "postgresql")
def _first_at_postgresql(element: first_at, compiler: SQLCompiler, **kw: Any) -> str:
    each = f"jsonb_path_query({_json(element, compiler, **kw)}, {_lax(*element.keys)})"
    value = "e.value" if element.sub is None else f"(e.value -> '{element.sub}')"
    primary = "(e.value -> 'primary') IS NOT DISTINCT FROM 'true'::jsonb DESC"
    rows = f"{each} WITH ORDINALITY AS e(value, key) ORDER BY {primary}, e.key LIMIT 1"
    return f"(SELECT {_as(element.kind, value)} FROM {rows})"  # noqa: S608


@compiles(Values, "postgresql")
def _values_postgresql(element: Values, compiler: SQLCompiler, **kw: Any) -> str:
    outer = "e.value" if len(element.clauses) == 0 else _json(element, compiler, **kw)
    keys = element.keys if element.sub is None else (*element.keys, element.sub)
    path = _lax(*keys, end=".**" if isinstance(element, Leaves) else "")
    source = f"jsonb_path_query({outer}, {path})"
    return _ROW.format(text=_as(Kind.TEXT, "x"), number=_as(Kind.NUMBER, "x"), source=source)


@compiles(Entries, "postgresql")
def _entries_postgresql(element: Entries, compiler: SQLCompiler, **kw: Any) -> str:
    return f"jsonb_path_query({_json(element, compiler, **kw)}, {_lax(*element.keys)}) AS e(value)"
