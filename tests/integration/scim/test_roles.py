"""Okta's Role type as the quickstart declares it, against the running program.

Okta's entitlement test reads `/ResourceTypes`, `/Schemas` and one page of every such endpoint; what
a backend does not keep must not stop it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.dialects.served import LIST_RESPONSE, PATCH_OP
from tests.integration.running import Bridge, quickstart

ROLE = "urn:okta:scim:schemas:core:1.0:Role"


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    with quickstart(tmp_path_factory.mktemp("roles") / "installation") as running:
        yield running


@pytest.fixture
def http(bridge: Bridge) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {bridge.token}"}
    with httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=30) as client:
        yield client


def test_the_role_type_is_discovered(http: httpx.Client) -> None:
    types = {t["name"]: t for t in http.get("/ResourceTypes").json()["Resources"]}
    assert types["Role"]["endpoint"] == "/Roles"
    assert types["Role"]["schema"] == ROLE
    schema = http.get(f"/Schemas/{ROLE}").json()
    required = [a["name"] for a in schema["attributes"] if a["required"]]
    assert required == ["displayName"]


def test_roles_are_made_listed_changed_and_deleted(http: httpx.Client, bridge: Bridge) -> None:
    made = []
    for name in ("Auditor", "Approver"):
        answer = http.post("/Roles", json={"schemas": [ROLE], "displayName": name})
        assert answer.status_code == 201
        made.append(answer.json())
    page = http.get("/Roles", params={"count": 1, "startIndex": 1}).json()
    assert page["schemas"] == [LIST_RESPONSE]
    assert (page["itemsPerPage"], page["startIndex"], page["totalResults"]) == (1, 1, 2)
    place = f"/Roles/{made[0]['id']}"
    assert http.get(place).json() == made[0]
    patch = {"schemas": [PATCH_OP], "Operations": [{"op": "add", "value": {"description": "x"}}]}
    assert http.patch(place, json=patch).json()["description"] == "x"
    assert http.delete(place).status_code == 204
    assert http.get(place).status_code == 404
    assert http.get("/Roles").json()["totalResults"] == 1
    found = http.get("/", params={"filter": 'displayName eq "approver"'}).json()
    assert [r["meta"]["resourceType"] for r in found["Resources"]] == ["Role"]
    bridge.wait_until_delivered()


def test_a_person_may_have_a_role_and_arrives(http: httpx.Client, bridge: Bridge) -> None:
    role = http.post("/Roles", json={"schemas": [ROLE], "displayName": "Owner"}).json()
    user = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ann@example.com",
        "roles": [{"value": role["id"], "display": "Owner"}],
        "entitlements": [{"value": "e1", "display": "Licence", "type": "License"}],
    }
    shown = http.post("/Users", json=user).json()
    assert shown["roles"] == user["roles"]
    assert shown["entitlements"] == user["entitlements"]
    bridge.wait_until_delivered()
    with closing(sqlite3.connect(bridge.directory / "people.db")) as database:
        names = database.execute("SELECT user_name FROM users").fetchall()
    assert names == [("ann@example.com",)]
