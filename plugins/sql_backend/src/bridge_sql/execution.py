"""The statements of many plans, done together: those of one shape in one call of the driver.

Rule: the caller has begun the transaction; what does not fit is said, never mended here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Table,
    bindparam,
    select,
    true,
)
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.exc import DBAPIError

from bridge.plugin import Park
from bridge_sql import failures
from bridge_sql.statements import Delete, Insert, Lookup, Statement, Update
from bridge_sql.tables import APPLIED, Tables, binder

ROWS_PER_CALL = 1000
"""Rows after which a call of the driver takes no further statement."""

Slot = str | tuple[str, ...]
"""A column, and how its value is given unless plainly: in (a list), null, or by a lookup."""

Whole = tuple[str, ...]
"""A slot with `plain` where its value is given plainly."""

_LOOKED_UP = frozenset({Lookup})
_UNLIKE = frozenset({Lookup, tuple, type(None)})

Shape = tuple[type[Statement], str, tuple[Slot, ...], tuple[Slot, ...]]
Parameters = dict[str, Any]


@attrs.frozen
class Prepared:
    """One shape's statement, and what makes a row of parameters from its values and conditions.

    `sql` is what the driver is given; None where SQLAlchemy has to write it each time (a list).
    """

    statement: Any
    sql: str | None
    row: Callable[[Iterable[Any]], Any]


@attrs.define
class Call:
    """One call of the driver: a statement, and the rows it is done for."""

    prepared: Prepared
    origin: Statement
    rows: list[Any] = attrs.field(factory=list)


class Executor:
    """Does statements on one database's tables; each shape is built once."""

    def __init__(self, dialect: Dialect, tables: Tables, relations: Iterable[str]) -> None:
        self._dialect = dialect
        self._tables = tables
        self._relations = frozenset(relations)
        self._prepared: dict[Shape, Prepared] = {}

    def run(self, connection: Connection, statements: Iterable[Statement]) -> Statement | None:
        """Do all statements and return None, or stop at one that does not fit and return it.

        Raises DBAPIError where the database refuses, Park for a value of the wrong kind.
        """
        for call in self._calls(statements):
            prepared = call.prepared
            rows = call.rows if len(call.rows) > 1 else call.rows[0]
            try:
                done: CursorResult[Any] = (
                    connection.execute(prepared.statement, rows)
                    if prepared.sql is None
                    else connection.exec_driver_sql(prepared.sql, rows)
                )
            except DBAPIError as error:
                if isinstance(call.origin, Insert) and failures.is_duplicate(error):
                    return call.origin
                raise
            if isinstance(call.origin, Update) and done.rowcount != len(call.rows):
                return call.origin
        return None

    def _calls(self, statements: Iterable[Statement]) -> list[Call]:
        phases: dict[int, list[Call]] = {}
        latest: dict[Shape, Call] = {}
        for statement in statements:
            shape = _shape(statement)
            call = latest.get(shape)
            full = call is not None and (
                call.prepared.sql is None or len(call.rows) >= ROWS_PER_CALL
            )
            if call is None or full:
                call = latest[shape] = Call(self._prepare(shape), statement)
                phases.setdefault(self._phase(statement), []).append(call)
            row = call.prepared.row
            match statement:
                case Insert(rows=rows):
                    call.rows += map(row, rows)
                case Update(values=values, where=where):
                    call.rows.append(row((*values.values(), *where.values())))
                case Delete(where=where):
                    call.rows.append(row(where.values()))
        return [call for phase in sorted(phases) for call in phases[phase]]

    def _phase(self, statement: Statement) -> int:
        # A plan's own statements are in this order already. Across plans, rows come before what
        # joins them and go after it, so that foreign keys hold.
        joins = statement.table in self._relations
        if isinstance(statement, Delete):
            return 2 if joins else 4
        if joins:
            return 3
        return 0 if statement.table == APPLIED else 1

    def _prepare(self, shape: Shape) -> Prepared:
        if (known := self._prepared.get(shape)) is not None:
            return known
        kind, name, values, where = shape
        table = self._tables[name]
        slots = [(f"v{at}", _whole(slot)) for at, slot in enumerate(values)]
        given = {table.c[slot[0]]: self._given(table, slot, name) for name, slot in slots}
        conditions = [(f"w{at}", _whole(slot)) for at, slot in enumerate(where)]
        fits = [self._fits(table, slot, name) for name, slot in conditions] or [true()]
        statement: Any
        if kind is Insert:
            statement = table.insert().inline().values(given)
        elif kind is Update:
            statement = table.update().where(*fits).values(given)
        else:
            statement = table.delete().where(*fits)
        made = self._prepared[shape] = self._made(statement, table, [*slots, *conditions])
        return made

    def _made(self, statement: Any, table: Table, slots: Sequence[tuple[str, Whole]]) -> Prepared:
        names = [name for name, _ in slots]
        binders = {name: self._binder(table, slot) for name, slot in slots}
        if all(slot[1] == "plain" for _, slot in slots):
            compiled = statement.compile(dialect=self._dialect)
            some = [(at, bind) for at, name in enumerate(names) if (bind := binders[name])]
            return Prepared(statement, str(compiled), _plainly(compiled, names, some))
        listing = any(slot[1] == "in" for _, slot in slots)

        def row(values: Iterable[Any]) -> Any:
            made: Parameters = {}
            for (name, slot), value in zip(slots, values, strict=True):
                bind = binders[name]
                if isinstance(value, Lookup):
                    for at, (key, each) in enumerate(value.where.items()):
                        found = self._binder(self._tables[value.table], (key, "plain"))
                        made[f"{name}_{at}"] = _bound(found, each)
                elif isinstance(value, tuple):
                    made[name] = [_bound(bind, each) for each in value]
                elif slot[1] == "plain":
                    made[name] = _bound(bind, value)
            return made if listing else ordered(made)

        if listing:
            return Prepared(statement, None, row)
        compiled = statement.compile(dialect=self._dialect)
        ordered = _ordering(compiled)
        return Prepared(statement, str(compiled), row)

    def _binder(self, table: Table, slot: Whole) -> Callable[[Any], Any] | None:
        """Return what makes a plan's value one that the driver takes; None for nothing."""
        column = table.c[slot[0]]
        ours = binder(column)
        if slot[1] == "in":
            return ours  # SQLAlchemy does the rest
        theirs = column.type.dialect_impl(self._dialect).bind_processor(self._dialect)
        if ours is None or theirs is None:
            return ours or theirs
        return lambda value: theirs(ours(value))

    def _given(self, table: Table, slot: Whole, name: str) -> Any:
        column, how, *there = slot
        if how != "lookup":
            return bindparam(name, type_=table.c[column].type)
        other, wanted, *keys = there
        found = self._tables[other]
        fits = (
            found.c[key] == bindparam(f"{name}_{at}", type_=found.c[key].type)
            for at, key in enumerate(keys)
        )
        return select(found.c[wanted]).where(*fits).scalar_subquery()

    def _fits(self, table: Table, slot: Whole, name: str) -> ColumnElement[bool]:
        column: ColumnElement[Any] = table.c[slot[0]]
        if slot[1] == "null":
            return column.is_(None)
        if slot[1] == "in":
            return column.in_(bindparam(name, type_=column.type, expanding=True))
        fits: ColumnElement[bool] = column == self._given(table, slot, name)
        return fits


def _plainly(
    compiled: Compiled, names: Sequence[str], some: Sequence[tuple[int, Callable[[Any], Any]]]
) -> Callable[[Iterable[Any]], Any]:
    """Return what makes parameters of values that are given as they are, but for `some`."""
    order = getattr(compiled, "positiontup", None)
    same = order is not None and list(order) == list(names)

    def row(values: Iterable[Any]) -> Any:
        given = list(values)
        for at, bind in some:
            given[at] = _bound(bind, given[at])
        return tuple(given) if same else dict(zip(names, given, strict=True))

    if order is None or same:
        return row
    ordered = _ordering(compiled)
    return lambda values: ordered(row(values))


def _ordering(compiled: Compiled) -> Callable[[Parameters], Any]:
    """Return what puts named parameters into the form that the driver wants."""
    order = getattr(compiled, "positiontup", None)
    if order is None:
        return lambda named: named
    return lambda named: tuple(named[name] for name in order)


def _bound(bind: Callable[[Any], Any] | None, value: Any) -> Any:
    try:
        return value if bind is None else bind(value)
    except ValueError as error:
        raise Park(f"a value does not fit its column: {error}", failures.NEXT_STEP) from None


def _shape(statement: Statement) -> Shape:
    """Return what statements have in common that differ in their values only."""
    match statement:
        case Insert(table=table, columns=columns, rows=rows):
            if _LOOKED_UP.isdisjoint(map(type, rows[0])):
                return Insert, table, columns, ()
            return Insert, table, tuple(map(_slot, columns, rows[0])), ()
        case Update(table=table, values=values, where=where):
            return Update, table, tuple(values), _conditions(where)
        case Delete(table=table, where=where):
            return Delete, table, (), _conditions(where)


def _conditions(where: Mapping[str, Any]) -> tuple[Slot, ...]:
    if _UNLIKE.isdisjoint(map(type, where.values())):
        return tuple(where)
    return tuple(
        (name, "null")
        if value is None
        else (name, "in")
        if isinstance(value, tuple)
        else _slot(name, value)
        for name, value in where.items()
    )


def _whole(slot: Slot) -> Whole:
    return (slot, "plain") if isinstance(slot, str) else slot


def _slot(column: str, value: Any) -> Slot:
    if isinstance(value, Lookup):
        return column, "lookup", value.table, value.column, *value.where
    return column
