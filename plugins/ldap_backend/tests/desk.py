"""A desk: a real directory, a backend on it, and what the host would remember."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from bridge.plugin import ChangeRecord, Receipt, Secret, Surprise
from bridge.testing import World
from bridge_ldap.plugin import LdapBackend
from bridge_ldap.sections import Groups, Users
from bridge_ldap.settings import Settings
from tests.openldap import Entry, OpenLDAP


@attrs.frozen
class Desk:
    """A directory, a backend on it, and a host's memory."""

    directory: OpenLDAP
    backend: LdapBackend
    world: World = attrs.field(factory=World)
    links: dict[str, Any] = attrs.field(factory=dict)

    def carry(self, *changes: ChangeRecord) -> Receipt:
        """Deliver one entity's changes, looking where that is asked for."""
        try:
            receipt = self.backend.execute(self.backend.plan(changes, self.links))
        except Surprise:
            return self.settle(changes[-1].entity.id)
        return self._kept(receipt)

    def settle(self, resource_id: str) -> Receipt:
        """Look at one resource and put it right."""
        snapshot = self.world.snapshot(resource_id)
        (observed,) = self.backend.observe([snapshot], self.links)
        return self._kept(self.backend.execute(self.backend.plan([snapshot], self.links, observed)))

    def name(self, handle: str) -> str:
        """Return the DN that the host knows for a resource."""
        name: str = self.links[self.world.id(handle)].name
        return name

    def entry(self, handle: str, *attributes: str) -> Entry:
        """Return a resource's entry as OpenLDAP's tools show it."""
        base = self.name(handle)
        found = self.directory.search(attributes=attributes or ("*",), base=base, scope="base")
        (entry,) = found.values()
        return entry

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """Note every exchange with the server in the list that is given."""
        client = self.backend._client
        assert client.schema is not None  # read once a connection: that does not count
        seen: list[str] = []
        exchange = client._exchange

        def counted(what: str, *arguments: Any, **named: Any) -> Any:
            seen.append(what)
            return exchange(what, *arguments, **named)

        client._exchange = counted  # type: ignore[method-assign]
        try:
            yield seen
        finally:
            client._exchange = exchange  # type: ignore[method-assign]

    def _kept(self, receipt: Receipt) -> Receipt:
        self.links.update((link.resource_id, link) for link in receipt.links)
        return receipt


def settings_for(directory: OpenLDAP, **changed: Any) -> Settings:
    """Return settings for a directory that `make_units` prepared."""
    users = {"base_dn": f"ou=people,{directory.base_dn}", **changed.pop("users", {})}
    groups = {"base_dn": f"ou=groups,{directory.base_dn}", **changed.pop("groups", {})}
    return Settings(
        **{
            "uris": (directory.uri,),
            "insecure": True,
            "bind_dn": directory.bind_dn,
            "bind_password": Secret(directory.bind_password),
            "connect_seconds": 2,
            "operation_seconds": 2,
            "users": Users(**users),
            "groups": Groups(**groups),
            **changed,
        }
    )


def make_units(directory: OpenLDAP, *more: str) -> None:
    """Make the organizational units below a directory's base."""
    units = (f"ou={unit},{directory.base_dn}" for unit in ("people", "groups", *more))
    directory.load("\n".join(f"dn: {unit}\nobjectClass: organizationalUnit\n" for unit in units))


def desk_on(directory: OpenLDAP, **changed: Any) -> Desk:
    """Return a desk on a server of the test's own; its maker closes it."""
    return Desk(directory, LdapBackend(settings_for(directory, **changed)))
