"""The harness of the contract suite: a real directory, read with OpenLDAP's own tools."""

import contextlib
import functools
import socket
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import attrs

from bridge.plugin import Access, AccessState, Backend, Level, Link, Secret
from bridge.testing import BackendHarness, FaultProxy, Held, Person, Place, Team
from bridge_ldap import dn
from bridge_ldap.plugin import LDAP
from bridge_ldap.sections import AccessGroups, Groups, Users
from bridge_ldap.settings import Settings
from tests.openldap import Entry, OpenLDAP

ORGANIZATIONS = ("acme", "globex")


class OpenLdapHarness(BackendHarness):
    type = LDAP
    deadline_seconds = 6.0
    takes_access = True
    lock = "employeeType"
    """The attribute that an inactive person has and an active one has not."""

    def __init__(self, directory: OpenLDAP) -> None:
        super().__init__()
        self.directory = directory
        self.secrets = (directory.bind_password,)
        bases = [
            f"{unit}ou={organization},{directory.base_dn}"
            for organization in ORGANIZATIONS
            for unit in ("", "ou=people,", "ou=groups,", "ou=access,")
        ]
        directory.load(
            "\n".join(f"dn: {base}\nobjectClass: organizationalUnit\n" for base in bases)
        )

    def settings(self, uri: str) -> Settings:
        above = f"ou={{organization}},{self.directory.base_dn}"
        return Settings(
            uris=(uri,),
            insecure=True,
            bind_dn=self.directory.bind_dn,
            bind_password=Secret(self.directory.bind_password),
            connect_seconds=2,
            operation_seconds=2,
            page_size=5,
            users=Users(base_dn=f"ou=people,{above}"),
            groups=Groups(base_dn=f"ou=groups,{above}"),
            access=AccessGroups(base_dn=f"ou=access,{above}"),
        )

    def open(self) -> Backend:
        return LDAP.open(self.settings(self.directory.uri))

    def unreachable(self) -> Backend:
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            return LDAP.open(self.settings(f"ldap://127.0.0.1:{free.getsockname()[1]}"))

    @contextlib.contextmanager
    def forgetful(self) -> Iterator[Backend]:
        address = urlsplit(self.directory.uri)
        with FaultProxy(address.hostname or "127.0.0.1", address.port or 389) as proxy:
            backend = LDAP.open(self.settings(f"ldap://127.0.0.1:{proxy.port}"))
            backend.check()  # so that it is connected
            proxy.lose_answers()
            yield backend

    def held(self, organization: str) -> Held:
        names = Names(self.links)
        found = self.directory.search(
            "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))",
            ("*", self.lock),
            base=f"ou={organization},{self.directory.base_dn}",
        )
        shown = {name: entry for name, entry in found.items() if ",ou=access," not in name}
        places = {name: entry for name, entry in found.items() if name not in shown}
        return {
            names.of(name): team(name, entry, names)
            if "groupOfNames" in entry["objectClass"]
            else person(entry, self.lock)
            for name, entry in shown.items()
        } | places_of(places, names)

    def representable(self, expected: Held) -> Held:
        return {
            id_: attrs.evolve(one, access=frozenset(map(settled, one.access)))
            if isinstance(one, Place)
            else one
            for id_, one in expected.items()
        }

    def stand_ins(self, resource_ids: Sequence[str]) -> Mapping[str, Link]:
        people = f"ou=people,ou=acme,{self.directory.base_dn}"
        return {id_: Link(id_, id_, f"uid={id_},{people}") for id_ in resource_ids}

    def plant(self, user_name: str) -> None:
        self.directory.load(
            f"dn: cn=Stranger,ou=people,ou=acme,{self.directory.base_dn}\n"
            f"objectClass: inetOrgPerson\nuid: {user_name}\nsn: Stranger\n"
        )

    def vanish(self, resource_id: str) -> None:
        self.directory.tool("ldapdelete", self.links[resource_id].name)

    def spoil(self, resource_id: str) -> None:
        name = self.links[resource_id].name
        change = (
            "changetype: modify\nreplace: mail\nmail: else@example.com\n"
            if name.startswith("uid=")
            else f"changetype: modify\nadd: member\nmember: uid=nobody,{name}\n"
        )
        self.directory.load(f"dn: {name}\n{change}")

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        self.directory.pause()
        try:
            yield
        finally:
            self.directory.resume()


def person(entry: Entry, lock: str) -> Person:
    def one(name: str) -> str | None:
        return next(iter(entry.get(name, ())), None)

    user_name, family_name = one("uid"), one("sn")
    assert user_name is not None
    return Person(
        user_name=user_name,
        given_name=one("givenName"),
        # sn may not be absent: the display name or the user name stands in.
        family_name=None if family_name in (one("displayName"), user_name) else family_name,
        email=one("mail"),
        active=one(lock) is None,
    )


class Names:
    """Which resource an entry is: by its name as links spell it, else by one that is equal."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        self.spelled = {link.name: id_ for id_, link in links.items()}

    @functools.cached_property
    def equal(self) -> dict[dn.Key, str]:
        return {dn.key(name): id_ for name, id_ in self.spelled.items()}

    def of(self, name: str) -> str:
        """Return the resource's id, or the name itself where it is nobody's."""
        return self.spelled.get(name) or self.equal.get(dn.key(name), name)


def team(name: str, entry: Entry, names: Names) -> Team:
    members = entry.get("member", ())
    if len(members) == 1 and dn.key(members[0]) == dn.key(name):
        members = ()  # the placeholder of an empty group, and of no other
    return Team(entry["cn"][0], frozenset(map(names.of, members)))


def places_of(found: Mapping[str, Entry], names: Names) -> dict[str, Place]:
    """Return the workspaces and folders whose groups these are; each must have all three."""
    places: dict[str, Place] = {}
    levels: dict[str, set[str]] = {}
    for name, entry in found.items():
        id_, _, level = entry["cn"][0].rpartition("-")
        levels.setdefault(id_, set()).add(level)
        people = team(name, entry, names).members
        access = frozenset(Access(one, Level(level), AccessState.MEMBER) for one in people)
        held = places.get(id_, Place(entry["description"][0]))
        assert held.display_name == entry["description"][0]
        places[id_] = attrs.evolve(held, access=held.access | access)
    assert all(found == set(Level) for found in levels.values())
    return places


def settled(access: Access) -> Access:
    """What a directory tells of somebody's access: it knows no state."""
    return attrs.evolve(access, state=AccessState.MEMBER)
