"""Microsoft Entra ID (E-1 to E-19): both of its dialects, as one tenant sends them."""

from typing import Any
from uuid import uuid4

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

ENTRA_USER: Document = {
    "schemas": [USER, ENTERPRISE],
    "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    "userName": "Test_User_ab6490ee@contoso.com",
    "active": True,
    "displayName": "Ann Smith",
    "emails": [{"primary": True, "type": "work", "value": "ann@contoso.com"}],
    "meta": {"resourceType": "User"},
    "name": {"formatted": "Ann Smith", "familyName": "Smith", "givenName": "Ann"},
    "roles": [],
    "addresses": None,
    "phoneNumbers": None,
    "title": None,
}


@pytest.fixture
def ann(idp: Tenant) -> Document:
    return created(idp.http.post("/Users", json=ENTRA_USER))


def changed(idp: Tenant, user: Document, *operations: Document) -> Document:
    answer = idp.patch(f"/Users/{user['id']}", *operations)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def op(op: str, path: str | None, value: Any) -> Document:
    return {"op": op, "value": value} | ({"path": path} if path else {})


def test_E_1_test_connection(idp: Tenant) -> None:
    assert idp.find("/Users", f'userName eq "{uuid4()}"')["totalResults"] == 0
    groups = idp.find("/Groups", f'displayName eq "{uuid4()}"', excludedAttributes="members")
    assert groups["Resources"] == []


@pytest.mark.parametrize(
    "filter_",
    [
        'userName eq "TEST_USER_ab6490ee@CONTOSO.com"',
        'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"',
        'emails[type eq "work"].value eq "ann@contoso.com"',
        'emails[type eq "WORK"].value eq "ANN@contoso.com"',
        'displayName eq "ANN smith"',
        'userName eq "test_user_ab6490ee@contoso.com" and active eq true',
    ],
)
def test_E_2_matching(idp: Tenant, ann: Document, filter_: str) -> None:
    idp.user("other@contoso.com")
    assert [u["id"] for u in idp.find("/Users", filter_)["Resources"]] == [ann["id"]]


def test_E_3_nulls_and_a_misspelt_urn(idp: Tenant) -> None:
    body = {**ENTRA_USER, "schemas": [USER, f"{ENTERPRISE[:-5]}User"]}
    user = created(idp.http.post("/Users", json=body))
    assert not {"addresses", "phoneNumbers", "title", "roles"} & user.keys()
    assert user["schemas"] == [USER]


@pytest.mark.parametrize("text", ["False", "false", "FALSE"])
def test_E_4_booleans_as_strings(idp: Tenant, ann: Document, text: str) -> None:
    assert changed(idp, ann, op("Replace", "active", text))["active"] is False
    roles = [{"primary": "True", "display": "Admin", "value": "admin", "type": "x"}]
    body = a_user("ben@contoso.com", active=text, roles=roles)
    ben = created(idp.http.post("/Users", json=body))
    assert (ben["active"], ben["roles"][0]["primary"]) == (False, True)
    put = idp.http.put(f"/Users/{ben['id']}", json=a_user("ben@contoso.com", active="True"))
    assert put.json()["active"] is True
    assert idp.find("/Users", f'active eq "{text}"')["totalResults"] == 1
    after = changed(idp, ann, op("Add", 'roles[primary eq "True"].value', "boss"))
    assert after["roles"] == [{"primary": True, "value": "boss"}]


@pytest.mark.parametrize("verb", ["Add", "Replace", "add", "REPLACE"])
def test_E_5_operations_in_any_case(idp: Tenant, ann: Document, verb: str) -> None:
    assert changed(idp, ann, op(verb, "displayName", "New"))["displayName"] == "New"
    assert "displayName" not in changed(idp, ann, {"op": "Remove", "path": "displayName"})


def test_E_6_one_operation_per_attribute(idp: Tenant, ann: Document) -> None:
    after = changed(
        idp,
        ann,
        op("Replace", "name.givenName", "Anna"),
        op("Replace", 'emails[type eq "work"].value', "anna@contoso.com"),
        op("Add", 'phoneNumbers[type eq "mobile"].value', "+1 555"),
        op("Add", 'addresses[type eq "work"].streetAddress', "1 Main"),
        op("Add", f"{ENTERPRISE}:department", "Sales"),
        op("Add", 'emails[type eq "other"].Value', "other@contoso.com"),
        op("Add", 'addresses[type eq "other"].Formatted', "2 Side"),
    )
    assert after["name"]["givenName"] == "Anna"
    assert [e["value"] for e in after["emails"]] == ["anna@contoso.com", "other@contoso.com"]
    assert after["phoneNumbers"] == [{"type": "mobile", "value": "+1 555"}]
    assert after["addresses"] == [
        {"type": "work", "streetAddress": "1 Main"},
        {"type": "other", "formatted": "2 Side"},
    ]
    assert after[ENTERPRISE] == {"department": "Sales"}


def test_E_7_add_through_a_filter_creates_the_entry_once(idp: Tenant) -> None:
    user = idp.user()
    after = changed(
        idp,
        user,
        op("Add", 'addresses[type eq "work"].locality', "Berlin"),
        op("Add", 'addresses[type eq "work"].country', "DE"),
        op("Add", 'roles[primary eq "True"].display', "Boss"),
        op("Add", 'roles[primary eq "True"].value', "boss"),
    )
    assert after["addresses"] == [{"type": "work", "locality": "Berlin", "country": "DE"}]
    assert after["roles"] == [{"primary": True, "display": "Boss", "value": "boss"}]
    unmatched = op("Replace", 'phoneNumbers[type eq "fax"].value', "1")
    refused(idp.patch(f"/Users/{user['id']}", unmatched), 400, "noTarget")


def test_E_8_dotted_and_qualified_keys(idp: Tenant, ann: Document) -> None:
    value = {
        "displayName": "Bjfe",
        "name.givenName": "Kkom",
        "name.familyName": "Unua",
        f"{ENTERPRISE}:employeeNumber": "Aklq",
    }
    after = changed(idp, ann, op("replace", None, value))
    assert after["displayName"] == "Bjfe"
    assert after["name"] == {"formatted": "Ann Smith", "givenName": "Kkom", "familyName": "Unua"}
    assert after[ENTERPRISE] == {"employeeNumber": "Aklq"}
    assert not {"name.givenName", f"{ENTERPRISE}:employeeNumber"} & after.keys()


@pytest.mark.parametrize(
    ("path", "as_value"),
    [
        (f"{ENTERPRISE}:manager", lambda boss: boss),
        (f"{ENTERPRISE}:manager", lambda boss: {"value": boss}),
        ("manager", lambda boss: [{"$ref": f"https://x/Users/{boss}", "value": boss}]),
        (f"{ENTERPRISE}.manager", lambda boss: boss),
    ],
)
def test_E_9_manager_in_four_shapes(idp: Tenant, ann: Document, path: str, as_value: Any) -> None:
    boss = idp.user("boss@contoso.com")["id"]
    after = changed(idp, ann, op("Add", path, as_value(boss)))
    assert after[ENTERPRISE]["manager"]["value"] == boss
    filter_ = f'id eq "{ann["id"]}" and manager eq "{boss}"'
    assert idp.find("/Users", filter_, attributes="id")["totalResults"] == 1
    gone = changed(idp, ann, {"op": "Remove", "path": path})
    assert ENTERPRISE not in gone
    assert gone["schemas"] == [USER]


def test_E_10_nulls_clear(idp: Tenant, ann: Document) -> None:
    assert "displayName" not in changed(idp, ann, op("Replace", "displayName", None))
    name = changed(idp, ann, op("Replace", "name", {"familyName": "X"}))["name"]
    assert name == {"formatted": "Ann Smith", "familyName": "X", "givenName": "Ann"}
    name = changed(idp, ann, op("Replace", "name", {"formatted": None}))["name"]
    assert name == {"familyName": "X", "givenName": "Ann"}
    blank = changed(idp, ann, op("Replace", 'emails[type eq "work"].value', ""))
    assert "value" not in blank.get("emails", [{}])[0]
    group = idp.group("Sales", ann["id"])
    idp.patch(f"/Groups/{group['id']}", op("Replace", "members", None))
    assert idp.members(group["id"]) == set()


def test_E_11_soft_delete_restore_and_delete(idp: Tenant, ann: Document) -> None:
    group = idp.group("Sales", ann["id"])
    assert changed(idp, ann, op("Replace", "active", "False"))["active"] is False
    assert idp.members(group["id"]) == {ann["id"]}
    assert idp.find("/Users", f'userName eq "{ann["userName"]}"')["totalResults"] == 1
    assert changed(idp, ann, op("Replace", "active", "True"))["active"] is True
    path = f"/Users/{ann['id']}"
    assert idp.http.delete(path).status_code == 204
    refused(idp.http.delete(path), 404)
    assert idp.members(group["id"]) == set()


def test_E_12_group_with_a_foreign_urn(idp: Tenant) -> None:
    foreign = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
    body = {
        "schemas": [GROUP, foreign],
        "externalId": "8aa1a0c0",
        "displayName": "Sales",
        "meta": {"resourceType": "Group"},
    }
    group = created(idp.http.post("/Groups", json=body))
    assert (group["schemas"], group["externalId"]) == ([GROUP], "8aa1a0c0")


def test_E_13_members(idp: Tenant) -> None:
    ids = [idp.user(f"user{n}@contoso.com")["id"] for n in range(4)]
    group = idp.group("Sales")
    path = f"/Groups/{group['id']}"
    named = [{"$ref": None, "value": each} for each in ids[:3]]
    idp.patch(path, op("Add", "members", named))
    assert idp.members(group["id"]) == set(ids[:3])
    idp.patch(path, op("Remove", "members", named[:1]))
    assert idp.members(group["id"]) == set(ids[1:3])
    idp.patch(path, {"op": "remove", "path": f'members[value eq "{ids[1]}"]'})
    assert idp.members(group["id"]) == {ids[2]}
    idp.patch(path, op("Add", "members", ids[3]))
    assert idp.members(group["id"]) == set(ids[2:])
    idp.patch(path, {"op": "remove", "path": "members"})
    assert idp.members(group["id"]) == set()


def test_E_14_reading_groups_without_members(idp: Tenant) -> None:
    ann = idp.user()["id"]
    group = idp.group("Sales", ann)
    path = f"/Groups/{group['id']}?excludedAttributes=members"
    assert "members" not in idp.http.get(path).json()
    found = idp.find("/Groups", 'displayName eq "SALES"', excludedAttributes="members")
    assert [set(g) & {"id", "members"} for g in found["Resources"]] == [{"id"}]
    for member, count in ((ann, 1), (group["id"], 0)):
        filter_ = f'id eq "{group["id"]}" and members eq "{member}"'
        assert idp.find("/Groups", filter_)["totalResults"] == count


def test_E_15_a_group_patch_is_answered(idp: Tenant) -> None:
    group = idp.group("Sales")
    answer = idp.patch(f"/Groups/{group['id']}", op("Replace", "displayName", "Board"))
    assert answer.status_code in (200, 204)


def test_E_16_duplicates_are_conflicts(idp: Tenant) -> None:
    idp.group("Sales")
    again = {"schemas": [GROUP], "displayName": "SALES"}
    refused(idp.http.post("/Groups", json=again), 409, "uniqueness")


def test_E_17_schemas(idp: Tenant) -> None:
    answer = idp.http.get("/Schemas")
    listed = answer.json()
    assert listed["totalResults"] == len(listed["Resources"]) == 3
    assert "null" not in answer.text
    user = next(schema for schema in listed["Resources"] if schema["id"] == USER)
    assert {a["mutability"] for a in user["attributes"]} <= {"readWrite", "readOnly", "writeOnly"}


def test_E_18_not_found(idp: Tenant) -> None:
    refused(idp.http.get(f"/Users/{uuid4()}"), 404)
    assert idp.find("/Users", f'externalId eq "{uuid4()}"')["totalResults"] == 0


def test_E_19_the_order_of_operations_counts(idp: Tenant, ann: Document) -> None:
    after = changed(
        idp,
        ann,
        {"op": "Remove", "path": "externalId"},
        op("Add", "externalId", "one"),
        op("Replace", "externalId", "two"),
    )
    assert after["externalId"] == "two"
