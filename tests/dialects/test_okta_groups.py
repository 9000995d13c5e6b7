"""Okta, groups and imports (O-33 to O-46): push, rename, members, unlink, reading everything."""

import pytest

from tests.dialects.served import GROUP, Document, Tenant, created, refused


@pytest.fixture
def people(idp: Tenant) -> list[str]:
    return [idp.user(f"user{number}@example.com")["id"] for number in range(3)]


def body(name: str, *member_ids: str, **more: object) -> Document:
    members = [{"value": member_id, "display": "a hint"} for member_id in member_ids]
    return {"schemas": [GROUP], "displayName": name, "members": members, **more}


def test_O_33_a_rename_may_repeat_the_id(idp: Tenant) -> None:
    group = idp.group("Old")
    value = {"id": group["id"], "displayName": "New"}
    after = idp.patch(f"/Groups/{group['id']}", {"op": "replace", "value": value})
    assert (after.status_code, after.json()["displayName"]) == (200, "New")
    assert after.json()["id"] == group["id"]


def test_O_34_a_rename_leaves_the_members_alone(idp: Tenant, people: list[str]) -> None:
    group = idp.group("Old", *people)
    value = {"id": group["id"], "displayName": "New"}
    idp.patch(f"/Groups/{group['id']}", {"op": "replace", "value": value})
    assert idp.members(group["id"]) == set(people)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "members", "value": []},
        {"op": "replace", "path": "members", "value": None},
        {"op": "replace", "value": {"displayName": "Sales", "members": []}},
        {"op": "remove", "path": "members"},
    ],
)
def test_O_35_empty_members_empty_the_group(
    idp: Tenant, people: list[str], operation: Document
) -> None:
    group = idp.group("Sales", *people)
    assert idp.patch(f"/Groups/{group['id']}", operation).status_code == 200
    assert idp.members(group["id"]) == set()


def test_O_36_what_the_client_says_about_a_member_is_a_hint(idp: Tenant, people: list[str]) -> None:
    group = idp.group("Sales")
    member = {"value": people[0], "display": "wrong", "type": "User", "shoeSize": 46}
    path = f"/Groups/{group['id']}"
    after = idp.patch(path, {"op": "add", "path": "members", "value": [member]}).json()
    shown = {
        "value": people[0],
        "$ref": f"{idp.served.url}/Users/{people[0]}",
        "type": "User",
    }
    assert after["members"] == [shown]
    named = idp.http.get(path, params={"attributes": "members.display,members.value"}).json()
    assert named["members"] == [{"value": people[0], "display": "user0@example.com"}]


def test_a_member_that_is_gone_is_no_member(idp: Tenant, people: list[str]) -> None:
    """Adding it changes nothing; a list of all members that names it is wrong; so is `strict`."""
    group = idp.group("Sales", people[0])
    path, before = f"/Groups/{group['id']}", idp.rows()
    add: Document = {"op": "add", "path": "members", "value": [{"value": "gone"}]}
    assert idp.patch(path, add).json() == group
    whole = {"op": "replace", "path": "members", "value": [{"value": "gone"}]}
    refused(idp.patch(path, whole), 400, "invalidValue")
    refused(idp.http.put(path, json=body("Sales", "gone")), 400, "invalidValue")
    with idp.served.tenant("strict") as strict:
        other = strict.group("Sales")
        refused(strict.patch(f"/Groups/{other['id']}", add), 400, "invalidValue")
    assert idp.rows() == before
    add["value"].append({"value": people[1]})
    idp.patch(path, add)
    assert idp.members(group["id"]) == set(people[:2])


def test_O_37_twice_in_and_never_in(idp: Tenant, people: list[str]) -> None:
    group = idp.group("Sales", people[0])
    path = f"/Groups/{group['id']}"
    add = {"op": "add", "path": "members", "value": [{"value": people[0]}]}
    remove = {"op": "remove", "path": f'members[value eq "{people[1]}"]'}
    before = idp.rows()
    for operation in (add, remove):
        answer = idp.patch(path, operation)
        assert answer.status_code == 200
        assert answer.headers["etag"] == group["meta"]["version"]
    assert idp.members(group["id"]) == {people[0]}
    assert idp.rows() == before


def test_O_38_add_and_remove_in_one_request(idp: Tenant, people: list[str]) -> None:
    group = idp.group("Sales", people[0])
    answer = idp.patch(
        f"/Groups/{group['id']}",
        {"op": "remove", "path": f'members[value eq "{people[0]}"]'},
        {"op": "add", "path": "members", "value": [{"value": each} for each in people[1:]]},
        {"op": "replace", "value": {"id": group["id"], "displayName": "Sales"}},
    )
    assert answer.status_code == 200
    assert idp.members(group["id"]) == set(people[1:])


def test_O_38_a_big_group_answers_204_and_is_read_whole(idp: Tenant) -> None:
    ids = [idp.user(f"many{number}@example.com")["id"] for number in range(102)]
    group = idp.group("Many", *ids[:100])
    path = f"/Groups/{group['id']}"
    add = {"op": "add", "path": "members", "value": [{"value": ids[100]}]}
    answer = idp.patch(path, add)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == 'W/"2"'
    assert idp.members(group["id"]) == set(ids[:101])
    add = {"op": "add", "path": "members", "value": [{"value": ids[101]}]}
    without = idp.patch(path, add, params={"excludedAttributes": "members"})
    assert (without.status_code, "members" in without.json()) == (200, False)
    named = idp.patch(path, add, params={"attributes": "members.value"})
    assert len(named.json()["members"]) == 102


def test_O_38_the_full_push(idp: Tenant, people: list[str]) -> None:
    group = idp.group("Sales", people[0])
    members = [{"value": each, "display": "x"} for each in people[1:]]
    idp.patch(f"/Groups/{group['id']}", {"op": "replace", "path": "members", "value": members})
    assert idp.members(group["id"]) == set(people[1:])


def test_O_38_a_custom_app_pushes_with_put(idp: Tenant, people: list[str]) -> None:
    empty = created(idp.http.post("/Groups", json=body("Test SCIMv2")))
    path = f"/Groups/{empty['id']}"
    assert idp.http.get(path).json() == empty
    again = idp.http.put(path, json={**empty, "members": []})
    assert again.json() == empty
    full = idp.http.put(path, json=body("Test SCIMv2", *people, id=empty["id"])).json()
    assert {member["value"] for member in full["members"]} == set(people)
    fewer = idp.http.put(path, json=body("Test SCIMv2", people[1])).json()
    assert [member["value"] for member in fewer["members"]] == [people[1]]


def test_O_39_unlinking_deletes_the_group_and_nobody(idp: Tenant, people: list[str]) -> None:
    group = idp.group("Sales", *people)
    assert idp.http.delete(f"/Groups/{group['id']}").status_code == 204
    refused(idp.http.get(f"/Groups/{group['id']}"), 404)
    for each in people:
        user = idp.http.get(f"/Users/{each}")
        assert (user.status_code, "groups" in user.json()) == (200, False)


def test_O_40_a_custom_group_extension_is_no_trouble(idp: Tenant) -> None:
    urn = "urn:okta:custom:group:1.0"
    sent = body("Sales") | {"schemas": [GROUP, urn], urn: {"description": "x"}}
    group = created(idp.http.post("/Groups", json=sent))
    assert group["schemas"] == [GROUP]
    assert idp.http.put(f"/Groups/{group['id']}", json=sent).status_code == 200


def test_O_41_linking_keeps_old_members_until_they_are_removed(
    idp: Tenant, people: list[str]
) -> None:
    group = idp.group("Sales", people[0])
    found = idp.find("/Groups", 'displayName eq "sales"', startIndex=1, count=100)
    assert [each["id"] for each in found["Resources"]] == [group["id"]]
    add = {"op": "add", "path": "members", "value": [{"value": people[1]}]}
    idp.patch(f"/Groups/{group['id']}", add)
    assert idp.members(group["id"]) == set(people[:2])


def test_O_42_imports_page_by_100(idp: Tenant) -> None:
    for number in range(203):
        idp.user(f"import{number}@example.com", active=number % 2 == 0)
    seen: list[str] = []
    for start in (1, 101, 201):
        page = idp.http.get("/Users", params={"startIndex": start, "count": 100}).json()
        assert page["totalResults"] == 203
        assert page["startIndex"] == start
        assert page["itemsPerPage"] == len(page["Resources"])
        seen += [user["userName"] for user in page["Resources"]]
    assert len(set(seen)) == len(seen) == 203


def test_O_43_beyond_the_end_there_is_an_empty_page(idp: Tenant) -> None:
    idp.user()
    page = idp.http.get("/Users?startIndex=101&count=100").json()
    assert (page["totalResults"], page["itemsPerPage"], page["Resources"]) == (1, 0, [])


def test_O_44_groups_are_listed_with_their_members(idp: Tenant, people: list[str]) -> None:
    idp.group("Sales", *people)
    idp.group("Board", people[0])
    groups = idp.http.get("/Groups?startIndex=1&count=100").json()["Resources"]
    assert [len(group["members"]) for group in groups] == [3, 1]


def test_O_45_multi_valued_attributes_are_lists(idp: Tenant) -> None:
    user = idp.user(emails={"value": "ann@example.com", "type": "work"})
    assert user["emails"] == [{"value": "ann@example.com", "type": "work"}]


def test_O_46_incremental_import(idp: Tenant) -> None:
    old = idp.user("old@example.com")
    new = idp.user("new@example.com")
    since = old["meta"]["lastModified"]
    found = idp.find("/Users", f'meta.lastModified gt "{since}"')["Resources"]
    assert [user["id"] for user in found] == [new["id"]]
