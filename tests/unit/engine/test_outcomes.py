"""What becomes of a change when its backend says anything but "applied", or says it too late."""

import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from bridge.core import delivery
from bridge.engine import turn
from bridge.journal import backends, deliveries
from bridge.journal.deliveries import DeliveryState
from bridge.journal.store import Transaction
from bridge.plugin import BackendDown, InDoubt, Park, RetryLater, Schedule, Surprise
from tests.unit.engine.house import (
    QUICK,
    Always,
    Once,
    Target,
    Write,
    eventually,
    house,
)

pytestmark = pytest.mark.anyio


async def test_defer_a_group_waits_for_its_member_and_that_is_no_attempt(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.target.behave = Once("ann", RetryLater("busy", 0.4))
        ann = await here.user("ann")
        team = await here.group("team", ann)
        waiting = await here.until(team, DeliveryState.DEFERRED)
        assert waiting.attempts == 0
        assert waiting.error == f"{ann} is not there yet"
        await here.in_sync(ann, team)
        assert here.target.members[team] == {"ann"}


async def test_defer_a_dependency_that_will_not_come_parks_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "DEFER_LIMIT_SECONDS", 0.3)
    monkeypatch.setattr(turn, "DEFER_LIMIT_SECONDS", 0.3)
    async with house(tmp_path) as here:
        here.target.behave = Always("ann", Park("no room", "Make room."))
        ann = await here.user("ann")
        team = await here.group("team", ann)
        stuck = await here.until(team, DeliveryState.PARKED)
        assert stuck.error == f"{ann} is not there yet"
        assert stuck.next_step


async def test_defer_goes_on_as_long_as_the_dependency_is_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "DEFER_LIMIT_SECONDS", 0.3)
    monkeypatch.setattr(turn, "DEFER_LIMIT_SECONDS", 0.3)
    async with house(tmp_path) as here:
        here.target.behave = Once("ann", RetryLater("busy", 1.2))
        ann = await here.user("ann")
        team = await here.group("team", ann)
        await here.in_sync(ann, team)


async def test_retry_later_comes_again_by_schedule_and_then_parks(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        poison = here.target.behave = Always("ann", RetryLater("busy"))
        ann = await here.user("ann")
        stuck = await here.until(ann, DeliveryState.PARKED)
        assert poison.called == 1 + len(QUICK.delays_seconds)
        assert stuck.error == "busy (gave up after 4 attempts)"
        here.target.behave = Once("", RetryLater(""))
        await here.verb(deliveries.retry, ann)
        await here.in_sync(ann)
        assert here.target.versions(ann) == [1]


async def test_a_parked_change_blocks_its_own_resource_and_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path, slots=1) as here:
        here.target.behave = Always("ann", Park("schema violation", "Mend the mapping."))
        ann = await here.user("ann")
        stuck = await here.until(ann, DeliveryState.PARKED)
        assert (stuck.error, stuck.next_step) == ("schema violation", "Mend the mapping.")
        await here.rename(ann, "anna")
        bob = await here.user("bob")
        await here.in_sync(bob)
        stuck = await here.delivery(ann)
        assert (stuck.state, stuck.applied, stuck.target) == (DeliveryState.PARKED, 0, 2)
        assert here.target.versions(ann) == []


@pytest.mark.parametrize(
    ("verb", "written"),
    [(deliveries.retry, [1, 2, 3]), (deliveries.skip, [2, 3]), (deliveries.skip_to_latest, [3])],
)
async def test_a_person_retries_or_skips_what_is_parked(
    tmp_path: Path, verb: Callable[[Transaction, str, str, str], bool], written: list[int]
) -> None:
    async with house(tmp_path, looking=False, coalesces=False) as here:
        here.target.behave = Once("ann", Park("schema violation"))
        ann = await here.user("ann")
        await here.until(ann, DeliveryState.PARKED)
        await here.rename(ann, "anna")
        await here.rename(ann, "anne")
        assert await here.verb(verb, ann)
        await here.in_sync(ann)
        assert here.target.versions(ann) == written
        assert not await here.verb(verb, ann)


async def test_replay_and_resync_deliver_again(tmp_path: Path) -> None:
    async with house(tmp_path, looking=False, coalesces=False) as here:
        ann = await here.user("ann")
        await here.rename(ann, "anna")
        await here.in_sync(ann)
        assert await here.verb(partial(deliveries.replay, version=2), ann)
        await here.in_sync(ann)
        assert here.target.versions(ann) == [1, 2, 2]
        assert await here.write(lambda tx: deliveries.resync(tx, "far")) == 1
        await here.in_sync(ann)
        assert here.target.versions(ann) == [1, 2, 2, 1, 2]
        for version in (0, 3):
            again = partial(deliveries.replay, version=version)
            assert not await here.verb(again, ann)


async def test_resync_of_a_target_that_can_be_read_writes_only_what_differs(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here:
        ann, bob = await here.user("ann"), await here.user("bob")
        await here.in_sync(ann, bob)
        here.target.held[ann] = {"userName": "tampered"}
        await here.write(lambda tx: deliveries.resync(tx, "far"))
        await here.in_sync(ann, bob)
        assert here.target.held[ann] == {"userName": "ann"}
        assert here.target.versions(bob) == [1]


async def test_a_surprise_is_looked_into_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, schedule=Schedule("slow", (60.0,))) as here:
        here.target.behave = Once("ann", Surprise("there already"))
        ann = await here.user("ann")
        await here.in_sync(ann)
        assert here.target.looks[ann] == 1


async def test_in_doubt_waits_for_two_equal_readings_on_another_connection(
    tmp_path: Path, quick_doubts: None
) -> None:
    async with house(tmp_path, slots=1) as here:
        ann = await here.user("ann")
        await here.in_sync(ann)
        late: list[threading.Timer] = []

        def cut(write: Write) -> NoReturn:
            # The older write lands between the two readings, as a server that was stopped does.
            document = dict(write.document or {})
            late.append(threading.Timer(0.08, lambda: here.target.held.update({ann: document})))
            late[0].start()
            here.target.behave = lambda _: None
            raise InDoubt("cut in flight")

        here.target.behave = cut
        await here.rename(ann, "anna")
        await here.until(ann, DeliveryState.RETRYING)
        await here.rename(ann, "anne")
        await eventually(lambda: here.target.held[ann] == {"userName": "anne"})
        assert here.target.looks[ann] >= 3  # before, after, and equal to that
        assert here.target.connections == 2
        assert here.target.closed[:1] == [1]
        looks = here.target.looks[ann]
        await eventually(lambda: here.target.looks[ann] > looks)  # verified once more
        await here.in_sync(ann)
        late[0].join()
        assert here.target.held[ann] == {"userName": "anne"}


async def test_backend_down_opens_the_circuit_once_and_uses_no_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(delivery, "CIRCUIT_SECONDS", 0.05)
    async with house(tmp_path, slots=4) as here:
        ann = await here.user("ann")
        await here.in_sync(ann)
        down = threading.Event()
        down.set()
        probes: list[float] = []

        def refuse(_: Write) -> None:
            if down.is_set():
                probes.append(time.monotonic())
                raise BackendDown("connection refused")

        here.target.behave = refuse
        people = [await here.user(f"user{n}") for n in range(20)]
        await eventually(lambda: len(probes) >= 7)
        row = await here.journal.read(lambda r: backends.get(r, "far"))
        assert row is not None
        assert (row.state, row.reason) == ("open", "connection refused")
        waits = [after - before for before, after in pairwise(probes[4:])]
        assert all(wait > 0.04 for wait in waits)  # after the slots' own, one probe at a time
        assert waits == sorted(waits)
        assert {(await here.delivery(id_)).attempts for id_ in people} == {0}
        down.clear()
        await here.in_sync(*people)
        assert here.dispatcher.figures()["far"].circuit_opened == 1
        assert all(here.target.versions(id_) == [1] for id_ in people)


async def test_refused_credentials_are_tried_by_one_slot_and_not_before_the_asked_time(
    tmp_path: Path,
) -> None:
    target, tries = Target(), []

    def refuse() -> NoReturn:
        tries.append(time.monotonic())
        raise BackendDown("invalid credentials", 300.0)

    target.on_open = refuse
    async with house(tmp_path, slots=8, target=target) as here:
        for n in range(20):
            await here.user(f"user{n}")
        await eventually(lambda: len(tries) >= 1)
        await eventually(lambda: here.dispatcher.figures()["far"].circuit_opened == 1)
        row = await here.journal.read(lambda r: (r.now, backends.get(r, "far")))
        assert row[1] is not None
        assert row[1].retry_at is not None
        assert 290e6 < row[1].retry_at - row[0] < 301e6
        assert len(tries) == 1
