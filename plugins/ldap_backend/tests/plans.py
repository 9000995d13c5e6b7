"""Plans in a line: default settings, links and entries as tests want them."""

from collections.abc import Mapping
from typing import Any

from bridge.plugin import ChangeRecord, Link, Observed, Plan, Secret
from bridge.testing import World
from bridge_ldap import planning
from bridge_ldap.mapping import Entry, EntryMapping
from bridge_ldap.sections import Groups, Users
from bridge_ldap.settings import Settings

PEOPLE = "ou=people,dc=example,dc=org"
TEAMS = "ou=groups,dc=example,dc=org"
FORMER = "ou=former,dc=example,dc=org"
BRIDGE = "cn=bridge,dc=example,dc=org"


def settings(
    users: Mapping[str, Any] | None = None,
    groups: Mapping[str, Any] | None = None,
    **others: Any,
) -> Settings:
    return Settings(
        uris=("ldaps://ldap.example.org",),
        bind_dn=BRIDGE,
        bind_password=Secret("password"),
        users=Users(**{"base_dn": PEOPLE, **(users or {})}),
        groups=Groups(**{"base_dn": TEAMS, **(groups or {})}),
        **others,
    )


def plan(
    changes: list[ChangeRecord],
    links: Mapping[str, Link] | None = None,
    entry: Entry | None = None,
    *,
    looked: bool = False,
    **configured: Any,
) -> Plan:
    """Plan for the default settings; `entry` (or nothing, if `looked`) is what was observed."""
    observed = Observed(changes[-1].entity.id, None, entry) if entry or looked else None
    return planning.plan(EntryMapping(settings(**configured)), changes, links or {}, observed)


def link(world: World, handle: str, name: str) -> dict[str, Link]:
    return {world.id(handle): Link(world.id(handle), f"uuid-of-{handle}", name)}


def entry(name: str, handle: str, **attributes: Any) -> Entry:
    held = {"entryuuid": (f"uuid-of-{handle}",), "creatorsname": ("cn=somebody",)}
    return Entry(name, held | {key.lower(): tuple(value) for key, value in attributes.items()})


ANN = f"uid=ann@example.com,{PEOPLE}"
SALES = f"cn=sales,{TEAMS}"
