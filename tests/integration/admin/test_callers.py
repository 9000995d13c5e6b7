"""Who may call what: roles, scopes, networks, the last owner; and how often: idempotency keys."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bridge.auth.admins import Role
from tests.administered import House, Tenant, done, refused


def test_a_role_may_do_what_it_says_and_no_more(house: House, tenant: Tenant) -> None:
    workspace = tenant.workspace("Sales")
    tenant.grant(workspace, "view", user=tenant.user("ann"))
    body = {"user": "ann@example.com"}
    with house.client("/v1", house.token(tenant.id, Role.READ_ONLY)) as reader:
        done(reader.get(f"/workspaces/{workspace}"))
        refused(reader.post("/workspaces", json={"name": "X"}), 403, "BRG-ROLE")
        refused(reader.post(f"/workspaces/{workspace}/join", json=body), 403, "BRG-ROLE")
    with house.client("/v1", house.token(tenant.id, Role.OPERATOR)) as operator:
        done(operator.post(f"/workspaces/{workspace}/join", json=body))
        refused(operator.delete(f"/workspaces/{workspace}"), 403, "BRG-ROLE")
        refused(
            operator.post("/admin_tokens", json={"name": "x", "role": "admin"}), 403, "BRG-ROLE"
        )
    refused(tenant.admin.post("/organizations", json={"name": "X"}), 403, "BRG-ROLE")
    refused(tenant.admin.post("/backends/people/pause"), 403, "BRG-ROLE")


def test_every_call_is_audited_refusals_and_reads_too(tenant: Tenant) -> None:
    tenant.admin.get("/workspaces", headers={"x-request-id": "a-read"})
    tenant.admin.get("/workspaces/nope", headers={"x-request-id": "a-refusal"})
    tenant.admin.post("/workspaces", json={"name": "Sales"}, headers={"x-request-id": "a-change"})
    rows = done(tenant.admin.get("/audit"))["items"]
    assert {
        row["request_id"]: row["action"] for row in rows if row["request_id"].startswith("a-")
    } == {
        "a-read": "api.read",
        "a-refusal": "api.refused",
        "a-change": "resource.create",
    }
    assert {row["actor"] for row in rows if row["request_id"].startswith("a-")} == {"admin:tests"}


def test_the_audit_goes_page_by_page(tenant: Tenant) -> None:
    for number in range(5):
        tenant.workspace(f"W{number}")
    first = done(tenant.admin.get("/audit", params={"limit": 3}))
    second = done(tenant.admin.get("/audit", params={"limit": 3, "after": first["next"]}))
    assert len(first["items"]) == len(second["items"]) == 3
    assert first["items"][-1]["at"] >= second["items"][0]["at"]
    assert not {row["request_id"] for row in first["items"]} & {
        row["request_id"] for row in second["items"]
    }


def test_a_repeated_request_is_done_once_and_answered_alike(tenant: Tenant) -> None:
    headers = {"idempotency-key": "first"}
    answers = [
        tenant.admin.post("/workspaces", json={"name": "Sales"}, headers=headers) for _ in range(3)
    ]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert {answer.status_code for answer in answers} == {201}
    assert len(done(tenant.admin.get("/workspaces"))["items"]) == 1
    other = tenant.admin.post("/workspaces", json={"name": "Other"}, headers=headers)
    refused(other, 422, "BRG-IDEMPOTENCY-REUSED")
    long = tenant.admin.post(
        "/workspaces", json={"name": "X"}, headers={"idempotency-key": "k" * 201}
    )
    refused(long, 400, "BRG-IDEMPOTENCY-INVALID")


def test_a_repeated_request_for_a_token_never_shows_it_again(tenant: Tenant) -> None:
    connection = done(tenant.admin.get("/connections"))["items"][0]["id"]
    headers = {"idempotency-key": "token"}
    first, again = (
        done(tenant.admin.post("/tokens", json={"connection": connection}, headers=headers), 201)
        for _ in range(2)
    )
    assert first["token"].startswith("brg_")
    assert again == {**first, "token": None}
    assert first["token"].encode() not in journal_bytes(tenant)


def journal_bytes(tenant: Tenant) -> bytes:
    folder = tenant.house.loaded.directory
    return b"".join(file.read_bytes() for file in folder.glob("journal.db*"))


@pytest.mark.parametrize(
    ("scope", "may", "may_not"),
    [
        ({"read_only": True}, ["GET /Users", "GET /Groups"], ["POST /Users", "POST /Groups"]),
        (
            {"types": ["User"]},
            ["GET /Users", "POST /Users"],
            ["GET /Groups", "POST /Groups", "GET /"],
        ),
        ({"types": ["Group"]}, ["POST /Groups"], ["GET /Users", "POST /Bulk"]),
        ({"types": ["User", "Group"]}, ["POST /Users", "POST /Groups"], ["POST /.search"]),
    ],
)
def test_a_token_is_good_for_its_scope_only(
    house: House, tenant: Tenant, scope: dict[str, object], may: list[str], may_not: list[str]
) -> None:
    connection = done(tenant.admin.get("/connections"))["items"][0]["id"]
    made = done(tenant.admin.post("/tokens", json={"connection": connection, **scope}), 201)
    bodies = {
        "/Users": {
            "userName": "ann@example.com",
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        },
        "/Groups": {
            "displayName": "Sales",
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        },
    }
    with house.client("/scim/v2", made["token"]) as scim:
        for asked in (*may, *may_not):
            verb, path = asked.split(" ")
            body = bodies.get(path, {}) if verb == "POST" else None
            answer = scim.request(verb, path, json=body)
            assert (answer.status_code == 403) is (asked in may_not), (asked, answer.text)


def test_a_token_is_good_from_its_networks_only(house: House, tenant: Tenant) -> None:
    connection = done(tenant.admin.get("/connections"))["items"][0]["id"]
    for networks, status in ((["127.0.0.0/8"], 200), (["192.0.2.0/24", "2001:db8::1"], 401)):
        body = {"connection": connection, "networks": networks}
        made = done(tenant.admin.post("/tokens", json=body), 201)
        with house.client("/scim/v2", made["token"]) as scim:
            assert scim.get("/Users").status_code == status
    body = {"connection": connection, "networks": ["192.0.2.0/33"]}
    refused(tenant.admin.post("/tokens", json=body), 400, "BRG-SCOPE-INVALID")


def test_two_tokens_live_side_by_side_and_one_ends_within_a_second(
    house: House, tenant: Tenant
) -> None:
    connection = done(tenant.admin.get("/connections"))["items"][0]["id"]
    body = {"connection": connection, "expires_days": 30}
    made = done(tenant.admin.post("/tokens", json=body), 201)
    left = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    with house.client("/scim/v2", made["token"]) as scim:
        assert scim.get("/Users").status_code == tenant.scim.get("/Users").status_code == 200
        done(tenant.admin.delete(f"/tokens/{made['id']}"), 204)
        house.until(lambda: scim.get("/Users").status_code == 401)
    assert tenant.scim.get("/Users").status_code == 200
    shown = {one["id"]: one for one in done(tenant.admin.get("/tokens"))["items"]}
    assert shown[made["id"]]["revoked"]
    assert all(one["token"] is None for one in shown.values())


def test_the_last_owner_cannot_lock_the_organization_out(house: House, tenant: Tenant) -> None:
    (last,) = done(tenant.admin.get("/admin_tokens"))["items"]
    refused(tenant.admin.delete(f"/admin_tokens/{last['id']}"), 409, "BRG-OWNER-LAST")
    reader = done(tenant.admin.post("/admin_tokens", json={"name": "r", "role": "read_only"}), 201)
    refused(tenant.admin.delete(f"/admin_tokens/{last['id']}"), 409, "BRG-OWNER-LAST")
    done(tenant.admin.delete(f"/admin_tokens/{reader['id']}"), 204)
    other = done(tenant.admin.post("/admin_tokens", json={"name": "b", "role": "admin"}), 201)
    with house.client("/v1", other["token"]) as second:
        done(second.delete(f"/admin_tokens/{last['id']}"), 204)
        house.until(lambda: tenant.admin.get("/me").status_code == 401)
        refused(second.delete(f"/admin_tokens/{other['id']}"), 409, "BRG-OWNER-LAST")
    with house.installation() as root:
        done(root.delete(f"/admin_tokens/{other['id']}", params={"of": tenant.id}), 204)


def test_no_pushed_group_makes_an_admin(tenant: Tenant) -> None:
    ann = tenant.user("admin:tests")
    tenant.group("admins", ann)
    before = done(tenant.admin.get("/admin_tokens"))["items"]
    assert tenant.scim.delete(f"/Users/{ann}").status_code == 204
    assert [one["id"] for one in done(tenant.admin.get("/admin_tokens"))["items"]] == [
        one["id"] for one in before
    ]
    assert tenant.scim.get(f"{tenant.house.url}/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"name": "a", "name": "b"}', "twice"),
        (b'{"name": "a", "admin": true}', "unknown field"),
        (b'{"name": 1}', "Expected `str`"),
        (b"{}", "missing required field"),
        (b"[" * 20_000, "one JSON object"),
        (b'{"name": "\xff"}', "one JSON object"),
        (b"", "one JSON object"),
    ],
)
def test_a_body_that_is_not_understood_is_refused(tenant: Tenant, body: bytes, said: str) -> None:
    headers = {"content-type": "application/json"}
    answer = tenant.admin.post("/workspaces", content=body, headers=headers)
    assert said in refused(answer, 400, "BRG-BODY-INVALID")["detail"]


def test_a_body_of_another_type_or_size_is_refused(tenant: Tenant) -> None:
    answer = tenant.admin.post("/workspaces", content=b"name=x")
    refused(answer, 415)
    headers = {"content-type": "application/json"}
    refused(tenant.admin.post("/workspaces", content=b" " * 70_000, headers=headers), 413)


def test_what_is_not_there_is_a_problem_document(house: House) -> None:
    with house.installation() as root:
        refused(root.get("/nothing"), 404)
        refused(root.put("/workspaces"), 405)
    answer = httpx.get(f"{house.url}/v1/me")
    assert answer.headers["www-authenticate"] == "Bearer"
    refused(answer, 401)
