"""Access reaches a real target: from a SCIM request or a call of the API to rows of a database."""

import sqlite3
from contextlib import closing

from tests.administered import House, Tenant, done, refused


def held(house: House, table: str, key: str, target: str) -> dict[str, tuple[str, str]]:
    """What the target database has of a workspace or folder."""
    path = house.loaded.directory / "people.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        query = f"SELECT user_id, level, state FROM {table} WHERE {key} = ?"
        return {user: (level, state) for user, level, state in database.execute(query, [target])}


def in_sync(tenant: Tenant, target: str) -> None:
    def holds() -> bool:
        standing = done(tenant.admin.get(f"/deliveries/{target}"))["backends"]
        return [one["state"] for one in standing] == ["in sync"]

    tenant.access(target)
    tenant.house.until(holds)


def test_access_is_in_the_target_database(house: House, tenant: Tenant) -> None:
    ann, bob = tenant.user("ann"), tenant.user("bob")
    sales = tenant.group("Sales", ann, bob)
    workspace = tenant.workspace("Sales")
    folder = tenant.folder(workspace, "Deals", access="invite_only")
    tenant.grant(workspace, "edit", group=sales)
    tenant.grant(folder, "view", user=bob)
    done(tenant.admin.post(f"/workspaces/{workspace}/join", json={"user": ann}))
    for target in (workspace, folder):
        in_sync(tenant, target)
    members = ("workspace_members", "workspace_id", workspace)
    assert held(house, *members) == {ann: ("edit", "member"), bob: ("edit", "pending")}
    assert held(house, "folder_access", "folder_id", folder) == {bob: ("view", "pending")}
    tenant.activate(ann, active=False)
    tenant.remove(sales, bob)
    in_sync(tenant, workspace)
    assert held(house, *members) == {}
    tenant.activate(ann, active=True)
    in_sync(tenant, workspace)
    assert held(house, *members) == {ann: ("edit", "member")}
    done(tenant.admin.delete(f"/workspaces/{workspace}"), 204)
    tenant.house.until(lambda: held(house, *members) == {})


def test_deliveries_and_backends_are_seen_and_acted_on(house: House, tenant: Tenant) -> None:
    ann = tenant.user("ann")
    (backend,) = done(tenant.admin.get("/backends"))["items"]
    assert (backend["name"], backend["state"], backend["reason"]) == ("people", "active", None)
    with house.installation() as root:
        assert done(root.post("/backends/people/pause"))["state"] == "paused"
        tenant.activate(ann, active=False)
        (waiting,) = done(tenant.admin.get("/deliveries", params={"backend": "people"}))["items"]
        assert (waiting["id"], waiting["target"]) == (ann, 2)
        assert done(tenant.admin.get("/backends/people"))["pending"] == 1
        assert done(root.post("/backends/people/resume"))["state"] == "active"
    in_sync_with = f"/deliveries/{ann}"
    house.until(lambda: done(tenant.admin.get(in_sync_with))["backends"][0]["state"] == "in sync")
    assert done(tenant.scim.get(f"{house.url}/v1{in_sync_with}"))["backends"][0]["applied"] == 2
    body = {"backend": "people", "version": 1}
    done(tenant.admin.post(f"{in_sync_with}/replay", json=body))
    answer = tenant.admin.post(f"{in_sync_with}/skip", json={"backend": "people"})
    refused(answer, 404, "BRG-DELIVERY-NONE")
    answer = tenant.admin.post(f"{in_sync_with}/retry", json={"backend": "nowhere"})
    refused(answer, 404, "BRG-BACKEND-UNKNOWN")
    actions = {row["action"] for row in done(tenant.admin.get("/audit"))["items"]}
    assert "delivery.replay" in actions
