"""A journal with one organization and one backend, and the short words that its tests use."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from bridge.codec import CHANGE_COLUMNS, change_of
from bridge.core.changes import Cause, ChangeRecord
from bridge.core.members import MemberEdit
from bridge.core.resources import Resource
from bridge.core.schema import GROUP, USER, ResourceType
from bridge.journal import members, record, resources, tables
from bridge.journal.session import Session
from bridge.journal.statements import insert_into
from bridge.journal.store import Journal, Reader, prepared

ACME = "acme"
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
CAUSE = Cause("connection:okta", "request-1", AT)
LATER = Cause("connection:okta", "request-2", AT.replace(hour=4))

_BACKEND = prepared(insert_into(tables.backend, ("name", "type", "state", "updated")))


def add_backend(journal: Journal, name: str, state: str = "active") -> None:
    journal.write_now(lambda tx: tx.run(_BACKEND, name=name, type="ldap", state=state, updated=0))


def rows(journal: Journal, table: str) -> list[dict[str, Any]]:
    """Every row of a table, in order of its first columns."""
    found = tables.metadata.tables[table]
    query = prepared(select(found).order_by(*found.columns))
    names = found.columns.keys()
    return [dict(zip(names, r, strict=True)) for r in journal.read_now(lambda x: x.rows(query))]


def written(journal: Journal) -> dict[str, int]:
    """How many rows each table has: what no refused request may change."""
    every = tables.metadata.sorted_tables
    queries = {t.name: prepared(select(func.count()).select_from(t)) for t in every}
    return journal.read_now(lambda r: {name: r.rows(q)[0][0] for name, q in queries.items()})


def changes(journal: Journal, entity: str) -> list[ChangeRecord]:
    found = [row for row in rows(journal, "change") if row["entity"] == entity]
    return [change_of([row[name] for name in CHANGE_COLUMNS]) for row in found]


def user(journal: Journal, id_: str, name: str | None = None, **attributes: Any) -> Resource:
    document = {"userName": name or id_, **attributes}
    return create(journal, USER, id_, document)


def group(journal: Journal, id_: str, *member_ids: str, name: str | None = None) -> Resource:
    return create(journal, GROUP, id_, {"displayName": name or id_}, member_ids)


def create(
    journal: Journal,
    rtype: ResourceType,
    id_: str,
    document: dict[str, Any],
    member_ids: Sequence[str] = (),
    organization: str = ACME,
) -> Resource:
    return journal.write_now(
        lambda tx: record.create(tx, rtype, organization, id_, document, member_ids, CAUSE)
    )


def update(
    journal: Journal, rtype: ResourceType, id_: str, *edits: MemberEdit, **attributes: Any
) -> Resource:
    """Set attributes (None removes) and edit members of the current resource."""
    before = get(journal, rtype, id_)
    after = {k: v for k, v in {**before.attributes, **attributes}.items() if v is not None}
    return journal.write_now(lambda tx: record.update(tx, rtype, before, after, edits, LATER))


def delete(journal: Journal, rtype: ResourceType, id_: str) -> None:
    before = get(journal, rtype, id_)
    journal.write_now(lambda tx: record.delete(tx, rtype, before, LATER))


def find(journal: Journal, rtype: ResourceType, id_: str) -> Resource | None:
    return journal.read_now(lambda r: resources.get(r, rtype, ACME, id_))


def get(journal: Journal, rtype: ResourceType, id_: str) -> Resource:
    found = find(journal, rtype, id_)
    assert found is not None, id_
    return found


def member_ids(journal: Journal, group_id: str) -> list[str]:
    return [m.id for m in journal.read_now(lambda r: members.of(r, ACME, group_id))]


class _Explaining:
    """A session that asks for plans instead of rows."""

    def __init__(self, session: Session, how: str) -> None:
        self._session = session
        self._how = how
        self.now = session.now
        self.steps: list[str] = []

    def rows(self, text: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        found = self._session.rows(f"{self._how} {text}", parameters)
        self.steps.extend(str(row[-1]) for row in found)
        return []


def plan_of(reader: Reader, query: Callable[[Reader], Any]) -> list[str]:
    """The steps in which a database finds what a query asks for, where it has a choice."""
    session, dialect = reader._session, reader._dialect
    if dialect.name == "postgresql":  # so few rows are read faster than any index
        session.rows("SELECT set_config('enable_seqscan', 'off', true)", ())
    how = "EXPLAIN" if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    explaining = _Explaining(session, how)
    query(Reader(explaining, dialect))  # type: ignore[arg-type]
    return explaining.steps
