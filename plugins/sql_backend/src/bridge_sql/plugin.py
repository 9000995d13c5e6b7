"""The hook that registers the backend type "sql", and the backend.

Rule: the backend only connects its parts; each knows its own half of the work.
"""

from collections.abc import Mapping, Sequence

from bridge.plugin import (
    BackendType,
    ChangeRecord,
    Finding,
    Link,
    NotApplied,
    Observed,
    Plan,
    Receipt,
    ScanPage,
    hookimpl,
)
from bridge_sql import planning
from bridge_sql.client import Client
from bridge_sql.mapping import layout
from bridge_sql.settings import Settings


class SqlBackend:
    """One slot's connection to a SQL database."""

    def __init__(self, settings: Settings) -> None:
        self._layout = layout(settings)
        self._client = Client(settings)

    def check(self) -> Sequence[Finding]:
        return self._client.check()

    def prepare(self) -> Sequence[Finding]:
        return self._client.prepare()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        return planning.plan(self._layout, changes, links, observed)

    def execute(self, plan: Plan) -> Receipt:
        (outcome,) = self._client.execute_many([plan])
        if isinstance(outcome, NotApplied):
            raise outcome
        return outcome

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        return self._client.execute_many(plans)

    def observe(
        self,
        snapshots: Sequence[ChangeRecord],
        links: Mapping[str, Link],  # noqa: ARG002 - rows are found by SCIM id
    ) -> Sequence[Observed]:
        return self._client.observe(snapshots)

    def scan(self, cursor: str | None) -> ScanPage:
        return self._client.scan(cursor)

    def close(self) -> None:
        self._client.close()


def takes(settings: Settings) -> frozenset[str]:
    """Return the entity types that have a table."""
    return frozenset(layout(settings).tables)


@hookimpl
def bridge_backend_types() -> Sequence[BackendType]:
    return [
        BackendType(
            name="sql",
            summary="Rows for users, groups, members and access in a SQL database",
            settings=Settings,
            open=SqlBackend,
            takes=takes,
        )
    ]
