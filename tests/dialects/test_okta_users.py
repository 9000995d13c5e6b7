"""Okta, people (O-12 to O-32): look up, create, link, update, deactivate, reactivate."""

from typing import Any

import pytest

from tests.dialects.served import ENTERPRISE, USER, Document, Tenant, a_user, created, refused

OKTA_USER: Document = {
    "schemas": [USER],
    "userName": "test.user@okta.local",
    "name": {"givenName": "Test", "familyName": "User"},
    "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
    "displayName": "Test User",
    "locale": "en-US",
    "externalId": "00ujl29u0le5T6Aj10h7",
    "groups": [],
    "password": "1mz050nq",
    "active": True,
}


def by_name(idp: Tenant, name: str) -> Document:
    return idp.find("/Users", f'userName eq "{name}"', startIndex=1, count=100)


def test_O_12_no_match_is_an_empty_list(idp: Tenant) -> None:
    page = by_name(idp, "nobody@example.com")
    assert (page["totalResults"], page["Resources"]) == (0, [])


def test_O_13_user_names_are_found_in_any_case(idp: Tenant) -> None:
    idp.user("Test.User@okta.local")
    found = by_name(idp, "TEST.USER@OKTA.LOCAL")["Resources"]
    assert [user["userName"] for user in found] == ["Test.User@okta.local"]


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("a+b@example.com", "a+b@example.com"),
        ("o'hara@example.com", "o'hara@example.com"),
        ("two words@example.com", "two words@example.com"),
        ("jürgen@例え.jp", "jürgen@例え.jp"),
        ('quo"te@example.com', r"quo\"te@example.com"),
        ("back\\slash@example.com", r"back\\slash@example.com"),
        ("100%_sure@example.com", "100%_sure@example.com"),
        ("\U0001f600@example.com", "\U0001f600@example.com"),
    ],
)
def test_O_14_names_arrive_as_they_are(idp: Tenant, name: str, literal: str) -> None:
    idp.user(name)
    idp.user("other@example.com")
    assert [u["userName"] for u in by_name(idp, literal)["Resources"]] == [name]


def test_O_15_the_filter_is_by_user_name_even_for_an_address(idp: Tenant) -> None:
    idp.user("ann@example.com", emails=[{"value": "ann.smith@example.com", "type": "work"}])
    assert by_name(idp, "ann@example.com")["totalResults"] == 1


def test_O_16_the_password_is_taken_and_never_shown_or_kept(idp: Tenant) -> None:
    made = idp.http.post("/Users", json=OKTA_USER)
    user = created(made)
    read = idp.http.get(f"/Users/{user['id']}?attributes=password,userName")
    for answer in (made, read, idp.http.get("/Users")):
        assert "password" not in answer.text
        assert "1mz050nq" not in answer.text
    assert b"1mz050nq" not in idp.served.journal_bytes()


def test_O_17_read_only_attributes_are_ignored(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json={**OKTA_USER, "id": "7", "meta": {"version": "x"}}))
    assert user["id"] != "7"
    groups = [{"value": "no-such-group"}]
    kept = idp.http.put(f"/Users/{user['id']}", json={**OKTA_USER, "groups": groups})
    assert kept.status_code == 200
    assert "groups" not in kept.json()


def test_O_18_the_external_id_is_kept(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    assert user["externalId"] == OKTA_USER["externalId"]
    assert idp.find("/Users", 'externalId eq "00ujl29u0le5T6Aj10h7"')["totalResults"] == 1
    assert idp.find("/Users", 'externalId eq "00UJL29u0le5T6Aj10h7"')["totalResults"] == 0


def test_O_19_a_201_has_everything(idp: Tenant) -> None:
    answer = idp.http.post("/Users", json=OKTA_USER)
    user = created(answer)
    sent = {k: v for k, v in OKTA_USER.items() if k not in ("password", "groups")}
    assert {name: user[name] for name in sent} == sent
    assert answer.headers["location"] == user["meta"]["location"]
    assert user["meta"]["resourceType"] == "User"
    assert idp.http.get(answer.headers["location"]).json() == user


def test_O_20_mapped_attributes_of_extensions(idp: Tenant) -> None:
    body = {
        **OKTA_USER,
        "schemas": [USER, ENTERPRISE, "urn:example:typed:by:an:admin:1.0:User"],
        ENTERPRISE: {"department": "Sales", "employeeNumber": 701984},
        "urn:example:typed:by:an:admin:1.0:User": {"shoeSize": 46},
        "externalId": 701984,
        "addresses": [{"type": "work", "postalCode": 91608}],
    }
    user = created(idp.http.post("/Users", json=body))
    assert user[ENTERPRISE] == {"department": "Sales", "employeeNumber": "701984"}
    assert user["externalId"] == "701984"
    assert user["addresses"] == [{"type": "work", "postalCode": "91608"}]
    assert user["schemas"] == [USER, ENTERPRISE]


def test_O_21_the_same_name_again_is_a_conflict(idp: Tenant) -> None:
    idp.http.post("/Users", json=OKTA_USER)
    before = idp.rows()
    for name in ("test.user@okta.local", "TEST.USER@okta.local"):
        body = {**OKTA_USER, "userName": name}
        refused(idp.http.post("/Users", json=body), 409, "uniqueness")
    assert idp.rows() == before


def test_O_22_linking_puts_the_whole_answer_back(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    read = idp.http.get(f"/Users/{user['id']}").json()
    merged = {**read, "name": {"givenName": "Tess", "familyName": "User"}}
    merged["meta"] = {**read["meta"], "created": "2001-01-01T00:00:00Z"}
    after = idp.http.put(f"/Users/{user['id']}", json=merged)
    assert after.status_code == 200
    assert after.json()["name"]["givenName"] == "Tess"
    assert after.json()["meta"]["created"] == user["meta"]["created"]
    assert after.json()["locale"] == "en-US"


def test_O_22_putting_it_back_unchanged_changes_nothing(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    before = idp.rows()
    assert idp.http.put(f"/Users/{user['id']}", json=user).json() == user
    assert idp.rows() == before


def test_O_23_ids_are_ours_and_never_used_again(idp: Tenant) -> None:
    first = idp.user()
    assert isinstance(first["id"], str)
    assert "bulkid" not in first["id"].lower()
    assert idp.http.get(f"/Users/{first['id'].upper()}").status_code == 404
    idp.http.delete(f"/Users/{first['id']}")
    assert idp.user()["id"] != first["id"]


def test_O_24_a_put_answers_with_the_user_and_makes_none(idp: Tenant) -> None:
    user = idp.user()
    answer = idp.http.put(f"/Users/{user['id']}", json=a_user(title="Boss"))
    assert (answer.status_code, answer.json()["title"]) == (200, "Boss")
    before = idp.rows()
    refused(idp.http.put("/Users/010101", json=a_user("new@example.com")), 404)
    assert idp.rows() == before


@pytest.mark.parametrize("blank", ["", None, []])
def test_O_25_blank_values_clear(idp: Tenant, blank: Any) -> None:
    user = created(idp.http.post("/Users", json={**OKTA_USER, "title": "Boss"}))
    body = {**OKTA_USER, "title": "" if blank == [] else blank, "emails": blank or []}
    body["name"] = {"givenName": "Test", "familyName": "User", "middleName": ""}
    answer = idp.http.put(f"/Users/{user['id']}", json=body)
    assert answer.status_code == 200
    assert not {"title", "emails"} & answer.json().keys()
    assert "middleName" not in answer.json()["name"]


def test_O_26_taking_another_name_is_a_conflict(idp: Tenant) -> None:
    ann, ben = idp.user("ann@example.com"), idp.user("ben@example.com")
    before = idp.rows()
    answer = idp.http.put(f"/Users/{ben['id']}", json=a_user("ANN@example.com", title="new"))
    refused(answer, 409, "uniqueness")
    assert idp.http.get(f"/Users/{ben['id']}").json() == ben
    assert idp.http.get(f"/Users/{ann['id']}").json() == ann
    assert idp.rows() == before


@pytest.mark.parametrize("active", [True, False])
def test_O_27_a_put_without_active_leaves_it(idp: Tenant, active: bool) -> None:
    user = idp.user(active=active)
    answer = idp.http.put(f"/Users/{user['id']}", json=a_user(title="x"))
    assert answer.json()["active"] is active


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "value": {"active": False}},
        {"op": "replace", "path": "active", "value": False},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "path": f"{USER}:active", "value": False},
    ],
)
def test_O_28_deactivation_and_reactivation(idp: Tenant, operation: Document) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    path = f"/Users/{user['id']}"
    answer = idp.patch(path, operation)
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert answer.json()["name"] == user["name"]
    back = idp.patch(path, {"op": "replace", "value": {"active": True}})
    assert back.json()["active"] is True


def test_O_28_password_sync(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    answer = idp.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"password": "s3cret!x"}})
    assert answer.status_code == 200
    assert "s3cret!x" not in answer.text
    assert b"s3cret!x" not in idp.served.journal_bytes()


def test_O_29_an_inactive_user_stays_readable(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    idp.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": False}})
    shown = [
        idp.http.get(f"/Users/{user['id']}").json(),
        *by_name(idp, "test.user@okta.local")["Resources"],
        *idp.http.get("/Users").json()["Resources"],
    ]
    assert [u["active"] for u in shown] == [False, False, False]


def test_O_30_reassignment_keeps_id_and_attributes(idp: Tenant) -> None:
    user = created(idp.http.post("/Users", json=OKTA_USER))
    path = f"/Users/{user['id']}"
    idp.patch(path, {"op": "replace", "value": {"active": False}})
    found = by_name(idp, "test.user@okta.local")["Resources"][0]
    assert (found["id"], found["active"]) == (user["id"], False)
    back = idp.patch(path, {"op": "replace", "value": {"active": True}}).json()
    assert {k: v for k, v in back.items() if k != "meta"} == {
        k: v for k, v in user.items() if k != "meta"
    }


def test_O_32_several_attributes_at_once_are_merged(idp: Tenant) -> None:
    user = idp.user(
        name={"givenName": "Ann", "familyName": "Old"},
        **{ENTERPRISE: {"department": "Sales", "costCenter": "7"}},
    )
    value = {
        "title": "Boss",
        "name": {"familyName": "New"},
        ENTERPRISE: {"department": "Board"},
    }
    after = idp.patch(f"/Users/{user['id']}", {"op": "replace", "value": value}).json()
    assert after["title"] == "Boss"
    assert after["name"] == {"givenName": "Ann", "familyName": "New"}
    assert after[ENTERPRISE] == {"department": "Board", "costCenter": "7"}


def test_O_31_nothing_more_is_sent_after_a_deactivation_so_everything_stays(idp: Tenant) -> None:
    user = idp.user(title="Lead")
    group = idp.group("Sales", user["id"])
    place = f"/Users/{user['id']}"
    after = idp.patch(place, {"op": "replace", "value": {"active": False}}).json()
    assert (after["id"], after["title"], after["active"]) == (user["id"], "Lead", False)
    assert [each["value"] for each in after["groups"]] == [group["id"]]
    assert idp.members(group["id"]) == {user["id"]}
    assert idp.find("/Users", f'userName eq "{user["userName"]}"')["totalResults"] == 1
