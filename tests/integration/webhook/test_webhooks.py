"""Webhooks of a running bridge: filters, slow endpoints, endpoints that are gone."""

import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.integration.running import Bridge, quickstart
from tests.webhooks import (
    GROUP,
    WAIT_SECONDS,
    client,
    eventually,
    provision,
    receivers,
    table,
    told,
)


def test_each_endpoint_gets_what_it_asks_for_and_waits_for_no_other(tmp_path: Path) -> None:
    over = threading.Event()

    def stall(request: BaseHTTPRequestHandler) -> None:
        over.wait(WAIT_SECONDS)
        request.close_connection = True

    with receivers(3) as (people, groups, stuck):
        stuck.answer.act = stall
        more = "".join(
            (
                table("crm", people.url, 'types = ["user.*"]'),
                table("teams", groups.url, 'types = ["group.created"]', 'content = "delta"'),
                table("stuck", stuck.url, "slots = 1"),
            )
        )
        with quickstart(tmp_path / "bridge", more=more) as bridge, client(bridge) as scim:
            users = [provision(scim, f"user{number}") for number in range(30)]
            body = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": users[0]}]}
            sales = str(scim.post("/Groups", json=body).json()["id"])
            scim.delete(f"/Users/{users[0]}")
            eventually(lambda: len(people.received) == 31 and len(groups.received) == 1)
            assert set(told(people)) == {
                *(("user.created", id_) for id_ in users),
                ("user.deleted", users[0]),
            }
            assert told(groups) == [("group.created", sales)]
            assert len(stuck.received) <= 1
            waiting = bridge.json("deliveries", "list", "--backend", "teams")
            assert [one for one in waiting if one["type"] == "User"] == []
            over.set()


def test_an_endpoint_that_is_gone_is_left_alone_until_it_is_resumed(tmp_path: Path) -> None:
    with receivers(1) as (receiver,):
        receiver.answer.status = 410
        with (
            quickstart(tmp_path / "bridge", more=table("crm", receiver.url)) as bridge,
            client(bridge) as scim,
        ):
            ann = provision(scim, "ann")
            eventually(lambda: bridge.figure("bridge_backend_disabled") == 1)
            asked = len(receiver.received)
            bob = provision(scim, "bob")
            (listed,) = [one for one in bridge.json("backend", "list") if one["name"] == "crm"]
            assert listed["state"] == "disabled"
            assert "410" in listed["reason"]
            assert len(receiver.received) == asked
            assert "Disable after" in bridge.command("deliveries", "show", ann)

            receiver.answer.status = 204
            bridge.command("backend", "resume", "crm")
            eventually(lambda: {ann, bob} <= {id_ for _, id_ in told(receiver)[asked:]})
            assert bridge.figure("bridge_backend_disabled") == 0
            eventually(lambda: bool(tried(bridge, ann)))
            last, *_ = tried(bridge, ann)
            assert (last["outcome"], last["answer"]) == ("Applied", "204")
            assert last["milliseconds"] > 0


SCHEMAS = """
[[schemas]]
id = "urn:example:scim:schemas:1.0:Badge"
name = "Badge"
attributes = [{ name = "number", required = true }, { name = "pin", returned = "never" }]

[[resource_types]]
name = "Badge"
endpoint = "/Badges"
schema = "urn:example:scim:schemas:1.0:Badge"
"""


def test_what_is_never_returned_is_never_told(tmp_path: Path) -> None:
    badge = {"schemas": ["urn:example:scim:schemas:1.0:Badge"], "number": "7", "pin": "c4n4ry"}
    with receivers(1) as (receiver,):
        more = SCHEMAS + table("crm", receiver.url)
        with quickstart(tmp_path / "bridge", more=more) as bridge, client(bridge) as scim:
            answer = scim.post("/Badges", json=badge)
            assert answer.status_code == 201, answer.text
            key = answer.json()["id"]
            scim.put(f"/Badges/{key}", json={**badge, "pin": "c4n4ry-2"})
            eventually(lambda: len(receiver.received) == 2)
            created, updated = (one.event for one in receiver.received)
            assert created["type"] == "badge.created"
            assert created["data"]["attributes"] == {"number": "7"}
            assert (updated["data"]["version"], updated["data"]["changed"]) == (2, [])
            bridge.command("backend", "pause", "crm")
            scim.put(f"/Badges/{key}", json={**badge, "number": "8", "pin": "c4n4ry-3"})
            shown = bridge.command("plan", "crm")
            assert '"number": "8"' in shown
            assert "c4n4ry" not in shown


def tried(bridge: Bridge, id_: str) -> list[dict[str, Any]]:
    (one,) = [one for one in bridge.json("deliveries", "show", id_) if one["backend"] == "crm"]
    return [each for each in one["tried"] if each["outcome"] != "Disable"]
