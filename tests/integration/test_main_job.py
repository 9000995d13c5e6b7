"""The main job on real peers: what Okta says over HTTP is what OpenLDAP and SQL hold afterwards.

A thousand people and fifty groups of twenty go through renames, moves between groups,
deactivations, reactivations and deletions, by eight clients at once. What should come out is kept
by a model that knows nothing of the bridge; what came out is read with `ldapsearch` and `sqlite3`.
"""

import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.integration.running import Bridge, quickstart
from tests.openldap import Entry, OpenLDAP

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Each = Callable[[Callable[[Any], None], Iterable[Any]], None]
"""Does something to every thing of several, some at the same time."""

PEOPLE, GROUPS, GROUP_SIZE, CLIENTS = 1000, 50, 20, 8


@attrs.define(eq=False)
class Person:
    """What the identity provider knows of a person."""

    login: str
    given: str
    family: str
    title: str = "Engineer"
    active: bool = True
    id: str = ""

    def body(self) -> dict[str, Any]:
        return {
            "schemas": [USER],
            "userName": self.login,
            "externalId": f"00u{self.family}",
            "name": {"givenName": self.given, "familyName": self.family},
            "displayName": f"{self.given} {self.family}",
            "emails": [{"primary": True, "value": self.login, "type": "work"}],
            "title": self.title,
            "active": self.active,
            "groups": [],
            "password": "1mz050nq",
        }

    def entry(self, base_dn: str) -> Entry:
        dn = f"uid={self.login},ou=people,{base_dn}"
        found: Entry = {
            "dn": (dn,),
            "objectClass": ("inetOrgPerson",),
            "uid": (self.login,),
            "cn": (f"{self.given} {self.family}",),
            "sn": (self.family,),
            "givenName": (self.given,),
            "displayName": (f"{self.given} {self.family}",),
            "mail": (self.login,),
            "title": (self.title,),
            "labeledURI": (f"urn:uuid:{self.id}",),
        }
        return found if self.active else {**found, "employeeType": ("inactive",)}


@attrs.define(eq=False)
class Team:
    """What the identity provider knows of a group."""

    name: str
    members: set[Person]
    id: str = ""

    def entry(self, base_dn: str) -> Entry:
        dn = f"cn={self.name},ou=groups,{base_dn}"
        members = [f"uid={one.login},ou=people,{base_dn}" for one in self.members]
        return {
            "dn": (dn,),
            "objectClass": ("groupOfNames", "labeledURIObject"),
            "cn": (self.name,),
            "labeledURI": (f"urn:uuid:{self.id}",),
            "member": tuple(sorted(members or [dn])),
        }


class IdentityProvider:
    """Speaks to the bridge as Okta does; every answer must be the documented one."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def assign(self, person: Person) -> None:
        query: dict[str, str | int] = {
            "filter": f'userName eq "{person.login}"',
            "startIndex": 1,
            "count": 100,
        }
        found = self._expect(200, self._http.get("/Users", params=query))
        assert found["totalResults"] == 0
        person.id = self._expect(201, self._http.post("/Users", json=person.body()))["id"]

    def put(self, person: Person) -> None:
        """A custom app's update: GET, then PUT of the merged profile."""
        stored = self._expect(200, self._http.get(f"/Users/{person.id}"))
        answer = self._http.put(f"/Users/{person.id}", json=stored | person.body())
        assert self._expect(200, answer)["userName"] == person.login

    def set_active(self, person: Person, *, active: bool) -> None:
        """A catalogue app's deactivation: PATCH without a path."""
        person.active = active
        self._patch(f"/Users/{person.id}", {"op": "replace", "value": {"active": active}})

    def delete(self, thing: Person | Team) -> None:
        kind = "Users" if isinstance(thing, Person) else "Groups"
        assert self._http.delete(f"/{kind}/{thing.id}").status_code == 204

    def push(self, team: Team) -> None:
        body = {"schemas": [GROUP], "displayName": team.name, "members": []}
        team.id = self._expect(201, self._http.post("/Groups", json=body))["id"]
        self._members(team, {"op": "add", "path": "members", "value": _values(team.members)})

    def move(self, person: Person, source: Team, target: Team) -> None:
        self._members(source, {"op": "remove", "path": f'members[value eq "{person.id}"]'})
        self._members(target, {"op": "add", "path": "members", "value": _values([person])})

    def replace(self, team: Team) -> None:
        """A custom app's group update: PUT of the whole group."""
        body = {"schemas": [GROUP], "displayName": team.name, "members": _values(team.members)}
        self._expect(200, self._http.put(f"/Groups/{team.id}", json=body))

    def _members(self, team: Team, operation: dict[str, Any]) -> None:
        rename = {"op": "replace", "value": {"id": team.id, "displayName": team.name}}
        self._patch(f"/Groups/{team.id}", rename, operation)

    def _patch(self, path: str, *operations: dict[str, Any]) -> None:
        body = {"schemas": [PATCH_OP], "Operations": operations}
        self._expect(200, self._http.patch(path, json=body))

    def _expect(self, status: int, answer: httpx.Response) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json()


def _values(people: Iterable[Person]) -> list[dict[str, str]]:
    return [{"value": one.id, "display": one.login} for one in people]


@pytest.fixture
def bridge(tmp_path: Path, openldap: OpenLDAP) -> Iterator[Bridge]:
    for unit in ("people", "groups"):
        openldap.load(
            f"dn: ou={unit},{openldap.base_dn}\nobjectClass: organizationalUnit\nou: {unit}\n"
        )
    directory = f"""
[guard]  # a year goes by in a minute here
enabled = false

[[backends]]
type = "ldap"
name = "corp"
uris = ["{openldap.uri}"]
insecure = true
bind_dn = "{openldap.bind_dn}"
bind_password = "{openldap.bind_password}"
users.base_dn = "ou=people,{openldap.base_dn}"
groups.base_dn = "ou=groups,{openldap.base_dn}"
"""
    with quickstart(tmp_path / "bridge", more=directory) as running:
        yield running


@attrs.define(eq=False)
class Company:
    """Who works there and in which team, as the identity provider has it."""

    people: list[Person]
    teams: list[Team]

    @classmethod
    def founded(cls) -> "Company":
        people = [Person(f"p{n:04}@example.com", f"Given{n}", f"Family{n}") for n in range(PEOPLE)]
        teams = [
            Team(f"Team {n:02}", set(people[n * GROUP_SIZE : (n + 1) * GROUP_SIZE]))
            for n in range(GROUPS)
        ]
        return cls(people, teams)

    def live_a_year(self, okta: IdentityProvider, each: Each, dice: random.Random) -> None:
        each(okta.assign, self.people)
        each(okta.push, self.teams)

        for n, person in enumerate(dice.sample(self.people, 150)):
            person.login, person.title = f"renamed{n:04}@example.com", "Manager"
        for person in dice.sample(self.people, 100):
            person.given = "Änne-" + person.given
        each(okta.put, self.people)

        suspended = dice.sample(self.people, 120)
        each(partial(okta.set_active, active=False), suspended)
        each(partial(okta.set_active, active=True), suspended[:60])

        each(lambda move: okta.move(*move), _moves(dice, self.teams, 200))
        for team in dice.sample(self.teams, 5):
            team.name = f"Renamed {team.name}"
            team.members = set(dice.sample(self.people, GROUP_SIZE))
            okta.replace(team)
        self.teams[7].members = set()
        okta.replace(self.teams[7])

        leavers, closed = set(dice.sample(self.people, 80)), set(dice.sample(self.teams, 4))
        each(okta.delete, [*leavers, *closed])
        self.people = [one for one in self.people if one not in leavers]
        self.teams = [one for one in self.teams if one not in closed]
        for team in self.teams:
            team.members -= leavers


@pytest.mark.timeout(300)
def test_a_year_of_joiners_movers_and_leavers_ends_in_exactly_the_right_entries(
    bridge: Bridge, openldap: OpenLDAP
) -> None:
    company = Company.founded()
    headers = {"Authorization": f"Bearer {bridge.token}", "Accept": "application/scim+json"}
    with (
        httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=60) as http,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):

        def each(do: Callable[[Any], None], things: Iterable[Any]) -> None:
            list(clients.map(do, things))

        company.live_a_year(IdentityProvider(http), each, random.Random(20261122))
    bridge.wait_until_delivered()
    _assert_directory(openldap, company)
    with closing(sqlite3.connect(bridge.directory / "people.db")) as database:
        _assert_database(database, company)


def _assert_directory(openldap: OpenLDAP, company: Company) -> None:
    everything: list[Person | Team] = [*company.people, *company.teams]
    expected = [one.entry(openldap.base_dn) for one in everything]
    found, wanted = _entries(openldap), {entry["dn"][0]: entry for entry in expected}
    wrong = {dn for dn in found.keys() | wanted.keys() if found.get(dn) != wanted.get(dn)}
    assert [(found.get(dn), wanted.get(dn)) for dn in sorted(wrong)] == []


def _assert_database(database: sqlite3.Connection, company: Company) -> None:
    assert set(database.execute("SELECT user_name, given_name, title, active FROM users")) == {
        (one.login, one.given, one.title, int(one.active)) for one in company.people
    }
    membership: dict[str, set[str | None]] = defaultdict(set)
    for team, login in database.execute(
        "SELECT g.display_name, u.user_name FROM groups g"
        " LEFT JOIN members m ON m.group_id = g.id LEFT JOIN users u ON u.id = m.member_id"
    ):
        membership[team].add(login)
    assert membership == {one.name: _logins(one.members) or {None} for one in company.teams}


def _logins(people: Iterable[Person]) -> set[str | None]:
    return {one.login for one in people}


def _moves(
    dice: random.Random, teams: list[Team], how_many: int
) -> list[tuple[Person, Team, Team]]:
    # A person moves once: two moves of one person at the same time have no one right outcome.
    moved: set[Person] = set()
    moves: list[tuple[Person, Team, Team]] = []
    while len(moves) < how_many:
        source, target = dice.sample(teams, 2)
        who = min(source.members - target.members - moved, key=lambda p: p.id, default=None)
        if who is not None:
            moved.add(who)
            source.members.remove(who)
            target.members.add(who)
            moves.append((who, source, target))
    return moves


def _entries(openldap: OpenLDAP) -> dict[str, Entry]:
    found = openldap.search("(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))")
    return {
        dn: {"dn": (dn,)}
        | {
            name: tuple(sorted(values)) if name == "member" else values
            for name, values in entry.items()
        }
        for dn, entry in found.items()
    }
