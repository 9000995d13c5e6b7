"""What Okta sends: the request sequences of its two shapes of SCIM app, from recorded traffic.

A custom app (made with the App Integration Wizard) reads a resource and puts it back whole; an app
of the catalogue sends PATCH, without a path where it can. Both look a name up before they create.

Rule: a request here is as Okta makes it, headers, spelling and order included; what a server may
answer is checked at once.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import attrs

from bridge.cli.simulate.wire import Answer, Wire

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

PAGE = 100
"""Resources that Okta asks for at a time; fixed."""

Document = dict[str, Any]


class Unexpected(Exception):
    """The server answered something that Okta would report as a failed task."""


@attrs.frozen
class Person:
    """A user as Okta knows it."""

    okta_id: str
    given: str
    family: str
    domain: str

    @property
    def user_name(self) -> str:
        """The login."""
        return f"{self.given}.{self.family}@{self.domain}".lower()

    @property
    def profile(self) -> Document:
        """What an assignment creates."""
        return {
            "schemas": [USER],
            "userName": self.user_name,
            "name": {"givenName": self.given, "familyName": self.family},
            "emails": [{"primary": True, "value": self.user_name, "type": "work"}],
            "displayName": f"{self.given} {self.family}",
            "locale": "en-US",
            "externalId": self.okta_id,
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        }


@attrs.frozen
class Exchange:
    """One request and its answer, for the report."""

    task: str
    method: str
    path: str
    status: int
    milliseconds: float


class App:
    """What both shapes of app do alike."""

    name = ""

    def __init__(self, wire: Wire, report: Callable[[Exchange], None]) -> None:
        self._wire = wire
        self._report = report
        self._task = ""

    # --- what Okta's admin does -----------------------------------------------------------------

    def test_connector(self) -> None:
        """Press "Test Connector Configuration"."""
        self._task = "test connector"
        page = self._ask("GET", "/Users?startIndex=1&count=2", 200)
        for name in ("totalResults", "startIndex", "itemsPerPage"):
            self._expect(type(page.get(name)) is int, f"{name} is no integer")

    def assign(self, person: Person) -> str:
        """Assign the app to a user and return our id: link the account of that name or make one."""
        self._task = f"assign {person.user_name}"
        found = self._find("/Users", "userName", person.user_name)
        if found is None:
            user = self._ask("POST", "/Users", 201, person.profile)
        else:
            user = self._link(found["id"], person)
        self._expect(user.get("active") is True, "the user is not active")
        self._expect(user["externalId"] == person.okta_id, "externalId is not kept")
        self._expect("password" not in user, "the password is returned")
        return str(user["id"])

    def rename(self, user_id: str, family: str) -> None:
        """Change a user's last name."""
        self._task = f"rename to {family}"
        self._change(user_id, {"name": {"familyName": family}})

    def unassign(self, user_id: str) -> None:
        """Take the app from a user: the account is deactivated, never deleted."""
        self._task = "deactivate"
        self._change(user_id, {"active": False})

    def push_group(self, name: str, members: Sequence[tuple[str, str]]) -> str:
        """Push a group with `members` (our id, name shown) and return our id of it."""
        self._task = f"push group {name}"
        found = self._find("/Groups", "displayName", name)
        if found is None:
            body = {"schemas": [GROUP], "displayName": name, "members": []}
            found = self._ask("POST", "/Groups", 201, body)
        group_id = str(found["id"])
        self._fill(group_id, name, members)
        return group_id

    def move(self, group_id: str, name: str, come: tuple[str, str], go: tuple[str, str]) -> None:
        """Add one member to a group and take another one out."""
        raise NotImplementedError

    def rename_group(self, group_id: str, name: str) -> None:
        """Change a group's name; its members stay."""
        raise NotImplementedError

    def import_all(self, endpoint: str) -> list[Document]:
        """Read all resources, page by page, as an import does."""
        self._task = f"import {endpoint}"
        found: list[Document] = []
        while True:
            page = self._ask("GET", f"{endpoint}?startIndex={len(found) + 1}&count={PAGE}", 200)
            found += page["Resources"]
            if not page["Resources"] or len(found) >= page["totalResults"]:
                return found

    # --- what differs ---------------------------------------------------------------------------

    def _link(self, user_id: str, person: Person) -> Document:
        # Okta merges its profile over what it reads, so our id, meta and more come back to us.
        return self._put(f"/Users/{user_id}", {**person.profile, "active": True})

    def _change(self, user_id: str, values: Document) -> None:
        raise NotImplementedError

    def _fill(self, group_id: str, name: str, members: Sequence[tuple[str, str]]) -> None:
        raise NotImplementedError

    # --- requests -------------------------------------------------------------------------------

    def _find(self, endpoint: str, attribute: str, value: str) -> Document | None:
        literal = value.replace("\\", "\\\\").replace('"', '\\"')
        query = quote(f'{attribute} eq "{literal}"', safe="")
        page = self._ask("GET", f"{endpoint}?filter={query}&startIndex=1&count={PAGE}", 200)
        self._expect(page["totalResults"] <= 1, f"several have {attribute} {value}")
        return page["Resources"][0] if page["totalResults"] else None

    def _put(self, path: str, values: Document) -> Document:
        current = self._ask("GET", path, 200)
        return self._ask("PUT", path, 200, _merged(current, values))

    def _patch(self, path: str, *operations: Document) -> Document:
        body = {"schemas": [PATCH], "Operations": list(operations)}
        return self._ask("PATCH", path, (200, 204), body)

    def _ask(
        self, method: str, path: str, expected: int | tuple[int, ...], body: Document | None = None
    ) -> Document:
        answer = self._wire.ask(method, path, body)
        self._report(Exchange(self._task, method, path, answer.status, answer.milliseconds))
        wanted = (expected,) if isinstance(expected, int) else expected
        self._expect(
            answer.status in wanted,
            f"{method} {path} was answered {answer.status}, not {' or '.join(map(str, wanted))}"
            f"{_detail(answer)}",
        )
        if answer.status == 204:
            return {}
        self._expect(isinstance(answer.document, dict), f"{method} {path}: the answer is no object")
        document: Document = answer.document
        return document

    def _expect(self, holds: bool, problem: str) -> None:
        if not holds:
            raise Unexpected(f"{self.name}, {self._task}: {problem}")


class CustomApp(App):
    """An app of the App Integration Wizard: GET, then PUT of the whole resource; never PATCH."""

    name = "custom app"

    def move(self, group_id: str, name: str, come: tuple[str, str], go: tuple[str, str]) -> None:
        self._task = f"change members of {name}"
        group = self._ask("GET", f"/Groups/{group_id}", 200)
        members = [m for m in group.get("members", []) if m["value"] != go[0]]
        members.append(_member(come))
        self._ask("PUT", f"/Groups/{group_id}", 200, group | {"members": members})

    def rename_group(self, group_id: str, name: str) -> None:
        self._task = f"rename group to {name}"
        group = self._put(f"/Groups/{group_id}", {"displayName": name})
        self._expect(group["displayName"] == name, "the new name is not returned")

    def _change(self, user_id: str, values: Document) -> None:
        user = self._put(f"/Users/{user_id}", values)
        self._expect(_holds(user, values), f"the answer does not hold {values}")

    def _fill(self, group_id: str, name: str, members: Sequence[tuple[str, str]]) -> None:
        values = {"displayName": name, "members": [_member(one) for one in members]}
        self._put(f"/Groups/{group_id}", values)


class CatalogueApp(App):
    """An app of the Okta Integration Network with PATCH for users and groups."""

    name = "catalogue app"

    def move(self, group_id: str, name: str, come: tuple[str, str], go: tuple[str, str]) -> None:
        self._task = f"change members of {name}"
        self._patch(
            f"/Groups/{group_id}",
            {"op": "replace", "value": {"id": group_id, "displayName": name}},
            {"op": "remove", "path": f'members[value eq "{go[0]}"]'},
            {"op": "add", "path": "members", "value": [_member(come)]},
        )

    def rename_group(self, group_id: str, name: str) -> None:
        self._task = f"rename group to {name}"
        value = {"id": group_id, "displayName": name}
        self._patch(f"/Groups/{group_id}", {"op": "replace", "value": value})

    def _change(self, user_id: str, values: Document) -> None:
        user = self._patch(f"/Users/{user_id}", {"op": "replace", "value": values})
        self._expect(not user or _holds(user, values), f"the answer does not hold {values}")

    def _fill(self, group_id: str, name: str, members: Sequence[tuple[str, str]]) -> None:
        self._patch(
            f"/Groups/{group_id}",
            {"op": "replace", "value": {"id": group_id, "displayName": name}},
            {"op": "replace", "path": "members", "value": [_member(one) for one in members]},
        )


def _member(member: tuple[str, str]) -> Document:
    return {"value": member[0], "display": member[1]}


def _merged(current: Document, values: Document) -> Document:
    merged = dict(current)
    for name, value in values.items():
        inner = current.get(name)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[name] = {**inner, **value} if both and inner else value
    return merged


def _holds(document: Document, values: Document) -> bool:
    return all(
        _holds(document.get(name, {}), value)
        if isinstance(value, dict)
        else document.get(name) == value
        for name, value in values.items()
    )


def _detail(answer: Answer) -> str:
    detail = answer.document.get("detail") if isinstance(answer.document, dict) else None
    return f": {detail}" if detail else ""
