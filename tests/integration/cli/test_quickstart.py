"""The first five minutes: `bridge quickstart`, `bridge simulate okta`, and what the target holds.

Every command is a process of its own, as a person starts it.
"""

import json
import os
import re
import socket
import sqlite3
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.running import BRIDGE, Bridge, quickstart

START_SECONDS = 10.0
"""From the command to the first answer, on a machine that does other things as well."""

IDLE_MEBIBYTES = 150


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge that all tests share; the simulation leaves the same behind every time."""
    with quickstart(tmp_path_factory.mktemp("shared") / "bridge") as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bridge]:
    """A bridge for a test that ends it or changes its configuration."""
    with quickstart(tmp_path / "bridge") as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """A bridge that waits one second for a request."""
    patch = pytest.MonkeyPatch()
    patch.setenv("BRIDGE_SERVER__RECEIVE_SECONDS", "1")
    with quickstart(tmp_path_factory.mktemp("hasty") / "bridge") as running:
        patch.undo()
        yield running


def run(*arguments: str, code: int = 0) -> str:
    """Run a command, expect its exit code, and return what it prints on standard output."""
    done = subprocess.run(
        [BRIDGE, *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == code, done.stderr or done.stdout[-1000:]
    assert "Traceback" not in done.stderr
    return done.stdout


def simulate(bridge: Bridge, *more: str, code: int = 0) -> Any:
    where = ("--url", bridge.scim_url, "--token", bridge.token)
    return json.loads(run("simulate", "okta", *where, "--json", *more, code=code))


def held(bridge: Bridge, query: str) -> list[tuple[Any, ...]]:
    """Ask the embedded SQL target."""
    connection = sqlite3.connect(bridge.directory / "people.db")
    try:
        return sorted(connection.execute(query).fetchall())
    finally:
        connection.close()


def test_the_first_line_tells_where_and_with_what(bridge: Bridge) -> None:
    again = bridge.directory / "bridge.toml"
    assert bridge.scim_url.startswith("http://127.0.0.1:")
    assert bridge.scim_url.endswith("/scim/v2")
    assert re.fullmatch(r"brg_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", bridge.token)
    assert again.exists()
    for name in ("bridge.key", "scim.token", "bridge.db"):
        assert stat.S_IMODE((bridge.directory / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(bridge.directory.stat().st_mode) == 0o700


def test_it_starts_quickly_and_is_small(tmp_path: Path) -> None:
    began = time.monotonic()
    with quickstart(tmp_path / "bridge") as bridge:
        assert httpx.get(f"{bridge.url}/readyz").text == "ok\n"
        started = time.monotonic() - began
        status = Path(f"/proc/{bridge.process.pid}/status").read_text()
    resident = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024
    assert started < START_SECONDS, f"first answer after {started:.2f} s"
    assert resident < IDLE_MEBIBYTES, f"{resident:.0f} MiB resident"


def test_a_second_time_serves_what_is_there(tmp_path: Path) -> None:
    with quickstart(tmp_path / "bridge") as bridge:
        first = bridge.token
        assert bridge.stop() == 0
    with quickstart(tmp_path / "bridge") as bridge:
        assert bridge.token == first
        answer = httpx.get(f"{bridge.scim_url}/ServiceProviderConfig")
        assert answer.status_code == 200


def test_F32_a_signal_to_stop_is_obeyed_within_ten_seconds(own: Bridge) -> None:
    headers = {"Authorization": f"Bearer {own.token}"}
    user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}
    with httpx.Client(base_url=own.scim_url, headers=headers) as client:
        for number in range(20):
            answer = client.post("/Users", json={**user, "userName": f"user-{number}"})
            assert answer.status_code == 201
        assert own.stop() == 0  # raises when it takes longer


def test_simulate_okta_fills_the_embedded_target(bridge: Bridge) -> None:
    report = simulate(bridge)
    assert report["problems"] == []
    assert {row["state"] for row in report["held"]} == {"in sync"}
    assert len(report["held"]) == 8
    people = held(bridge, "select user_name, active from users")
    assert people == [
        (f"{name}@{domain}.example", active)
        for name, active in (("ann.lee", 1), ("bob.moss", 0), ("cay.nash", 1))
        for domain in ("catalogue", "custom")
    ]
    groups = (
        "select groups.display_name, user_name from members join groups on groups.id = group_id"
    )
    assert held(bridge, f"{groups} join users on users.id = member_id") == [
        ("Simulated Sales", "ann.lee@custom.example"),
        ("Simulated Sales", "cay.nash@custom.example"),
        ("Simulated Support", "ann.lee@catalogue.example"),
        ("Simulated Support", "cay.nash@catalogue.example"),
    ]


def test_simulate_okta_can_be_played_again(bridge: Bridge) -> None:
    first, second = simulate(bridge), simulate(bridge)
    assert second["problems"] == []
    assert {row["name"]: row["id"] for row in first["held"]} == {
        row["name"]: row["id"] for row in second["held"]
    }
    created = [one for one in second["exchanges"] if one["method"] == "POST"]
    assert created == []


def test_simulate_okta_fails_where_okta_would(bridge: Bridge) -> None:
    where = ("--url", bridge.scim_url, "--token", bridge.token + "x")
    report = json.loads(run("simulate", "okta", *where, "--json", code=1))
    assert "401" in report["problems"][0]


def test_simulate_tells_what_is_not_delivered(own: Bridge) -> None:
    own.command("backend", "pause", "people")
    report = simulate(own, "--wait-seconds", "1", code=1)
    assert all("people has version 0 of" in problem for problem in report["problems"])
    plan = own.command("plan", "people")
    assert "ann.lee@custom.example" in plan
    own.command("backend", "resume", "people")
    assert simulate(own)["problems"] == []
    assert own.command("plan", "people") == "Nothing is pending.\n"


def test_nothing_of_a_person_and_no_secret_is_logged(own: Bridge) -> None:
    simulate(own)
    assert own.stop() == 0
    log = (own.directory.parent / "bridge.log").read_text()
    assert '"event": "request"' in log
    for secret in (own.token, "1mz050nq", "ann.lee", "Lee-Hart", "filter=", "userName"):
        assert secret not in log


def test_commands_work_beside_a_running_bridge(bridge: Bridge) -> None:
    made = json.loads(bridge.command("token", "create", "okta", "--json"))
    page = f"{bridge.scim_url}/Users?startIndex=1&count=2"
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.get(page, headers=headers).status_code == 200
    listed = json.loads(bridge.command("token", "list", "--json"))
    assert made["id"] in {row["id"] for row in listed}
    assert made["token"] not in json.dumps(listed)
    bridge.command("token", "revoke", made["id"])
    assert httpx.get(page, headers=headers).status_code == 401


POST = "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 9\r\n\r\n{{"


@pytest.mark.parametrize("sent", ["", "GET /livez HT", POST], ids=["nothing", "head", "body"])
def test_a_request_that_does_not_arrive_is_cut_off(hasty: Bridge, sent: str) -> None:
    host, _, port = hasty.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent.format(hasty.token).encode())
        began = time.monotonic()
        try:
            received = connection.recv(1000)
        except ConnectionResetError:
            received = b""
        assert received == b""
        assert time.monotonic() - began > 0.5
    assert httpx.get(f"{hasty.url}/livez").status_code == 200


def test_a_second_bridge_on_the_same_journal_is_refused(bridge: Bridge) -> None:
    where = ("--config", str(bridge.directory / "bridge.toml"))
    done = subprocess.run(
        [BRIDGE, "serve", *where],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "BRIDGE_SERVER__PORT": "0"},
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(r"BRG-JOURNAL-LOCKED: .* Next: .*\n", done.stderr)


def test_an_address_in_use_is_one_line(bridge: Bridge, tmp_path: Path) -> None:
    port = bridge.url.rpartition(":")[2]
    done = subprocess.run(
        [BRIDGE, "quickstart", "--dir", str(tmp_path / "other"), "--port", port],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(r"BRG-SERVE-ADDRESS: .* Next: .*\n", done.stderr)


def test_check_is_content_and_says_when_a_target_cannot_be_reached(own: Bridge) -> None:
    config = ("--config", str(own.directory / "bridge.toml"))
    assert "PROBLEM" not in run("check", *config)
    with (own.directory / "bridge.toml").open("a") as file:
        file.write('[[backends]]\ntype = "sql"\nname = "gone"\nurl = "sqlite:////no/such/dir/db"\n')
    assert "BRG-REACH-BACKEND" in run("check", *config, code=3)


def test_metrics_count_requests_and_deliveries(bridge: Bridge) -> None:
    simulate(bridge)
    assert bridge.figure("bridge_requests_total") > 40
    assert bridge.figure("bridge_deliveries_total") >= 8
    assert bridge.figure("bridge_journal_depth") == 0
    text = httpx.get(f"{bridge.url}/metrics").text
    assert 'route="/scim/v2/Users/{id}"' in text
    assert "quickstart" not in text


def test_a_stranger_learns_nothing_of_deliveries(bridge: Bridge) -> None:
    (row, *_) = simulate(bridge)["held"]
    assert row["backend"] == "people"
    for headers in ({}, {"Authorization": "Bearer brg_x"}):
        answer = httpx.get(f"{bridge.url}/v1/deliveries/x", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert bridge.figure("bridge_token_failures_total") >= 2
