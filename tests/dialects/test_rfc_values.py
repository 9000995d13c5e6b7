"""RFC sharp corners, names and values (R-1 to R-10): what is the same, and what is refused."""

from typing import Any

import pytest

from tests.dialects.served import ENTERPRISE, USER, Document, Tenant, a_user, created, refused


@pytest.mark.parametrize(
    "filter_",
    [
        'USERNAME EQ "ann@example.com"',
        'urn:IETF:params:scim:schemas:core:2.0:user:username eq "ann@example.com"',
        'Emails[TYPE Eq "work"].VALUE eq "ann@example.com"',
        f'{ENTERPRISE.upper()}:DEPARTMENT eq "sales"',
    ],
)
def test_R_1_names_ignore_case(idp: Tenant, filter_: str) -> None:
    body = {
        "SCHEMAS": [USER.upper(), ENTERPRISE],
        "UserName": "ann@example.com",
        "eMails": [{"Value": "ann@example.com", "TYPE": "work", "Primary": True}],
        ENTERPRISE.lower(): {"Department": "Sales"},
    }
    user = created(idp.http.post("/Users", json=body))
    assert user["emails"] == [{"value": "ann@example.com", "type": "work", "primary": True}]
    assert user[ENTERPRISE] == {"department": "Sales"}
    assert idp.find("/Users", filter_)["totalResults"] == 1


def test_R_2_qualified_names_work_everywhere(idp: Tenant) -> None:
    user = idp.user(name={"givenName": "Ann", "familyName": "Smith"})
    given = f"{USER}:name.givenName"
    assert idp.find("/Users", f'{given} eq "ann"')["totalResults"] == 1
    shown = idp.http.get("/Users", params={"attributes": given, "sortBy": given}).json()
    assert shown["Resources"][0]["name"] == {"givenName": "Ann"}
    after = idp.patch(
        f"/Users/{user['id']}", {"op": "replace", "path": given, "value": "Anna"}
    ).json()
    assert after["name"] == {"givenName": "Anna", "familyName": "Smith"}


def test_R_3_case_exact_decides(idp: Tenant) -> None:
    user = idp.user("Ann@example.com", externalId="AbC")
    assert idp.find("/Users", 'userName sw "aNN"')["totalResults"] == 1
    assert idp.find("/Users", 'externalId sw "ab"')["totalResults"] == 0
    assert idp.find("/Users", f'id eq "{user["id"].upper()}"')["totalResults"] == 0
    refused(idp.http.post("/Users", json=a_user("aNN@EXAMPLE.com")), 409, "uniqueness")


@pytest.mark.parametrize("nothing", [None, []])
def test_R_4_null_empty_and_absent_are_one_state(idp: Tenant, nothing: Any) -> None:
    user = idp.user(emails=nothing, title=None)
    assert not {"emails", "title"} & user.keys()
    before = idp.rows()
    idp.http.put(f"/Users/{user['id']}", json=a_user(phoneNumbers=nothing))
    assert idp.rows() == before


def test_R_5_one_primary(idp: Tenant) -> None:
    two = [{"value": f"{n}@x.org", "type": n, "primary": True} for n in ("work", "home")]
    user = idp.user(emails=two)
    assert [email["primary"] for email in user["emails"]] == [True, False]
    after = idp.patch(
        f"/Users/{user['id']}",
        {"op": "replace", "path": 'emails[type eq "home"].primary', "value": True},
    ).json()
    assert [email["primary"] for email in after["emails"]] == [False, True]


def test_R_6_the_same_type_and_value_is_kept_once(idp: Tenant) -> None:
    same = {"value": "ann@x.org", "type": "work"}
    assert idp.user(emails=[same, same])["emails"] == [same]


def test_R_7_schemas(idp: Tenant) -> None:
    for schemas in ([ENTERPRISE, "urn:ietf:params:scim:schemas:core:2.0:Group"], "x", [7]):
        body = a_user() | {"schemas": schemas}
        refused(idp.http.post("/Users", json=body), 400, "invalidSyntax")
    user = idp.user(**{ENTERPRISE: {"department": "Sales"}})
    after = idp.patch(
        f"/Users/{user['id']}", {"op": "remove", "path": f"{ENTERPRISE}:department"}
    ).json()
    assert after["schemas"] == [USER]


def test_R_8_times_are_utc_with_milliseconds(idp: Tenant) -> None:
    user = idp.user()
    assert user["meta"]["created"][-5] == "."
    assert user["meta"]["created"].endswith("Z")
    for moment, total in (
        ("2001-01-01T00:00:00Z", 1),
        ("2001-01-01T00:00:00+14:00", 1),
        ("2999-01-01T00:00:00-05:00", 0),
    ):
        assert idp.find("/Users", f'meta.created gt "{moment}"')["totalResults"] == total
    answer = idp.http.get("/Users", params={"filter": 'meta.created gt "yesterday"'})
    refused(answer, 400, "invalidFilter")


@pytest.mark.parametrize("value", ["not base64!", "YWJj\n", "YQ", 7])
def test_R_9_binary_is_base64(idp: Tenant, value: Any) -> None:
    body = a_user(x509Certificates=[{"value": value}])
    refused(idp.http.post("/Users", json=body), 400, "invalidValue")
    assert created(idp.http.post("/Users", json=a_user(x509Certificates=[{"value": "YWJj"}])))


def test_R_10_external_id_is_the_clients(idp: Tenant) -> None:
    assert "externalId" not in idp.user()
    ids = ("0", "1", "-1", "admin", idp.user("x@example.com")["id"])
    for number, external_id in enumerate((*ids, *ids)):
        assert idp.user(f"u{number}@example.com", externalId=external_id)["id"] != external_id


WRONG_TYPES: dict[str, Document] = {
    "userName a list": {"userName": ["ann"]},
    "userName an object": {"userName": {"value": "ann"}},
    "userName true": {"userName": True},
    "active a word": {"active": "perhaps"},
    "active a number": {"active": 1},
    "name a string": {"name": "Ann"},
    "name a list of two": {"name": [{"givenName": "A"}, {"givenName": "B"}]},
    "emails of lists": {"emails": [["a@x.org"]]},
    "an extension that is text": {ENTERPRISE: "Sales"},
    "a control character": {"userName": "a\tb"},
    "a blank name": {"userName": "  "},
    "a name too long": {"userName": "x" * 600},
}


@pytest.mark.parametrize("more", WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_wrong_types_are_refused(idp: Tenant, more: Document) -> None:
    before = idp.rows()
    refused(idp.http.post("/Users", json=a_user() | more), 400, "invalidValue")
    assert idp.rows() == before
