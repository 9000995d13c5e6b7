"""What a connection's profile tolerates is done, counted by name and written into the audit."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from bridge.core.schema import PROFILES, Quirk
from tests.dialects.served import USER, Served, a_user, created, refused
from tests.integration.running import Bridge, quickstart


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    with quickstart(tmp_path_factory.mktemp("tolerated") / "installation") as running:
        yield running


def counted(bridge: Bridge) -> dict[str, float]:
    text = httpx.get(f"{bridge.url}/metrics", timeout=30).text
    found = re.findall(
        r'^bridge_tolerated_total{profile="okta",quirk="([a-z-]+)"} (\S+)$', text, re.MULTILINE
    )
    return {quirk: float(times) for quirk, times in found}


def test_quirks_are_counted_and_audited(bridge: Bridge) -> None:
    headers = {"Authorization": f"Bearer {bridge.token}"}
    with httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=30) as http:
        sent = a_user(active="True", nickName=7)
        user = created(http.post("/Users", json=sent))
        assert (user["active"], user["nickName"]) == (True, "7")
        assert counted(bridge) == {"string-boolean": 1, "number-as-string": 1}
        place = f"/Users/{user['id']}"
        assert http.put(place, json=a_user(active="False")).json()["active"] is False
        body = {"op": "Replace", "path": "active", "value": "True"}
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        http.patch(place, json={"schemas": schemas, "Operations": [body]})
        assert counted(bridge) == {"string-boolean": 3, "number-as-string": 1}
        created(http.post("/Users", json=a_user("plain")))
        assert sum(counted(bridge).values()) == 4
        for _ in range(2):
            for path in ("/Users", "/"):
                found = http.get(path, params={"filter": 'userName sw plain and active eq "True"'})
                assert found.status_code == 200
        assert counted(bridge) == {
            "string-boolean": 7, "number-as-string": 1, "unquoted-literal": 4,
        }  # fmt: skip
        path = "emails[type eq work].value"
        body = {"op": "add", "path": path, "value": "a@example.com"}
        answer = http.patch(place, json={"schemas": schemas, "Operations": [body]})
        assert answer.json()["emails"] == [{"type": "work", "value": "a@example.com"}]
        assert counted(bridge)["unquoted-literal"] == 5
    assert bridge.stop() == 0
    with closing(sqlite3.connect(bridge.directory / "bridge.db")) as journal:
        rows = journal.execute(
            "SELECT detail FROM audit WHERE action LIKE 'resource.%' ORDER BY sequence"
        ).fetchall()
        searched = journal.execute(
            "SELECT detail FROM audit WHERE action = 'search.tolerated'"
        ).fetchall()
    assert [json.loads(detail).get("tolerated") for (detail,) in rows] == [
        ["number-as-string", "string-boolean"],
        ["string-boolean"],
        ["string-boolean"],
        None,
        ["unquoted-literal"],
    ]
    assert [json.loads(detail) for (detail,) in searched] == [
        {"tolerated": ["string-boolean", "unquoted-literal"]}
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_profile_of_the_connection_decides(served: Served, profile: str) -> None:
    allowed = PROFILES[profile].allowed
    with served.tenant(profile) as idp:
        for quirk, body in {
            Quirk.STRING_BOOLEAN: a_user("a", active="True"),
            Quirk.NO_SCHEMAS: {"userName": "b"},
            Quirk.UNKNOWN_ATTRIBUTE: a_user("c", shoeSize=43),
            Quirk.LOOSE_SCHEMAS: a_user("d") | {"schemas": [USER, USER]},
        }.items():
            answer = idp.http.post("/Users", json=body)
            assert answer.status_code == (201 if quirk in allowed else 400), (quirk, answer.text)
            if quirk not in allowed:
                assert refused(answer, 400, answer.json()["scimType"])
        found = idp.http.get("/Users", params={"filter": "userName eq a"})
        assert found.status_code == (200 if Quirk.UNQUOTED_LITERAL in allowed else 400)
