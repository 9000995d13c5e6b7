"""Microsoft's SCIM Validator (25 + 7 tests) and gallery validation (22 tests), re-stated.

After each write the Validator reads back with a filter and compares every attribute it sent.
"""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.dialects.served import (
    ENTERPRISE,
    GROUP,
    USER,
    Document,
    Tenant,
    a_user,
    created,
    refused,
)

TYPES = {
    "emails": ("work", "home", "other"),
    "phoneNumbers": ("work", "mobile", "fax", "home", "pager", "other"),
}
PLACES = ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
PLAIN = ("displayName", "title", "preferredLanguage", "nickName", "timezone", "locale", "userType")
NAME = (
    *("formatted", "familyName", "givenName", "middleName"),
    *("honorificPrefix", "honorificSuffix"),
)
EXTENSION = ("employeeNumber", "costCenter", "organization", "division", "department")


def all_adds() -> list[Document]:
    """One operation for each attribute that the Validator knows, as its verbose mode sends them."""
    paths = [
        *PLAIN,
        "externalId",
        "profileUrl",
        *(f"name.{part}" for part in NAME),
        *(f'{name}[type eq "{kind}"].value' for name, kinds in TYPES.items() for kind in kinds),
        *(f'addresses[type eq "work"].{part}' for part in PLACES),
        *(f"{ENTERPRISE}:{part}" for part in EXTENSION),
        'roles[primary eq "True"].display',
        'roles[primary eq "True"].value',
        'roles[primary eq "True"].type',
    ]
    adds = [{"op": "Add", "path": path, "value": f"value of {n}"} for n, path in enumerate(paths)]
    assert len(adds) >= 36
    return [*adds, {"op": "Add", "path": "active", "value": "False"}]


def value_at(user: Document, path: str) -> Any:
    """Read a value at a path of the kinds above, independently of the server's own path reader."""
    if path.startswith(f"{ENTERPRISE}:"):
        return user[ENTERPRISE][path.removeprefix(f"{ENTERPRISE}:")]
    name, bracket, rest = path.partition("[")
    if not bracket:
        parent, dot, leaf = path.partition(".")
        return user[parent][leaf] if dot else user[path]
    condition, _, leaf = rest.partition("].")
    key, _, wanted = condition.partition(" eq ")
    literal = {'"True"': True}.get(wanted, wanted.strip('"'))
    return next(entry[leaf] for entry in user[name] if entry.get(key) == literal)


def read_back(idp: Tenant, endpoint: str, filter_: str) -> Document:
    found = idp.find(endpoint, filter_)
    assert found["totalResults"] == 1
    return dict(found["Resources"][0])


def patched(answer: httpx.Response) -> None:
    assert answer.status_code in (200, 204), answer.text


@pytest.fixture
def user(idp: Tenant) -> Document:
    return idp.user("validator@example.com")


@pytest.fixture
def group(idp: Tenant) -> Document:
    return idp.group("Validated")


class TestValidatorUsers:
    def test_create_and_filter_existing(self, idp: Tenant) -> None:
        emails = [{"type": "work", "value": "new@example.com", "primary": True}]
        sent = a_user("new@example.com", emails=emails, active=True, title="x")
        idp.http.post("/Users", json=sent)
        found = read_back(idp, "/Users", 'userName eq "new@example.com"')
        assert {name: found[name] for name in sent} == sent

    def test_create_duplicate(self, idp: Tenant, user: Document) -> None:
        refused(idp.http.post("/Users", json=a_user(user["userName"])), 409, "uniqueness")

    def test_filter_non_existing(self, idp: Tenant) -> None:
        assert idp.find("/Users", f'userName eq "{uuid4()}"')["totalResults"] == 0

    def test_filter_in_different_case(self, idp: Tenant, user: Document) -> None:
        assert read_back(idp, "/Users", 'userName eq "VALIDATOR@example.COM"')["id"] == user["id"]

    def test_patch_add_attributes_verbose(self, idp: Tenant, user: Document) -> None:
        adds = all_adds()
        patched(idp.patch(f"/Users/{user['id']}", *adds))
        found = read_back(idp, "/Users", 'userName eq "validator@example.com"')
        for add in adds[:-1]:
            assert value_at(found, add["path"]) == add["value"], add["path"]
        assert found["active"] is False

    def test_patch_replace_attributes_verbose(self, idp: Tenant, user: Document) -> None:
        adds = all_adds()
        patched(idp.patch(f"/Users/{user['id']}", *adds))
        replaces = [add | {"op": "Replace", "value": "other"} for add in adds[:-1]]
        patched(idp.patch(f"/Users/{user['id']}", *replaces))
        found = read_back(idp, "/Users", 'userName eq "validator@example.com"')
        assert {value_at(found, replace["path"]) for replace in replaces} == {"other"}

    def test_patch_replace_without_a_path(self, idp: Tenant, user: Document) -> None:
        value = {"displayName": "D", "name.givenName": "G", f"{ENTERPRISE}:department": "E"}
        patched(idp.patch(f"/Users/{user['id']}", {"op": "replace", "value": value}))
        found = read_back(idp, "/Users", 'displayName eq "D"')
        assert {path: value_at(found, path) for path in value} == value

    def test_patch_user_name(self, idp: Tenant, user: Document) -> None:
        replace = {"op": "Replace", "path": "userName", "value": "renamed@example.com"}
        patched(idp.patch(f"/Users/{user['id']}", replace))
        assert read_back(idp, "/Users", 'userName eq "renamed@example.com"')["id"] == user["id"]
        assert idp.find("/Users", 'userName eq "validator@example.com"')["totalResults"] == 0

    def test_patch_disable(self, idp: Tenant, user: Document) -> None:
        replace = {"op": "Replace", "path": "active", "value": False}
        patched(idp.patch(f"/Users/{user['id']}", replace))
        assert read_back(idp, "/Users", f'id eq "{user["id"]}"')["active"] is False

    def test_patch_add_replace_and_remove_manager(self, idp: Tenant, user: Document) -> None:
        path, managers = f"{ENTERPRISE}:manager", [idp.user(f"m{n}@x.org")["id"] for n in (1, 2)]
        for verb, manager in zip(("Add", "Replace"), managers, strict=True):
            patched(idp.patch(f"/Users/{user['id']}", {"op": verb, "path": path, "value": manager}))
            found = read_back(idp, "/Users", f'id eq "{user["id"]}" and manager eq "{manager}"')
            assert found[ENTERPRISE]["manager"]["value"] == manager
        patched(idp.patch(f"/Users/{user['id']}", {"op": "Remove", "path": path}))
        assert ENTERPRISE not in read_back(idp, "/Users", f'id eq "{user["id"]}"')

    def test_delete_and_delete_twice_and_delete_non_existing(
        self, idp: Tenant, user: Document
    ) -> None:
        assert idp.http.delete(f"/Users/{user['id']}").status_code == 204
        refused(idp.http.delete(f"/Users/{user['id']}"), 404)
        refused(idp.http.delete(f"/Users/{uuid4()}"), 404)

    def test_several_operations_on_different_and_the_same_attributes(
        self, idp: Tenant, user: Document
    ) -> None:
        operations = [
            {"op": "Remove", "path": "displayName"},
            {"op": "Add", "path": "displayName", "value": "one"},
            {"op": "Replace", "path": "displayName", "value": "two"},
            {"op": "Add", "path": "title", "value": "three"},
        ]
        patched(idp.patch(f"/Users/{user['id']}", *operations))
        assert read_back(idp, "/Users", 'displayName eq "two"')["title"] == "three"


class TestValidatorGroups:
    def test_create_and_create_duplicate(self, idp: Tenant) -> None:
        body = {"schemas": [GROUP], "displayName": "New", "externalId": "e1"}
        made = created(idp.http.post("/Groups", json=body))
        found = read_back(idp, "/Groups", 'displayName eq "New"')
        assert {name: found[name] for name in body} == body
        assert made["id"] == found["id"]
        refused(idp.http.post("/Groups", json=body), 409, "uniqueness")

    def test_get_and_filter_excluding_members(self, idp: Tenant, user: Document) -> None:
        group = idp.group("Full", user["id"])
        without = {"excludedAttributes": "members"}
        read = idp.http.get(f"/Groups/{group['id']}", params=without).json()
        found = idp.find("/Groups", 'displayName eq "FULL"', **without)["Resources"]
        assert found == [read]
        assert "members" not in read

    def test_filter_existing_and_non_existing(self, idp: Tenant, group: Document) -> None:
        assert read_back(idp, "/Groups", 'displayName eq "validated"') == group
        assert idp.find("/Groups", f'displayName eq "{uuid4()}"')["Resources"] == []

    def test_patch_attributes_and_external_id(self, idp: Tenant, group: Document) -> None:
        operations = [
            {"op": "Replace", "path": "externalId", "value": "e2"},
            {"op": "Replace", "path": "displayName", "value": "Renamed"},
        ]
        patched(idp.patch(f"/Groups/{group['id']}", *operations))
        assert read_back(idp, "/Groups", 'displayName eq "renamed"')["externalId"] == "e2"

    def test_patch_add_and_remove_member(
        self, idp: Tenant, group: Document, user: Document
    ) -> None:
        member = [{"$ref": None, "value": user["id"]}]
        for verb, expected in (("Add", {user["id"]}), ("Remove", set())):
            operation = {"op": verb, "path": "members", "value": member}
            patched(idp.patch(f"/Groups/{group['id']}", operation))
            assert idp.members(group["id"]) == expected

    def test_several_operations_on_the_same_attribute(self, idp: Tenant, group: Document) -> None:
        ids = [idp.user(f"s{n}@example.com")["id"] for n in range(3)]
        operations = [
            {"op": verb, "path": "members", "value": [{"value": each}]}
            for verb, each in (
                ("Add", ids[0]),
                ("Add", ids[1]),
                ("Remove", ids[0]),
                ("Add", ids[2]),
            )
        ]
        patched(idp.patch(f"/Groups/{group['id']}", *operations))
        assert idp.members(group["id"]) == set(ids[1:])

    def test_delete_and_delete_twice_and_delete_non_existing(
        self, idp: Tenant, group: Document
    ) -> None:
        assert idp.http.delete(f"/Groups/{group['id']}").status_code == 204
        refused(idp.http.delete(f"/Groups/{group['id']}"), 404)
        refused(idp.http.delete(f"/Groups/{uuid4()}"), 404)


class TestGallery:
    def test_null_update(self, idp: Tenant, user: Document) -> None:
        path = f"/Users/{user['id']}"
        idp.patch(path, {"op": "Add", "path": "title", "value": "x"})
        answer = idp.patch(path, {"op": "Replace", "path": "title", "value": None})
        assert answer.status_code == 200
        assert "title" not in answer.json()

    def test_restore_user(self, idp: Tenant, user: Document) -> None:
        for active in (False, True):
            value = {"op": "Replace", "path": "active", "value": active}
            assert idp.patch(f"/Users/{user['id']}", value).json()["active"] is active

    def test_restore_group(self, idp: Tenant, user: Document, group: Document) -> None:
        assert idp.http.delete(f"/Groups/{group['id']}").status_code == 204
        assert idp.group("Validated", user["id"])["id"] != group["id"]

    def test_schema_discoverability(self, idp: Tenant) -> None:
        """Every mapped attribute, flattened with a canonical type, follows from /Schemas."""
        schemas = {s["id"]: s for s in idp.http.get("/Schemas").json()["Resources"]}
        paths = set()
        for urn, schema in schemas.items():
            prefix = f"{urn}:" if urn == ENTERPRISE else ""
            for attribute in schema["attributes"]:
                subs = {sub["name"]: sub for sub in attribute.get("subAttributes", ())}
                kinds = subs.get("type", {}).get("canonicalValues", ())
                paths.add(prefix + attribute["name"])
                paths |= {f"{prefix}{attribute['name']}.{sub}" for sub in subs}
                paths |= {
                    f'{attribute["name"]}[type eq "{kind}"].{sub}' for kind in kinds for sub in subs
                }
        mapped = {add["path"] for add in all_adds()} - {"externalId"}
        assert {path for path in mapped if "primary eq" not in path} <= paths
        assert {a["name"] for a in schemas[USER]["attributes"] if a["required"]} == {"userName"}

    def test_pagination(self, idp: Tenant) -> None:
        for number in range(11):
            idp.user(f"page{number}@example.com")
        seen = []
        for start in (1, 6, 11):
            page = idp.http.get("/Users", params={"startIndex": start, "count": 5}).json()
            assert page["totalResults"] == 11
            seen += [each["id"] for each in page["Resources"]]
        assert len(set(seen)) == 11
