"""RFC sharp corners, changing and deleting (R-28 to R-41): PUT, PATCH, DELETE, groups."""

import pytest

from tests.dialects.served import ENTERPRISE, USER, Document, Tenant, a_user, refused

WORK = {"value": "ann@work.org", "type": "work", "primary": True}
HOME = {"value": "ann@home.org", "type": "home"}


@pytest.fixture
def ann(idp: Tenant) -> Document:
    return idp.user(
        name={"givenName": "Ann", "familyName": "Smith"},
        emails=[WORK, HOME],
        title="Boss",
        active=True,
        **{ENTERPRISE: {"department": "Sales"}},
    )


def patched(idp: Tenant, user: Document, *operations: Document) -> Document:
    answer = idp.patch(f"/Users/{user['id']}", *operations)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_R_28_put(idp: Tenant, ann: Document) -> None:
    path = f"/Users/{ann['id']}"
    body = a_user("anna@example.com", id="other", groups=[{"value": "x"}], meta={"version": "7"})
    after = idp.http.put(path, json=body)
    assert (after.status_code, after.json()["id"]) == (200, ann["id"])
    refused(idp.http.put(path, json={"schemas": [USER]}), 400, "invalidValue")
    refused(idp.http.put("/Users/nobody", json=a_user()), 404)


def test_R_29_what_a_put_leaves_out_is_cleared_but_active(idp: Tenant, ann: Document) -> None:
    after = idp.http.put(f"/Users/{ann['id']}", json=a_user()).json()
    assert after.keys() == {"schemas", "id", "userName", "active", "meta"}


REFUSED: dict[str, tuple[Document | list[Document], str | None]] = {
    "no operations": ([], "invalidSyntax"),
    "an unknown op": ({"op": "move", "path": "title", "value": "x"}, "invalidSyntax"),
    "remove without a path": ({"op": "remove"}, "noTarget"),
    "a broken path": ({"op": "replace", "path": "emails[type eq", "value": "x"}, "invalidPath"),
    "an unknown path": ({"op": "replace", "path": "nope", "value": "x"}, "invalidPath"),
    "no value": ({"op": "replace", "path": "title"}, "invalidValue"),
    "R-33 no match": (
        {"op": "replace", "path": 'emails[type eq "fax"].value', "value": "x"},
        "noTarget",
    ),
    "R-35 a required one removed": ({"op": "remove", "path": "userName"}, "mutability"),
    "R-36 id": ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
    "R-36 meta": (
        {"op": "replace", "path": "meta.created", "value": "2001-01-01T00:00:00Z"},
        "mutability",
    ),
    "R-36 groups": ({"op": "add", "path": "groups", "value": [{"value": "x"}]}, "mutability"),
    "R-39 a wrong type": ({"op": "replace", "path": "active", "value": "x"}, "invalidValue"),
}


@pytest.mark.parametrize(("operation", "scim_type"), REFUSED.values(), ids=REFUSED.keys())
def test_R_30_what_a_patch_cannot_do(
    idp: Tenant, ann: Document, operation: Document | list[Document], scim_type: str | None
) -> None:
    before = idp.rows()
    operations = operation if isinstance(operation, list) else [operation]
    refused(idp.patch(f"/Users/{ann['id']}", *operations), 400, scim_type)
    assert idp.rows() == before
    body = {"Operations": [{"op": "add", "path": "title", "value": "x"}]}
    refused(idp.http.patch(f"/Users/{ann['id']}", json=body), 400, "invalidSyntax")


def test_R_31_a_patch_is_one_thing(idp: Tenant, ann: Document) -> None:
    answer = idp.patch(
        f"/Users/{ann['id']}",
        {"op": "replace", "path": "title", "value": "Chief"},
        {"op": "replace", "path": "nope", "value": "x"},
    )
    refused(answer, 400, "invalidPath")
    assert idp.http.get(f"/Users/{ann['id']}").json() == ann
    after = patched(
        idp,
        ann,
        {"op": "add", "path": "phoneNumbers", "value": [{"type": "fax", "value": "1"}]},
        {"op": "replace", "path": 'phoneNumbers[type eq "fax"].value', "value": "2"},
    )
    assert after["phoneNumbers"] == [{"type": "fax", "value": "2"}]


def test_R_32_add(idp: Tenant, ann: Document) -> None:
    other = {"value": "ann@other.org", "type": "other"}
    same = patched(idp, ann, {"op": "add", "path": "emails", "value": [HOME]})
    assert same == ann
    more = patched(idp, ann, {"op": "add", "path": "emails", "value": [HOME, other]})
    assert more["emails"] == [WORK, HOME, other]
    single = patched(idp, ann, {"op": "add", "path": "title", "value": "Chief"})
    assert single["title"] == "Chief"


def test_R_33_replace(idp: Tenant, ann: Document) -> None:
    after = patched(
        idp,
        ann,
        {"op": "replace", "path": "nickName", "value": "Annie"},
        {"op": "replace", "path": "name", "value": {"familyName": "Jones"}},
        {"op": "replace", "path": 'emails[value sw "ann"].display', "value": "Ann"},
    )
    assert after["nickName"] == "Annie"
    assert after["name"] == {"givenName": "Ann", "familyName": "Jones"}
    assert [email["display"] for email in after["emails"]] == ["Ann", "Ann"]
    whole = patched(idp, ann, {"op": "replace", "path": "emails", "value": [HOME]})
    assert whole["emails"] == [HOME]


def test_R_34_an_entry_is_replaced_as_a_whole(idp: Tenant, ann: Document) -> None:
    new = {"value": "new@work.org", "type": "work"}
    path = 'emails[type eq "work"]'
    assert patched(idp, ann, {"op": "replace", "path": path, "value": new})["emails"] == [new, HOME]


def test_R_35_remove(idp: Tenant, ann: Document) -> None:
    after = patched(idp, ann, {"op": "remove", "path": 'emails[type eq "work"].primary'})
    assert after["emails"][0] == {"value": "ann@work.org", "type": "work"}
    after = patched(idp, ann, {"op": "remove", "path": 'emails[type eq "work"]'})
    assert after["emails"] == [HOME]
    assert "emails" not in patched(idp, ann, {"op": "remove", "path": 'emails[type eq "home"]'})


def test_R_36_read_only_without_a_path_is_ignored(idp: Tenant, ann: Document) -> None:
    value = {"id": "x", "meta": {"created": "x"}, "groups": [], "title": "Chief"}
    after = patched(idp, ann, {"op": "replace", "value": value})
    assert (after["id"], after["title"]) == (ann["id"], "Chief")


def test_R_37_an_extension_comes_with_its_urn(idp: Tenant) -> None:
    user = idp.user()
    add = {"op": "add", "path": f"{ENTERPRISE}:employeeNumber", "value": "7"}
    after = patched(idp, user, add)
    assert after["schemas"] == [USER, ENTERPRISE]
    assert after[ENTERPRISE] == {"employeeNumber": "7"}


def test_R_38_a_bare_urn_is_a_path(idp: Tenant, ann: Document) -> None:
    value = {"costCenter": "42"}
    after = patched(idp, ann, {"op": "add", "path": ENTERPRISE, "value": value})
    assert after[ENTERPRISE] == {"department": "Sales", "costCenter": "42"}
    assert ENTERPRISE not in patched(idp, ann, {"op": "remove", "path": ENTERPRISE})


def test_R_39_the_result_counts(idp: Tenant, ann: Document) -> None:
    idp.user("ben@example.com")
    rename = {"op": "replace", "path": "userName", "value": "BEN@example.com"}
    refused(idp.patch(f"/Users/{ann['id']}", rename), 409, "uniqueness")
    swap = [{"op": "replace", "path": "userName", "value": name} for name in ("x", "ann@x.org")]
    assert patched(idp, ann, *swap)["userName"] == "ann@x.org"


def test_R_40_after_a_delete_nothing_is_there(idp: Tenant, ann: Document) -> None:
    path = f"/Users/{ann['id']}"
    gone = idp.http.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    for answer in (
        idp.http.get(path),
        idp.http.put(path, json=a_user()),
        idp.patch(path, {"op": "add", "path": "title", "value": "x"}),
        idp.http.delete(path),
    ):
        refused(answer, 404)
    assert idp.http.get("/Users").json()["totalResults"] == 0
    assert idp.user(ann["userName"])["id"] != ann["id"]


def test_R_41_groups_of_a_user_follow_the_members(idp: Tenant, ann: Document) -> None:
    group = idp.group("Sales", ann["id"])
    shown = {
        "value": group["id"],
        "$ref": f"{idp.served.url}/Groups/{group['id']}",
        "display": "Sales",
        "type": "direct",
    }
    path = f"/Users/{ann['id']}"
    assert idp.http.get(path).json()["groups"] == [shown]
    assert idp.http.put(path, json=a_user()).json()["groups"] == [shown]
    listed = idp.http.get("/Users").json()["Resources"]
    assert listed[0]["groups"] == [shown]
    assert idp.find("/Users", f'groups.value eq "{group["id"]}"')["totalResults"] == 1
    idp.http.delete(path)
    assert idp.members(group["id"]) == set()


def test_R_41_a_group_may_be_a_member(idp: Tenant, ann: Document) -> None:
    inner = idp.group("Inner", ann["id"])
    outer = idp.group("Outer", inner["id"])
    assert outer["members"] == [
        {
            "value": inner["id"],
            "$ref": f"{idp.served.url}/Groups/{inner['id']}",
            "type": "Group",
        }
    ]
    groups = idp.http.get(f"/Users/{ann['id']}").json()["groups"]
    assert {(each["value"], each["type"]) for each in groups} == {
        (inner["id"], "direct"),
        (outer["id"], "indirect"),
    }
    idp.http.delete(f"/Groups/{inner['id']}")
    assert idp.members(outer["id"]) == set()
