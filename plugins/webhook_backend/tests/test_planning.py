"""One change is one event: the same bytes and id at every attempt, and readable as a request."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.plugin import ChangeRecord, Level, Park, Secret
from bridge.testing import Story, World
from bridge_webhook import mapping, planning
from bridge_webhook.settings import Settings

SETTINGS = Settings(
    url="https://hooks.example.com/bridge?token=in-the-query",
    secret=Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
)


def test_story_reads_as_http(story: Story, golden: Callable[[str, str], None]) -> None:
    plans = [planning.plan(SETTINGS, [change]) for change in story.changes]
    golden(f"{story.name}.http", "\n\n".join(map(str, plans)))


def messages(change: ChangeRecord, **others: Any) -> list[dict[str, Any]]:
    """The events that are sent for a change, as their receiver reads them."""
    own = attrs.evolve(SETTINGS, **others)
    return [json.loads(message.body) for message in mapping.messages(change, own)]


def ids(change: ChangeRecord) -> list[str]:
    return [message.id for message in mapping.messages(change, SETTINGS)]


def test_every_event_has_its_own_id() -> None:
    found: list[str] = []
    for world in (World("acme"), World("globex")):
        world.user("ann")
        for change in (
            world.user("bob"),
            world.update("ann", title="Lead"),
            world.workspace("crm"),
            world.access("crm", {"ann": Level.VIEW}),
        ):
            found += ids(change)
    assert len(set(found)) == len(found) == 8


@given(st.text(), st.text())
def test_id_depends_on_the_change_and_on_nothing_else(a: str, b: str) -> None:
    change = World(a).user("ann", displayName=b)
    assert ids(change) == ids(World(a).user("ann", displayName=f"{b}!"))
    assert ids(change) != ids(World(f"{a}!").user("ann"))


def test_event_says_what_changed_and_the_whole_state() -> None:
    world = World()
    world.user("ann", active=True)
    (event,) = messages(world.update("ann", active=False))
    assert event["type"] == "user.updated"
    assert event["data"]["version"] == 2
    assert event["data"]["changed"] == ["active"]
    assert event["data"]["attributes"]["active"] is False
    assert event["data"]["attributes"]["userName"] == "ann@example.com"


def test_event_says_only_what_differs_if_that_is_asked_for() -> None:
    world = World()
    created = world.user("ann", title="Lead")
    (event,) = messages(world.update("ann", title=None, active=False), content="delta")
    assert event["data"]["attributes"] == {"active": False, "title": None}
    (event,) = messages(created, content="delta")
    assert event["data"]["attributes"]["userName"] == "ann@example.com"


def test_long_membership_is_counted_instead_of_listed() -> None:
    change = World().group("all", *(f"user-{n}" for n in range(500)))
    (event,) = messages(change)
    assert event["data"]["members_changed"] == 500
    assert "members" not in event["data"]
    (event,) = messages(change, body_bytes=200_000)
    assert len(event["data"]["members"]["added"]) == 500


def test_long_access_is_counted_instead_of_listed() -> None:
    world = World()
    world.workspace("crm")
    change = world.access("crm", {f"user-{n}": Level.VIEW for n in range(500)})
    (event,) = messages(change)
    assert (event["type"], event["data"]["users_changed"]) == ("access.granted", 500)
    (event,) = messages(change, body_bytes=200_000)
    assert event["data"]["users"][0].keys() == {"id", "level", "state"}


def test_event_that_cannot_be_made_small_enough_is_parked() -> None:
    change = World().user("ann", displayName="x" * 2_000)
    with pytest.raises(Park, match="more than 1000") as refusal:
        messages(change, body_bytes=1_000)
    assert "body_bytes" in refusal.value.next_step


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({}, ["user.created", "workspace.created", "access.granted", "folder.created"]),
        ({"types": {"user.*"}}, ["user.created"]),
        ({"types": {"user.updated", "access.granted"}}, ["access.granted"]),
        ({"types": {"access.*", "folder.created"}}, ["access.granted", "folder.created"]),
        ({"organizations": {"globex"}}, []),
        ({"organizations": {"acme", "globex"}, "types": {"user.*"}}, ["user.created"]),
        ({"workspaces": {World().id("crm")}}, ["workspace.created", "access.granted"]),
        ({"workspaces": {World().id("erp")}}, ["folder.created"]),
    ],
)
def test_only_what_is_asked_for_is_sent(wanted: dict[str, Any], sent: list[str]) -> None:
    world = World()
    changes = [
        world.user("ann"),
        world.workspace("crm"),
        world.access("crm", {"ann": Level.VIEW}),
        world.folder("notes", "erp"),
    ]
    own: dict[str, Any] = {name: frozenset(value) for name, value in wanted.items()}
    assert [event["type"] for one in changes for event in messages(one, **own)] == sent
    entities = attrs.evolve(SETTINGS, **own).entities
    kept = [one for one in changes if entities is None or one.entity.type in entities]
    assert [event["type"] for one in kept for event in messages(one, **own)] == sent


def test_query_of_the_address_is_not_shown() -> None:
    plan = planning.plan(SETTINGS, [World().user("ann")])
    assert "in-the-query" not in f"{plan}{plan!r}{SETTINGS.secret}"
    assert "POST /bridge?*** HTTP/1.1" in str(plan)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "https:///path",
        "https://user:pass@example.com/",
        "https://user@example.com/",
        "https://example.com/#fragment",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exämple.com/",
        "https://[::1/",
        "",
    ],
)
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"url|[Pp]ort|IPv6"):
        Settings(url=url, secret=SETTINGS.secret)


@pytest.mark.parametrize(
    "secret",
    ["", "c2hvcnQ=", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "whpk_" + "A" * 44],
)
def test_malformed_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="secret: ") as refusal:
        Settings(url=SETTINGS.url, secret=Secret(secret))
    assert secret.removeprefix("whsec_") == "" or secret not in str(refusal.value)
