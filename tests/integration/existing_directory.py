"""A directory that others made, and what an identity provider and careless hands do to it.

Rule: what the directory holds is read and changed with OpenLDAP's own tools alone.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from tests.integration.running import BRIDGE, Bridge, quickstart
from tests.openldap import OpenLDAP

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
DEPARTMENTS = ("sales", "plant", "office")
CLIENTS = 8
COMMAND_SECONDS = 900

_LDAP = """
[[backends]]
type = "ldap"
name = "corp"
uris = ["{ldap.uri}"]
insecure = true
bind_dn = "{ldap.bind_dn}"
bind_password = "{ldap.bind_password}"
users.base_dn = "ou=people,{ldap.base_dn}"
groups.base_dn = "ou=groups,{ldap.base_dn}"
{more}
[guard]
changes = 10
"""


@attrs.frozen
class Person:
    """One of many: their entry is named by cn and lies below a department."""

    number: int

    @property
    def login(self) -> str:
        return f"p{self.number:05}@example.com"

    @property
    def name(self) -> str:
        return f"Given{self.number} Family{self.number}"

    def dn(self, base: str) -> str:
        department = DEPARTMENTS[self.number % len(DEPARTMENTS)]
        return f"cn={self.name},ou={department},ou=people,{base}"

    def ldif(self, base: str) -> str:
        return (
            f"dn: {self.dn(base)}\nobjectClass: inetOrgPerson\ncn: {self.name}\n"
            f"uid: {self.login}\nsn: Family{self.number}\ngivenName: Given{self.number}\n"
            f"displayName: {self.name}\nmail: {self.login}\ntitle: Engineer\n"
        )

    def body(self) -> dict[str, Any]:
        return {
            "schemas": [USER],
            "userName": self.login,
            "externalId": f"00u{self.number}",
            "name": {"givenName": f"Given{self.number}", "familyName": f"Family{self.number}"},
            "displayName": self.name,
            "emails": [{"primary": True, "value": self.login, "type": "work"}],
            "title": "Engineer",
            "active": True,
        }


def populate(ldap: OpenLDAP, people: int, groups: int) -> None:
    """Load departments, people and groups of twenty, as an administrator did years ago."""
    base = ldap.base_dn
    units = ["people", "groups", *(f"{name},ou=people" for name in DEPARTMENTS)]
    ldap.load("\n".join(f"dn: ou={u},{base}\nobjectClass: organizationalUnit\n" for u in units))
    everybody = [Person(number) for number in range(people)]
    for chunk in _chunks(everybody, 2000):
        ldap.load("\n".join(one.ldif(base) for one in chunk))
    for chunk in _chunks(range(groups), 200):
        ldap.load("\n".join(_group(base, number, everybody) for number in chunk))


def _group(base: str, number: int, everybody: list[Person]) -> str:
    members = (everybody[(number * 20 + n) % len(everybody)] for n in range(20))
    lines = "".join(f"member: {one.dn(base)}\n" for one in members)
    return f"dn: cn=group {number:03},ou=groups,{base}\nobjectClass: groupOfNames\n{lines}"


def dns(ldap: OpenLDAP) -> set[str]:
    """The DNs of all people."""
    return set(ldap.search("(objectClass=inetOrgPerson)", ("1.1",)))


def members(ldap: OpenLDAP, name: str) -> set[str]:
    """The members of a group."""
    (entry,) = ldap.search(f"(&(objectClass=groupOfNames)(cn={name}))", ("member",)).values()
    return set(entry["member"])


@contextmanager
def bridge_on(ldap: OpenLDAP, folder: Path, more: str = "") -> Iterator[Bridge]:
    """A running bridge with that directory as its backend `corp`."""
    with quickstart(folder / "bridge", more=_LDAP.format(ldap=ldap, more=more)) as running:
        yield running


def run(bridge: Bridge, *arguments: str) -> tuple[int, Any]:
    """Run a command with `--json`; return its exit code and what it says."""
    config = str(bridge.directory / "bridge.toml")
    done = subprocess.run(
        [BRIDGE, *arguments, "--json", "--config", config],
        capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@attrs.define
class Okta:
    """An identity provider that finds people before it makes them."""

    bridge: Bridge

    def assign(self, people: Iterable[Person]) -> list[tuple[str, bool]]:
        """Look everybody up, put who is there and post who is not; return id and which it was."""
        with self.http() as http, ThreadPoolExecutor(CLIENTS) as clients:
            return list(clients.map(lambda one: self._assign(http, one), people))

    def push(self, name: str, ids: list[str]) -> str:
        with self.http() as http:
            made = http.post("/Groups", json={"schemas": [GROUP], "displayName": name})
            assert made.status_code == 201, made.text
            group_id: str = made.json()["id"]
            for chunk in _chunks(ids, 1000):
                self._members(
                    http, group_id, {"op": "add", "path": "members", "value": _refs(chunk)}
                )
        return group_id

    def change(self, group_id: str, *, add: list[str], remove: list[str]) -> None:
        with self.http() as http:
            for one in remove:
                path = f'members[value eq "{one}"]'
                self._members(http, group_id, {"op": "remove", "path": path})
            self._members(http, group_id, {"op": "add", "path": "members", "value": _refs(add)})

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.bridge.token}"}
        return httpx.Client(base_url=self.bridge.scim_url, headers=headers, timeout=60)

    def find(self, *people: Person) -> list[dict[str, Any] | None]:
        with self.http() as http, ThreadPoolExecutor(CLIENTS) as clients:
            return list(clients.map(lambda one: self._find(http, one), people))

    def _assign(self, http: httpx.Client, person: Person) -> tuple[str, bool]:
        found = self._find(http, person)
        if found is None:
            answer = http.post("/Users", json=person.body())
            assert answer.status_code == 201, answer.text
        else:
            answer = http.put(f"/Users/{found['id']}", json=found | person.body())
            assert answer.status_code == 200, answer.text
        return answer.json()["id"], found is not None

    def _find(self, http: httpx.Client, person: Person) -> dict[str, Any] | None:
        query: dict[str, str | int] = {"filter": f'userName eq "{person.login}"', "count": 1}
        found = http.get("/Users", params=query).json().get("Resources", [])
        return next(iter(found), None)

    def _members(self, http: httpx.Client, group_id: str, operation: Mapping[str, Any]) -> None:
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        answer = http.patch(f"/Groups/{group_id}", json=body)
        assert answer.status_code in (200, 204), answer.text


def _refs(ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"value": one} for one in ids]


def _chunks(items: Any, size: int) -> Iterator[Any]:
    return (items[start : start + size] for start in range(0, len(items), size))
