"""The statements of many plans, done together: those of one shape in one call of the driver.

Rule: the caller has begun the transaction; what does not fit is said, never mended here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, Table, bindparam, select, true
from sqlalchemy.exc import DBAPIError

from bridge.plugin import Park
from bridge_sql import failures
from bridge_sql.statements import Delete, Insert, Lookup, Statement, Update
from bridge_sql.tables import APPLIED, Tables, binder

ROWS_PER_CALL = 1000
"""Rows after which a call of the driver takes no further statement."""

Slot = tuple[str, ...]
"""A column and how its value is given: plain, in (a list), null, or by a lookup."""

Shape = tuple[type[Statement], str, tuple[Slot, ...], tuple[Slot, ...]]
Parameters = dict[str, Any]


@attrs.frozen
class Prepared:
    """One shape's statement, and what makes its parameters from the values of two groups."""

    statement: Any
    values: Callable[[Iterable[Any]], Parameters]
    where: Callable[[Iterable[Any]], Parameters]


@attrs.define
class Call:
    """One call of the driver: a statement, and the rows it is done for."""

    prepared: Prepared
    origin: Statement
    rows: list[Parameters] = attrs.field(factory=list)


class Executor:
    """Does statements on one database's tables; each shape is built once."""

    def __init__(self, tables: Tables, relations: Iterable[str]) -> None:
        self._tables = tables
        self._relations = frozenset(relations)
        self._prepared: dict[Shape, Prepared] = {}

    def run(self, connection: Connection, statements: Iterable[Statement]) -> Statement | None:
        """Do all statements and return None, or stop at one that does not fit and return it.

        Raises DBAPIError where the database refuses, Park for a value of the wrong kind.
        """
        for call in self._calls(statements):
            rows: Any = call.rows if len(call.rows) > 1 else call.rows[0]
            try:
                done = connection.execute(call.prepared.statement, rows)
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
            if call is None or len(call.rows) >= ROWS_PER_CALL or _lists(shape):
                call = latest[shape] = Call(self._prepare(shape), statement)
                phases.setdefault(self._phase(statement), []).append(call)
            prepared = call.prepared
            match statement:
                case Insert(rows=rows):
                    call.rows += map(prepared.values, rows)
                case Update(values=values, where=where):
                    call.rows.append(
                        prepared.values(values.values()) | prepared.where(where.values())
                    )
                case Delete(where=where):
                    call.rows.append(prepared.where(where.values()))
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
        given = {
            table.c[slot[0]]: self._given(table, slot, f"v{at}") for at, slot in enumerate(values)
        }
        fits = [self._fits(table, slot, f"w{at}") for at, slot in enumerate(where)] or [true()]
        statement: Any
        if kind is Insert:
            statement = table.insert().inline().values(given)
        elif kind is Update:
            statement = table.update().where(*fits).values(given)
        else:
            statement = table.delete().where(*fits)
        made = Prepared(statement, self._maker(table, values, "v"), self._maker(table, where, "w"))
        self._prepared[shape] = made
        return made

    def _given(self, table: Table, slot: Slot, name: str) -> Any:
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

    def _fits(self, table: Table, slot: Slot, name: str) -> ColumnElement[bool]:
        column: ColumnElement[Any] = table.c[slot[0]]
        if slot[1] == "null":
            return column.is_(None)
        if slot[1] == "in":
            return column.in_(bindparam(name, type_=column.type, expanding=True))
        fits: ColumnElement[bool] = column == self._given(table, slot, name)
        return fits

    def _maker(
        self, table: Table, slots: Sequence[Slot], prefix: str
    ) -> Callable[[Iterable[Any]], Parameters]:
        names = [f"{prefix}{at}" for at in range(len(slots))]
        binders = [binder(table.c[slot[0]]) for slot in slots]
        if not any(binders) and all(slot[1] == "plain" for slot in slots):
            return lambda values: dict(zip(names, values, strict=True))

        def make(values: Iterable[Any]) -> Parameters:
            made: Parameters = {}
            for name, slot, bind, value in zip(names, slots, binders, values, strict=True):
                if isinstance(value, Lookup):
                    there = self._tables[value.table].c
                    for at, (key, each) in enumerate(value.where.items()):
                        made[f"{name}_{at}"] = _bound(binder(there[key]), each)
                elif slot[1] == "in":
                    made[name] = [_bound(bind, each) for each in value]
                elif slot[1] == "plain":
                    made[name] = _bound(bind, value)
            return made

        return make


def _bound(bind: Callable[[Any], Any] | None, value: Any) -> Any:
    try:
        return value if bind is None else bind(value)
    except ValueError as error:
        raise Park(f"a value does not fit its column: {error}", failures.NEXT_STEP) from None


def _lists(shape: Shape) -> bool:
    return any(slot[1] == "in" for slot in shape[3])


def _shape(statement: Statement) -> Shape:
    """Return what statements have in common that differ in their values only."""
    match statement:
        case Insert(table=table, columns=columns, rows=rows):
            return Insert, table, tuple(map(_slot, columns, rows[0])), ()
        case Update(table=table, values=values, where=where):
            return Update, table, tuple((name, "plain") for name in values), _conditions(where)
        case Delete(table=table, where=where):
            return Delete, table, (), _conditions(where)


def _slot(column: str, value: Any) -> Slot:
    if isinstance(value, Lookup):
        return column, "lookup", value.table, value.column, *value.where
    return column, "plain"


def _conditions(where: Mapping[str, Any]) -> tuple[Slot, ...]:
    return tuple(
        (name, "null")
        if value is None
        else (name, "in")
        if isinstance(value, tuple)
        else _slot(name, value)
        for name, value in where.items()
    )
