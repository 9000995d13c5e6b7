"""Statements: SQLAlchemy Core for writing them, plain text and a tuple for running them.

A statement is a module constant. It is compiled once per dialect, on first use; running it costs
one tuple and one call of the driver.

Rule: what the dialects say differently is stated here (and nowhere else) as a construct of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Executable,
    Table,
    bindparam,
    literal_column,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

from bridge.codec import encode

__all__ = [
    "ONE",
    "ZERO",
    "Compiled",
    "Prepared",
    "among",
    "insert",
    "insert_into",
    "prepared",
]

# `insert` is PostgreSQL's, because its ON CONFLICT clause is the one that both dialects compile.

ZERO: ColumnElement[int] = literal_column("0")
ONE: ColumnElement[int] = literal_column("1")
"""Literals and no parameters: a partial index is used only where the text proves its condition."""


class Compiled:
    """SQL text of one dialect, and how to turn named parameters into the tuple it wants."""

    __slots__ = ("_as_list", "_constants", "_lists", "keys", "text")

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self.text = str(compiled)
        self.keys: tuple[str, ...] = tuple(compiled.positiontup or ())
        binds = [(name, bind) for bind, name in compiled.bind_names.items()]
        self._constants = {name: bind.effective_value for name, bind in binds if not bind.required}
        self._lists = {name for name, bind in binds if isinstance(bind.type, _List)}
        self._as_list: Callable[[Any], Any] = encode if dialect.name == "sqlite" else list

    def bind(self, params: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the driver's parameters. Raises KeyError for a name that is missing."""
        if self._constants:
            params = {**self._constants, **params}
        if self._lists:
            lists = {name: self._as_list(params[name]) for name in self._lists}
            params = {**params, **lists}
        return tuple([params[key] for key in self.keys])


class Prepared:
    """A statement that is compiled once for each dialect that runs it."""

    __slots__ = ("_compiled", "_statement")

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, Compiled] = {}

    def on(self, dialect: Dialect) -> Compiled:
        """Return the statement in the words of `dialect`."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = Compiled(self._statement, dialect)
        return found


def prepared(statement: Executable) -> Prepared:
    """Return `statement` ready to be run; its `bindparam`s are named when it is."""
    return Prepared(statement)


def insert_into(table: Table, columns: Iterable[str] | None = None) -> Insert:
    """Return an INSERT of one row; every column is a parameter of the same name."""
    names = table.columns.keys() if columns is None else columns
    return insert(table).values({name: bindparam(name) for name in names}).inline()


def among(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Return: `column` is one of the texts in the list parameter `name`, however many there are."""
    return _Among(column, bindparam(name, type_=_List()))


class _List(UserDefinedType[Any]):
    """A list of texts as one parameter: an array, or its JSON text where there are none."""

    cache_ok = True


class _Among(FunctionElement[bool]):
    """Whether a column is one of a list of texts.

    It has no type: a Boolean would be compared with 1 on SQLite, and no index used for that.
    """

    inherit_cache = True


@compiles(_Among, "sqlite")
def _among_sqlite(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, texts = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608


@compiles(_Among, "postgresql")
def _among_postgresql(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, texts = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY ({texts})"
