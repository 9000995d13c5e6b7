"""The plugin: what the host finds by entry point, and the backend it opens per slot.

Rule: only puts the parts together; what is decided is in `planning`, what is sent in `execution`.
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
    ScanPage,
    hookimpl,
)
from bridge_ldap import access, checks, planning, presets
from bridge_ldap.client import Client
from bridge_ldap.execution import Executor
from bridge_ldap.mapping import EntryMapping
from bridge_ldap.observation import Watcher
from bridge_ldap.scanning import Lister
from bridge_ldap.settings import Settings


class LdapBackend:
    """One slot's connection to one directory."""

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings)
        self._settings = settings
        self._mapping = EntryMapping(settings)
        self._executor = Executor(settings, self._client)
        self._watcher = Watcher(settings, self._mapping, self._client)
        self._lister = Lister(settings, self._mapping, self._client)

    def check(self) -> Sequence[Finding]:
        """Look at the connection, the bases, the schema and the overlays; change nothing."""
        return checks.check(self._settings, self._client)

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        """Return the steps for one entity's pending versions. Pure."""
        return planning.plan(self._mapping, changes, links, observed)

    def execute(self, plan: Plan) -> Receipt:
        """Do the steps."""
        return self._executor.execute(plan)

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        """Return what the directory holds for each snapshot."""
        return [self._watcher.observe(snapshot, links) for snapshot in snapshots]

    def scan(self, cursor: str | None) -> ScanPage:
        """List what the directory holds of people and groups."""
        return self._lister.scan(cursor)

    def close(self) -> None:
        """Close the connection; never raises."""
        self._client.close()


def takes(settings: Settings) -> frozenset[str]:
    """Return the entity types that are kept: workspaces and folders only where they have a base."""
    places = access.PLACES if settings.access.base_dn else ()
    return frozenset({"User", "Group", *places})


LDAP = BackendType(
    name="ldap",
    summary="Keeps people and groups in an LDAP directory",
    settings=Settings,
    open=LdapBackend,
    takes_passwords=lambda settings: settings.users.passwords != "no",
    takes=takes,
    completed=presets.completed,
)


@hookimpl
def bridge_backend_types() -> Sequence[BackendType]:
    """Register the backend type `ldap`."""
    return [LDAP]
