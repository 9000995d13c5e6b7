"""One change is one event: the same bytes and id at every attempt, and readable as a request."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.plugin import Park, Secret
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


def test_every_change_has_its_own_id() -> None:
    worlds = World("acme"), World("globex")
    changes = [
        change
        for world in worlds
        for change in (world.user("ann"), world.user("bob"), world.update("ann", title="Lead"))
    ]
    assert len({mapping.message_id(change) for change in changes}) == len(changes)


@given(st.text(), st.text(), st.integers(1, 10**9))
def test_id_depends_on_every_part_and_on_nothing_else(a: str, b: str, version: int) -> None:
    world = World(a)
    change = world.user("ann", displayName=b)
    same = World(a).user("ann", displayName=f"{b}!")
    assert mapping.message_id(change) == mapping.message_id(same)
    assert mapping.message_id(change) != mapping.message_id(World(f"{a}!").user("ann"))


def test_event_says_what_changed_and_the_whole_state() -> None:
    world = World()
    world.user("ann", active=True)
    event = json.loads(mapping.body(world.update("ann", active=False), 20_000))
    assert event["type"] == "user.updated"
    assert event["data"]["version"] == 2
    assert event["data"]["changed"] == ["active"]
    assert event["data"]["attributes"]["active"] is False
    assert event["data"]["attributes"]["userName"] == "ann@example.com"


def test_long_membership_is_counted_instead_of_listed() -> None:
    change = World().group("all", *(f"user-{n}" for n in range(500)))
    event = json.loads(mapping.body(change, 20_000))
    assert event["data"]["members_changed"] == 500
    assert "members" not in event["data"]
    assert len(json.loads(mapping.body(change, 200_000))["data"]["members"]["added"]) == 500


def test_event_that_cannot_be_made_small_enough_is_parked() -> None:
    change = World().user("ann", displayName="x" * 2_000)
    with pytest.raises(Park, match="more than 1000") as refusal:
        mapping.body(change, 1_000)
    assert "body_bytes" in refusal.value.next_step


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
