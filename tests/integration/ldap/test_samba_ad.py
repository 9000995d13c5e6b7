"""The LDAP backend keeps the contract on a real Active Directory: a Samba domain controller.

It has no assertion and no post-read control, its identity is objectGUID, its groups may be empty,
it mends references itself, and it refuses what other directories let pass: the preset
`active-directory` and nothing else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.config import structure
from bridge.plugin import Link
from bridge.testing import BackendContract, Held, Person, Team
from bridge_ldap import dn
from bridge_ldap.plugin import LDAP
from bridge_ldap.settings import Settings
from plugins.ldap_backend.tests.harness import OpenLdapHarness, places_of
from tests.openldap import SUFFIX, Entry, OpenLDAP

DISABLED = 2


def settings_for(directory: OpenLDAP, uri: str, **changed: Any) -> Settings:
    table: dict[str, Any] = {
        "preset": "active-directory",
        "uris": [uri],
        "bind_dn": directory.bind_dn,
        "bind_password": directory.bind_password,
        "ca_file": str(directory.ca_file),
        "operation_seconds": 8,
        **changed,
    }
    return structure(LDAP.completed(table), Settings, "backends.ad", Path())


class SambaHarness(OpenLdapHarness):
    deadline_seconds = 12.0

    def settings(self, uri: str) -> Settings:
        above = f"ou={{organization}},{self.directory.base_dn}"
        # These are unique in the whole forest, whatever the organization.
        names = {"sAMAccountName": "", "userPrincipalName": ""}
        return settings_for(
            self.directory,
            uri.replace("ldap://", "ldaps://"),
            users={"base_dn": f"ou=people,{above}", "attributes": names},
            groups={"base_dn": f"ou=groups,{above}", "attributes": names},
            access={"base_dn": f"ou=access,{above}"},
        )

    def plant(self, user_name: str) -> None:
        self.directory.load(
            f"dn: CN={user_name},OU=people,OU=acme,{self.directory.base_dn}\nobjectClass: user\n"
        )

    def stand_ins(self, resource_ids: Sequence[str]) -> Mapping[str, Link]:
        pytest.skip(f"{len(resource_ids)} members would have to exist; see the group of 2,000")

    def spoil(self, resource_id: str) -> None:
        name = self.links[resource_id].name
        administrator = f"CN=Administrator,CN=Users,{SUFFIX}"
        change = (
            "changetype: modify\nreplace: mail\nmail: else@example.com\n"
            if ",OU=people," in name
            else f"changetype: modify\nadd: member\nmember: {administrator}\n"
        )
        self.directory.load(f"dn: {name}\n{change}")

    def held(self, organization: str) -> Held:
        names = {spelled(link.name): id_ for id_, link in self.links.items()}
        found = self.directory.search(
            "(|(objectClass=user)(objectClass=group))",
            base=f"ou={organization},{self.directory.base_dn}",
        )
        shown = {name: entry for name, entry in found.items() if ",OU=access," not in name}
        places = {name: entry for name, entry in found.items() if name not in shown}
        keys = {dn.key(link.name): id_ for id_, link in self.links.items()}
        return {
            names[spelled(name)]: team(entry, names)
            if "group" in entry["objectClass"]
            else person(entry)
            for name, entry in shown.items()
        } | places_of(places, keys)


def person(entry: Entry) -> Person:
    def one(name: str) -> str | None:
        return next(iter(entry.get(name, ())), None)

    user_name, family_name = one("cn"), one("sn")
    assert user_name is not None
    return Person(
        user_name=user_name,
        given_name=one("givenName"),
        family_name=None if family_name in (one("displayName"), user_name) else family_name,
        email=one("mail"),
        active=not int(entry["userAccountControl"][0]) & DISABLED,
    )


Spelled = tuple[tuple[str, str], ...]


def spelled(name: str) -> Spelled:
    """A DN's values as they are: two that look alike are two here."""
    return tuple((kind.lower(), value.casefold()) for ((kind, value),) in dn.parse(name).rdns)


def team(entry: Entry, names: dict[Spelled, str]) -> Team:
    members = map(spelled, entry.get("member", ()))
    return Team(entry["cn"][0], frozenset(names.get(key, str(key)) for key in members))


@pytest.mark.faults
class TestSambaAd(BackendContract):
    @pytest.fixture
    def harness(self, samba: OpenLDAP) -> SambaHarness:
        return SambaHarness(samba)
