"""Access through real SCIM requests and /v1: push, grant, pending, first click, loss, return."""

import csv
import io

import pytest

from tests.administered import Tenant, done, refused

PENDING, MEMBER = "pending", "member"


def test_a_pushed_group_gets_access_and_the_first_click_makes_a_member(tenant: Tenant) -> None:
    ann, bob = tenant.user("ann"), tenant.user("bob")
    sales = tenant.group("Sales", ann)
    workspace = tenant.workspace("Sales")
    assert tenant.access(workspace) == {}
    grant = tenant.grant(workspace, "edit", group=sales)
    assert tenant.access(workspace) == {ann: ("edit", PENDING)}
    joined = done(tenant.admin.post(f"/workspaces/{workspace}/join", json={"user": ann}))
    assert joined == {"user": ann, "level": "edit", "state": MEMBER}
    tenant.add(sales, bob)
    assert tenant.access(workspace) == {ann: ("edit", MEMBER), bob: ("edit", PENDING)}
    done(tenant.admin.patch(f"/grants/{grant}", json={"level": "view"}))
    assert tenant.access(workspace) == {ann: ("view", MEMBER), bob: ("view", PENDING)}
    done(tenant.admin.delete(f"/grants/{grant}"), 204)
    assert tenant.access(workspace) == {}


def test_a_click_right_after_the_grant_finds_it(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "check", user=ann)
    body = {"user": "ANN@example.com"}
    assert done(tenant.admin.post(f"/workspaces/{workspace}/join", json=body))["state"] == MEMBER


def test_nobody_joins_whom_no_grant_reaches(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    workspace = tenant.workspace("Sales")
    answer = tenant.admin.post(f"/workspaces/{workspace}/join", json={"user": ann})
    refused(answer, 404, "BRG-ACCESS-NONE")
    tenant.grant(workspace, "view", user=ann)
    tenant.activate(ann, active=False)
    answer = tenant.admin.post(f"/workspaces/{workspace}/join", json={"user": ann})
    refused(answer, 404, "BRG-ACCESS-NONE")


def test_a_reactivated_member_is_a_member_again(tenant: Tenant) -> None:
    ann, bob = tenant.user("ann"), tenant.user("bob")
    sales = tenant.group("Sales", ann, bob)
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "edit", group=sales)
    done(tenant.admin.post(f"/workspaces/{workspace}/join", json={"user": ann}))
    for user in (ann, bob):
        tenant.activate(user, active=False)
    assert tenant.access(workspace) == {}
    for user in (ann, bob):
        tenant.activate(user, active=True)
    assert tenant.access(workspace) == {ann: ("edit", MEMBER), bob: ("edit", PENDING)}


def test_whose_grant_ended_meanwhile_is_pending_when_he_is_granted_again(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    sales = tenant.group("Sales", ann)
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "edit", group=sales)
    done(tenant.admin.post(f"/workspaces/{workspace}/join", json={"user": ann}))
    tenant.activate(ann, active=False)
    tenant.remove(sales, ann)
    assert tenant.access(workspace) == {}
    tenant.activate(ann, active=True)
    assert tenant.access(workspace) == {}
    tenant.add(sales, ann)
    assert tenant.access(workspace) == {ann: ("edit", PENDING)}


def test_the_strongest_grant_counts_and_a_grant_by_hand_stays(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    sales, support = tenant.group("Sales", ann), tenant.group("Support", ann)
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "check", group=sales)
    tenant.grant(workspace, "edit", group=support)
    by_hand = tenant.grant(workspace, "view", user=ann)
    assert tenant.access(workspace) == {ann: ("edit", PENDING)}
    tenant.remove(support, ann)
    assert tenant.access(workspace) == {ann: ("check", PENDING)}
    assert tenant.scim.delete(f"/Groups/{sales}").status_code == 204
    assert tenant.access(workspace) == {ann: ("view", PENDING)}
    found = done(tenant.admin.get("/grants", params={"target": workspace}))["items"]
    assert {one["id"]: one["origin"] for one in found if one["subject"] == ann} == {
        by_hand: "manual"
    }
    assert sales not in {one["subject"] for one in found}


def test_groups_inside_groups_give_access_at_any_depth(tenant: Tenant) -> None:
    ann, bob = tenant.user("ann"), tenant.user("bob")
    inner = tenant.group("Inner", ann)
    middle = tenant.group("Middle", inner)
    outer = tenant.group("Outer", middle)
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "edit", group=outer)
    assert tenant.access(workspace) == {ann: ("edit", PENDING)}
    tenant.add(inner, bob)
    assert set(tenant.access(workspace)) == {ann, bob}
    why = done(tenant.admin.get(f"/workspaces/{workspace}/access/{bob}"))
    assert [one["via"] for one in why["reasons"]] == [["Inner", "Middle", "Outer"]]
    tenant.add(inner, outer)  # a circle
    assert set(tenant.access(workspace)) == {ann, bob}
    tenant.remove(outer, middle)
    assert tenant.access(workspace) == {}
    tenant.add(outer, middle)
    assert set(tenant.access(workspace)) == {ann, bob}
    assert tenant.scim.delete(f"/Groups/{middle}").status_code == 204
    assert tenant.access(workspace) == {}


def test_a_renamed_group_keeps_its_grants_and_is_shown_by_its_new_name(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    sales = tenant.group("Sales", ann)
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "edit", group=sales)
    tenant.patch(f"/Groups/{sales}", {"op": "replace", "value": {"displayName": "Selling"}})
    why = done(tenant.admin.get(f"/workspaces/{workspace}/access/{ann}"))
    assert (
        why["explanation"] == "ann@example.com has edit on workspace 'Sales' through group Selling."
    )
    (grant,) = done(tenant.admin.get("/grants", params={"subject": sales}))["items"]
    assert grant["subject_name"] == "Selling"
    assert tenant.access(workspace) == {ann: ("edit", PENDING)}


def test_a_deleted_user_has_no_access_and_no_grant_any_more(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "edit", user=ann)
    assert set(tenant.access(workspace)) == {ann}
    assert tenant.scim.delete(f"/Users/{ann}").status_code == 204
    assert tenant.access(workspace) == {}
    assert done(tenant.admin.get("/grants", params={"target": workspace}))["items"] == []


def test_a_team_folder_is_as_its_workspace_and_refuses_grants(tenant: Tenant) -> None:
    ann, bob = tenant.user("ann"), tenant.user("bob")
    workspace = tenant.workspace("Sales")
    folder = tenant.folder(workspace, "Deals")
    tenant.grant(workspace, "edit", user=ann)
    assert tenant.access(folder) == {ann: ("edit", PENDING)}
    body = {"target": folder, "level": "view", "user": bob}
    said = refused(tenant.admin.post("/grants", json=body), 409, "BRG-FOLDER-TEAM")
    assert "invite_only" in said["next_step"]
    done(tenant.admin.patch(f"/folders/{folder}", json={"access": "invite_only"}))
    assert tenant.access(folder) == {}
    tenant.grant(folder, "view", user=bob)
    assert tenant.access(folder) == {bob: ("view", PENDING)}
    inside = tenant.folder(workspace, "Old deals", parent=folder)
    assert tenant.access(inside) == {bob: ("view", PENDING)}


def test_an_invite_only_folder_with_grants_does_not_become_the_teams(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    workspace = tenant.workspace("Sales")
    folder = tenant.folder(workspace, "Deals", access="invite_only")
    grant = tenant.grant(folder, "view", user=ann)
    answer = tenant.admin.patch(f"/folders/{folder}", json={"access": "team"})
    refused(answer, 409, "BRG-FOLDER-GRANTED")
    done(tenant.admin.delete(f"/grants/{grant}"), 204)
    changed = done(tenant.admin.patch(f"/folders/{folder}", json={"access": "team"}))
    assert changed["access"] == "team"


def test_folders_have_a_name_of_their_own_at_their_place_and_never_lie_in_themselves(
    tenant: Tenant,
) -> None:
    workspace, other = tenant.workspace("Sales"), tenant.workspace("Support")
    top = tenant.folder(workspace, "Deals")
    below = tenant.folder(workspace, "Deals", parent=top)
    body = {"workspace": workspace, "name": "DEALS"}
    refused(tenant.admin.post("/folders", json=body), 409, "BRG-FOLDER-EXISTS")
    for parent in (top, below):
        answer = tenant.admin.patch(f"/folders/{top}", json={"parent": parent})
        refused(answer, 409, "BRG-FOLDER-PLACE")
    answer = tenant.admin.post("/folders", json={"workspace": other, "name": "X", "parent": top})
    refused(answer, 409, "BRG-FOLDER-PLACE")
    answer = tenant.admin.patch(f"/folders/{below}", json={"parent": None})
    refused(answer, 409, "BRG-FOLDER-EXISTS")
    moved = tenant.admin.patch(f"/folders/{below}", json={"parent": None, "name": "Won"})
    assert done(moved)["parent"] is None
    answer = tenant.admin.post("/workspaces", json={"name": "sales"})
    refused(answer, 409, "BRG-WORKSPACE-EXISTS")


def test_deleting_a_workspace_takes_its_folders_and_grants_with_it(tenant: Tenant) -> None:
    ann = tenant.user("ann")
    workspace = tenant.workspace("Sales")
    folder = tenant.folder(workspace, "Deals", access="invite_only")
    inside = tenant.folder(workspace, "Old", parent=folder)
    for target in (workspace, folder):
        tenant.grant(target, "edit", user=ann)
    assert tenant.access(folder) == {ann: ("edit", PENDING)}
    done(tenant.admin.delete(f"/workspaces/{workspace}"), 204)
    for path in (f"/workspaces/{workspace}", f"/folders/{folder}", f"/folders/{inside}"):
        refused(tenant.admin.get(path), 404, "BRG-TARGET-UNKNOWN")
    assert done(tenant.admin.get("/grants"))["items"] == []
    assert done(tenant.admin.get(f"/users/{ann}/access"))["items"] == []
    assert tenant.workspace("Sales") != workspace


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [
        ("ann", "edit", "ann@example.com has edit on workspace 'Sales' through group Sales."),
        ("bob", "view", "bob@example.com has view on workspace 'Sales' through a grant by hand."),
        ("cid", None, "cid@example.com has no access: no grant on workspace 'Sales' reaches them."),
        ("dan", None, "dan@example.com has no access: the identity provider has deactivated them."),
    ],
)
def test_why_is_answered_in_a_sentence(
    tenant: Tenant, name: str, level: str | None, said: str
) -> None:
    ids = {each: tenant.user(each) for each in ("ann", "bob", "cid", "dan")}
    sales = tenant.group("Sales", ids["ann"], ids["dan"])
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "edit", group=sales)
    tenant.grant(workspace, "view", user=ids["bob"])
    tenant.activate(ids["dan"], active=False)
    why = done(tenant.admin.get(f"/workspaces/{workspace}/access/{name}@example.com"))
    assert (why["level"], why["explanation"]) == (level, said)


def test_the_table_to_download_holds_no_formula(tenant: Tenant) -> None:
    evil = tenant.user("=cmd|' /C calc'!A0")
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "view", user=evil)
    assert set(tenant.access(workspace)) == {evil}
    answer = tenant.admin.get(f"/workspaces/{workspace}/access.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    header, row = csv.reader(io.StringIO(answer.text))
    assert header == ["user", "userName", "displayName", "level", "state"]
    assert row[1:] == [
        "'=cmd|' /C calc'!A0@example.com",
        "'=cmd|' /C calc'!A0",
        "view",
        "pending",
    ]


def test_lists_go_page_by_page(tenant: Tenant) -> None:
    users = [tenant.user(f"u{number}") for number in range(5)]
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "view", group=tenant.group("All", *users))
    assert set(tenant.access(workspace)) == set(users)
    seen: list[str] = []
    after: str | None = None
    while True:
        params = {"limit": "2"} | ({"after": after} if after else {})
        page = done(tenant.admin.get(f"/workspaces/{workspace}/access", params=params))
        seen += [one["user"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(users)
    answer = tenant.admin.get(f"/workspaces/{workspace}/access", params={"after": "nonsense"})
    refused(answer, 400, "BRG-CURSOR-INVALID")
