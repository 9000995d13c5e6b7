"""What `bridge check` says about the tables: are they there, do they fit, may they be written.

Rule: looks at the tables as they are reflected and at nothing that a delivery would change; every
complaint names the setting at fault.
"""

import difflib
from collections.abc import Iterator
from typing import Any

import attrs
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    false,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from bridge.plugin import Finding, RetryLater
from bridge_sql import failures
from bridge_sql.mapping import USER, Layout, Relation, TableMap
from bridge_sql.settings import Settings
from bridge_sql.tables import by_name, managed
from bridge_sql.values import Rule

ID_CHARACTERS = 36
"""What a SCIM id takes in a column of text."""

READY, SHAPE, RIGHTS = "BRG-SQL-TABLE-READY", "BRG-SQL-TABLE-SHAPE", "BRG-SQL-TABLE-RIGHTS"

_UNIQUE = "unique"
"""Key of what a reflected table knows of its unique indexes."""

_NUMBERS = (Integer, Numeric)
_TIMES = (DateTime, Date)
_FITTING = {
    "boolean": (Boolean, *_NUMBERS),
    "integer": _NUMBERS,
    "timestamp": (DateTime,),
    "text": (String, Uuid),
}


@attrs.frozen
class Complaint:
    """What does not fit, and what to do about it; `setting` is the key that says otherwise."""

    setting: str
    problem: str
    next_step: str

    def finding(self, table: str) -> Finding:
        return Finding(
            False, SHAPE, f"{self.setting}: table {table} {self.problem}.", self.next_step
        )


def findings(connection: Connection, settings: Settings, layout: Layout) -> list[Finding]:
    """Return what there is to say about every table."""
    if settings.tables == "managed":
        return list(_managed(connection, settings))
    found: list[Finding] = []
    for mapped in layout.tables.values():
        setting = f"{mapped.setting}.table"
        table = _reflect(connection, mapped.table, settings.schema)
        if table is None:
            found.append(_absent(mapped.table, setting))
            continue
        wrong = [each.finding(mapped.table) for each in _misfits(table, mapped)]
        found += wrong or [_rights(connection, table)]
        if (relation := mapped.relation) is None:
            continue
        joined = _reflect(connection, relation.table, settings.schema)
        if joined is None:
            found.append(_absent(relation.table, "members.table"))
            continue
        ends = {"group": (mapped, table), "member": _end(connection, settings, layout)}
        wrong = [each.finding(relation.table) for each in _misjoined(joined, relation, ends)]
        found += wrong or [_rights(connection, joined)]
    return found


def _managed(connection: Connection, settings: Settings) -> Iterator[Finding]:
    made = by_name(managed(settings.schema))
    for name, wanted in made.items():
        table = _reflect(connection, name, settings.schema)
        if table is None:
            yield (
                Finding(True, READY, f"Table {name} is made when first needed.")
                if settings.create
                else Finding(
                    False, SHAPE, f"There is no table {name}.", "Run `bridge backend init`."
                )
            )
        elif missing := sorted({column.name for column in wanted.c} - set(table.c.keys())):
            yield Finding(
                False,
                SHAPE,
                f"Table {name} has no column {', '.join(missing)}.",
                "Add the columns, or move the table away and let the bridge make its own.",
            )
        else:
            yield _rights(connection, wanted)


def _absent(name: str, setting: str) -> Finding:
    return Finding(
        False,
        SHAPE,
        f"{setting}: there is no table {name}.",
        "Name one that is there; the bridge makes none where tables are mapped.",
    )


def _reflect(connection: Connection, name: str, schema: str | None) -> Table | None:
    try:
        table = Table(name, MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)
        # SQLite's unique constraints are not always told as such, but as indexes of its own.
        indexes = inspect(connection).get_indexes(name, schema, include_auto_indexes=True)
        table.info[_UNIQUE] = [set(index["column_names"]) for index in indexes if index["unique"]]
    except NoSuchTableError:
        return None
    finally:
        connection.rollback()
    return table


def _end(
    connection: Connection, settings: Settings, layout: Layout
) -> tuple[TableMap, Table | None]:
    users = layout.tables[USER]
    return users, _reflect(connection, users.table, settings.schema)


# --- one table ------------------------------------------------------------------------------


def _misfits(table: Table, mapped: TableMap) -> Iterator[Complaint]:
    place = mapped.setting
    settings: dict[str | None, str] = {
        mapped.id: f"{place}.id",
        mapped.key: f"{place}.key" if mapped.key != mapped.id else f"{place}.id",
        mapped.organization: f"{place}.organization",
        mapped.revision: f"{place}.revision",
        mapped.deleted.column if mapped.deleted else None: f"{place}.deleted.column",
        **{column: f"{place}.columns.{column}" for column in mapped.rules},
        **{column: f"{place}.constants.{column}" for column in mapped.constants},
    }
    absent = [column for column in (*mapped.columns, *mapped.constants) if column not in table.c]
    yield from (_no_column(table, settings[column], column) for column in absent)
    if absent:
        return
    yield from _identity(table, mapped)
    for column, rule in mapped.rules.items():
        yield from _value(table.c[column], settings[column], rule)
    yield from _marks(table, mapped)
    for other in table.c:
        if other.name not in settings and _must_be_given(table, other):
            yield Complaint(
                f"{place}.columns",
                f"has a column {other.name} that must not be null and that nothing fills",
                f"Map it, or give it a value in {place}.constants, or a default in the database.",
            )


def _identity(table: Table, mapped: TableMap) -> Iterator[Complaint]:
    place = mapped.setting
    yield from _text(table.c[mapped.id], f"{place}.id", "a SCIM id")
    if mapped.organization:
        yield from _text(
            table.c[mapped.organization], f"{place}.organization", "an organization's id"
        )
    wanted = {mapped.id, mapped.organization} if mapped.organization else {mapped.id}
    if not _is_unique(table, wanted):
        yield Complaint(
            f"{place}.id",
            f"does not keep {' and '.join(sorted(wanted))} unique",
            "Add a unique index there: without one, a repeated change could make a second row.",
        )
    if mapped.key != mapped.id and not _is_unique(table, {mapped.key}):
        yield Complaint(
            f"{place}.key", f"does not keep {mapped.key} unique", "Name the column that is unique."
        )


def _text(column: Column[Any], setting: str, what: str) -> Iterator[Complaint]:
    kind = column.type
    if not isinstance(kind, _FITTING["text"]):
        yield Complaint(
            setting,
            f"has {column.name} as {kind!r}, which cannot hold {what}",
            "Name a column of text (or uuid).",
        )
    elif isinstance(kind, String) and kind.length is not None and kind.length < ID_CHARACTERS:
        yield Complaint(
            setting,
            f"has {column.name} with {kind.length} characters, and {what} takes {ID_CHARACTERS}",
            "Make the column longer, or name another one.",
        )


def _value(column: Column[Any], setting: str, rule: Rule) -> Iterator[Complaint]:
    kind = column.type
    if rule.type != "any":
        wanted: str = rule.type
    elif rule.values:
        wanted = "text"
    else:
        wanted = "boolean" if rule.paths[0].text == "active" else "text"
    if isinstance(kind, _FITTING[wanted]) or not isinstance(
        kind, (*_NUMBERS, *_TIMES, Boolean, String, Uuid)
    ):
        return  # of other types (JSON, enumerations …) the database itself is the judge
    convert = setting.replace(".columns.", ".convert.")
    remedy = {
        "boolean": f'Say what to write in {convert}.values: {{ true = "…", false = "…" }}.',
        "text": f"Say in {convert}.type what it is: boolean, integer or timestamp.",
    }.get(wanted, f"Take {convert}.type away, or name another column.")
    yield Complaint(setting, f"has {column.name} as {kind!r}, and {wanted} is written", remedy)


def _marks(table: Table, mapped: TableMap) -> Iterator[Complaint]:
    if mapped.revision and not isinstance(table.c[mapped.revision].type, _NUMBERS):
        yield Complaint(
            f"{mapped.setting}.revision",
            f"has {mapped.revision} as {table.c[mapped.revision].type!r}",
            "Name a column of whole numbers.",
        )
    if (deleted := mapped.deleted) is None:
        return
    column = table.c[deleted.column]
    if mapped.live is None and not column.nullable:
        yield Complaint(
            f"{mapped.setting}.deleted.live",
            f"does not let {column.name} be null",
            f"Say in {mapped.setting}.deleted.live what it holds for a row that is not deleted.",
        )
    if deleted.value == "{now}" and not isinstance(column.type, DateTime):
        yield Complaint(
            f"{mapped.setting}.deleted.value",
            f"has {column.name} as {column.type!r}, which holds no time",
            f"Say in {mapped.setting}.deleted.value what to write.",
        )


# --- the table that joins -------------------------------------------------------------------


def _misjoined(
    table: Table, relation: Relation, ends: dict[str, tuple[TableMap, Table | None]]
) -> Iterator[Complaint]:
    columns = {"group": relation.owner, "member": relation.peer}
    settings = {relation.owner: "members.group", relation.peer: "members.member"}
    settings |= dict.fromkeys(relation.facts, "members.type")
    if relation.organization:
        settings[relation.organization] = "members.organization"
    absent = [column for column in settings if column not in table.c]
    yield from (_no_column(table, settings[column], column) for column in absent)
    if absent:
        return
    if not any(
        _is_unique(table, {*columns.values(), *more})
        for more in ((), relation.facts, (relation.organization or relation.owner,))
    ):
        yield Complaint(
            "members.table",
            f"does not keep {relation.owner} and {relation.peer} unique",
            "Add a unique index there: without one, a repeated change could make a second row.",
        )
    for end, (mapped, there) in ends.items():
        yield from _reference(table.c[columns[end]], f"members.{end}", mapped, there)
    for column in table.c:
        if column.name not in settings and _must_be_given(table, column):
            yield Complaint(
                "members.table",
                f"has a column {column.name} that must not be null and that nothing fills",
                "Give it a default in the database.",
            )


def _reference(
    column: Column[Any], setting: str, mapped: TableMap, there: Table | None
) -> Iterator[Complaint]:
    for key in column.foreign_keys:
        *_, name, referred = key.target_fullname.split(".")
        if name == mapped.table and referred != mapped.key:
            yield Complaint(
                f"{mapped.setting}.key",
                f"has {column.name} refer to {name}.{referred}, and not to {mapped.key}",
                f'Set {mapped.setting}.key = "{referred}".',
            )
            return
    if there is not None and mapped.key in there.c:
        of_key = there.c[mapped.key].type
        if isinstance(of_key, _NUMBERS) != isinstance(column.type, _NUMBERS):
            yield Complaint(
                setting,
                f"has {column.name} as {column.type!r}, and {mapped.table}.{mapped.key} is "
                f"{of_key!r}",
                f"Name the column by which other tables know the row in {mapped.setting}.key.",
            )


# --- both -----------------------------------------------------------------------------------


def _no_column(table: Table, setting: str, column: str) -> Complaint:
    near = difflib.get_close_matches(column, table.c.keys(), 1)
    known = f"Do you mean {near[0]}?" if near else f"It has {', '.join(table.c.keys())}."
    return Complaint(setting, f"has no column {column}", known)


def _is_unique(table: Table, columns: set[str]) -> bool:
    """Return whether the database keeps rows apart by some of these columns."""
    constraints = (one for one in table.constraints if isinstance(one, UniqueConstraint))
    keys = [set(one.columns.keys()) for one in (table.primary_key, *constraints)]
    return any(key and key <= columns for key in (*keys, *table.info[_UNIQUE]))


def _must_be_given(table: Table, column: Column[Any]) -> bool:
    filled = column.server_default is not None or column.identity is not None
    return not (column.nullable or filled or column is table.autoincrement_column)


def _rights(connection: Connection, table: Table) -> Finding:
    try:
        # Statements that touch no row still need the rights to touch one.
        connection.execute(table.insert().from_select(list(table.c), select(table).where(false())))
        connection.execute(table.update().where(false()).values(dict(table.c)))
        connection.execute(table.delete().where(false()))
    except DBAPIError as error:
        refusal = failures.sorted_out(error)
        if isinstance(refusal, RetryLater):  # it does not answer now, and would not for the others
            raise
        return Finding(
            False,
            RIGHTS,
            f"Table {table.name} may not be written: {refusal}",
            f"Grant SELECT, INSERT, UPDATE and DELETE on {table.name} to this account.",
        )
    finally:
        connection.rollback()
    return Finding(True, READY, f"Table {table.name} is there and may be written.")
