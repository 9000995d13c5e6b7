"""The hook that registers the backend type "sql", and the backend.

Rule: the backend only connects its parts; each knows its own half of the work.
"""

from collections.abc import Mapping, Sequence

from bridge.plugin import (
    BackendType,
    ChangeRecord,
    Finding,
    Link,
    Observed,
    Plan,
    Receipt,
    hookimpl,
)
from bridge_sql import planning
from bridge_sql.client import Client
from bridge_sql.mapping import MANAGED
from bridge_sql.settings import Settings


class SqlBackend:
    """One slot's connection to a SQL database."""

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings)

    def check(self) -> Sequence[Finding]:
        return self._client.check()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],  # noqa: ARG002 - rows are found by SCIM id
        observed: Observed | None = None,
    ) -> Plan:
        return planning.plan(MANAGED, changes, observed)

    def execute(self, plan: Plan) -> Receipt:
        return self._client.execute(plan)

    def observe(
        self,
        snapshots: Sequence[ChangeRecord],
        links: Mapping[str, Link],  # noqa: ARG002 - rows are found by SCIM id
    ) -> Sequence[Observed]:
        return self._client.observe(snapshots)

    def close(self) -> None:
        self._client.close()


@hookimpl
def bridge_backend_types() -> Sequence[BackendType]:
    return [
        BackendType(
            name="sql",
            summary="Rows for users, groups and members in a SQL database",
            settings=Settings,
            open=SqlBackend,
        )
    ]
