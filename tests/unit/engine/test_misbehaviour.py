"""F31: whatever a backend raises, hangs in or finishes too late stays its own trouble."""

import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from bridge.core import delivery
from bridge.core.delivery import Look
from bridge.engine import lane
from bridge.journal import backends, claims, links
from bridge.journal.deliveries import DeliveryState
from bridge.plugin import InDoubt, Park
from tests.unit.engine.house import (
    ORGANIZATION,
    Always,
    Once,
    Target,
    Write,
    delivering,
    eventually,
    house,
    names,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "error",
    [TypeError("secret text"), SystemExit(3), KeyboardInterrupt(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
async def test_F31_whatever_a_plugin_raises_stays_with_its_change(
    tmp_path: Path, error: BaseException
) -> None:
    async with house(tmp_path) as here:
        here.target.behave = Always("ann", error)
        ann, bob = await here.user("ann"), await here.user("bob")
        await here.in_sync(bob)
        stuck = await here.until(ann, DeliveryState.PARKED)
        assert stuck.error is not None
        assert type(error).__name__ in stuck.error
        assert "secret text" not in stuck.error
        assert stuck.look is Look.ONCE  # nobody knows what was written


async def test_F31_a_plugin_that_cannot_be_opened_opens_the_circuit(tmp_path: Path) -> None:
    target = Target()

    def broken() -> NoReturn:
        sys.exit(1)

    target.on_open = broken
    async with house(tmp_path, target=target) as here:
        ann = await here.user("ann")
        await eventually(lambda: here.dispatcher.figures()["far"].circuit_opened == 1)
        assert (await here.delivery(ann)).attempts == 0
        target.on_open = lambda: None
        await here.write(lambda tx: backends.resume(tx, "far"))
        await here.in_sync(ann)


async def test_F31_a_plugin_that_breaks_on_every_change_opens_the_circuit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "CIRCUIT_SECONDS", 0.05)
    async with house(tmp_path, slots=4) as here:
        broken = threading.Event()
        broken.set()

        def break_down(_: Write) -> None:
            if broken.is_set():
                raise ValueError("secret text")

        here.target.behave = break_down
        people = [await here.user(f"user{n}") for n in range(20)]
        await eventually(lambda: here.figures.circuit_opened == 1)
        await eventually(lambda: here.figures.outcomes["BackendDown"] >= 5, 10)  # it is probed
        row = await here.journal.read(lambda r: backends.get(r, "far"))
        assert row is not None
        assert row.reason is not None
        assert row.state == "open"
        assert "ValueError" in row.reason
        assert "secret text" not in row.reason
        used = [(await here.delivery(id_)).attempts for id_ in people]
        assert sum(used) == here.figures.outcomes["RetryLater"]
        assert sum(map(bool, used)) < lane.BROKEN_LIMIT
        broken.clear()
        await here.in_sync(*people, seconds=10)
        assert here.figures.circuit_opened == 1


async def test_F31_one_change_that_breaks_the_plugin_is_parked_alone(tmp_path: Path) -> None:
    async with house(tmp_path, slots=4) as here:
        here.target.behave = Always("ann", ValueError())
        ann = await here.user("ann")
        await here.until(ann, DeliveryState.PARKED)
        people = [await here.user(f"user{n}") for n in range(20)]
        await here.in_sync(*people)
        assert here.figures.circuit_opened == 0


async def test_F31_changes_that_break_the_plugin_between_others_are_parked(tmp_path: Path) -> None:
    """Twice as many as would open the circuit, had nothing been answered in between."""
    async with house(tmp_path, slots=1) as here:

        def break_down(write: Write) -> None:
            if str(names(write)).startswith("bad"):
                raise ValueError

        here.target.behave = break_down
        for number in range(2 * lane.BROKEN_LIMIT):
            bad = await here.user(f"bad{number}")
            await here.until(bad, DeliveryState.PARKED)
            await here.in_sync(await here.user(f"good{number}"))
        assert here.figures.circuit_opened == 0


async def test_F31_a_hanging_call_is_abandoned_and_the_others_go_on(
    tmp_path: Path, quick_doubts: None
) -> None:
    async with house(tmp_path, slots=2, lease_seconds=0.9) as here:
        release = threading.Event()

        def hang(write: Write) -> None:
            if names(write) == "ann" and not release.is_set():
                release.wait(20)

        here.target.behave = hang
        ann = await here.user("ann")
        people = [await here.user(f"user{n}") for n in range(30)]
        await here.in_sync(*people)
        await eventually(lambda: here.dispatcher.figures()["far"].abandoned >= 1)
        assert here.dispatcher.figures()["far"].slots == 2
        doubtful = await here.until(ann, DeliveryState.RETRYING)
        assert doubtful.look is Look.TWICE
        release.set()
        await here.in_sync(ann, seconds=10)
        assert here.target.held[ann] == {"userName": "ann"}
        await eventually(lambda: here.dispatcher.figures()["far"].abandoned == 0)


async def test_a_late_write_of_an_abandoned_slot_is_healed(
    tmp_path: Path, quick_doubts: None
) -> None:
    """The abandoned thread writes an old name after newer ones: the target is put right again."""
    async with house(tmp_path, slots=2, lease_seconds=0.6) as here:
        release = threading.Event()

        def hang(write: Write) -> None:
            if names(write) == "ann" and 1 in write.versions and not release.is_set():
                release.wait(20)

        here.target.behave = hang
        ann = await here.user("ann")
        bob = await here.user("bob")
        await eventually(lambda: here.dispatcher.figures()["far"].abandoned == 1)
        await here.rename(ann, "anna")
        await eventually(lambda: here.target.held.get(ann) == {"userName": "anna"})
        release.set()
        await eventually(lambda: len(here.target.versions(ann)) >= 3)
        await eventually(lambda: here.target.held.get(ann) == {"userName": "anna"})
        await here.in_sync(ann, bob)
        assert here.target.held[ann] == {"userName": "anna"}


async def test_when_every_slot_hangs_the_circuit_opens_and_threads_do_not_pile_up(
    tmp_path: Path, quick_doubts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "CIRCUIT_SECONDS", 0.05)
    monkeypatch.setattr(lane, "ABANDONED_LIMIT", 3)
    async with house(tmp_path, slots=2, lease_seconds=0.15) as here:
        release = threading.Event()

        def hang(_: Write) -> None:
            release.wait(20)

        here.target.behave = hang
        people = [await here.user(f"user{n}") for n in range(10)]
        await eventually(lambda: here.dispatcher.figures()["far"].abandoned == 3, 10)
        before = here.target.connections
        time.sleep(0.5)  # noqa: ASYNC251 - nothing may happen meanwhile
        assert here.target.connections <= before + 1
        assert sum([(await here.delivery(id_)).attempts for id_ in people]) <= 1
        release.set()
        await here.in_sync(*people, seconds=10)


async def test_a_receipt_that_cannot_be_stored_concerns_its_own_change_only(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here:
        here.target.link_name = lambda name: name.replace("ann", "\ud800")
        ann, bob = await here.user("ann"), await here.user("bob")
        await here.in_sync(ann, bob)  # ann's link was found by looking
        stored = await here.journal.read(lambda r: links.get_many(r, ORGANIZATION, "far", [ann]))
        assert stored[ann].target_id == f"target-{ann}"


async def test_a_reason_is_stored_as_one_bounded_line(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.target.behave = Always("ann", Park("a\0b\n" + "\ud800" + "x" * 9000, "do\nthis"))
        ann = await here.user("ann")
        stuck = await here.until(ann, DeliveryState.PARKED)
        assert stuck.error is not None
        assert stuck.error.startswith("ab ?xxx")
        assert len(stuck.error) == 500
        assert stuck.next_step == "do this"


async def test_a_name_that_moves_during_a_groups_delivery_has_the_group_looked_at_again(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, slots=2) as here:
        ann = await here.user("ann")
        team = await here.group("team")
        await here.in_sync(ann, team)
        moved = threading.Event()

        def slow_group(write: Write) -> None:
            if write.member_names == ("ann",):
                assert moved.wait(5)

        here.target.behave = slow_group
        await here.join(team, ann)
        await eventually(lambda: here.dispatcher.figures()["far"].busy == 1)
        await here.rename(ann, "anna")
        await here.in_sync(ann)
        looks = here.target.looks[team]
        moved.set()
        await eventually(lambda: here.target.looks[team] > looks)
        await here.in_sync(team)


async def test_a_link_outlives_its_resource(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ann = await here.user("ann")
        await here.in_sync(ann)
        await here.delete(ann)
        await here.in_sync(ann)
        found = await here.journal.read(lambda r: links.get_many(r, ORGANIZATION, "far", [ann]))
        assert found[ann].name == "ann"


async def test_a_dead_workers_entity_is_looked_at_twice(tmp_path: Path, quick_doubts: None) -> None:
    async with house(tmp_path, running=False) as here:
        await here.write(lambda tx: backends.add(tx, "far", "scripted"))
        ann = await here.user("ann")
        (claim,) = await here.write(
            lambda tx: claims.claim(tx, "far", room=9, worker="dead", lease_seconds=60)
        )
        assert claim.look is Look.TRUST
        async with delivering(here):
            await eventually(lambda: here.target.versions(ann) == [1])
            assert here.target.looks[ann] == 2


async def test_a_new_change_does_not_wait_for_the_verification_of_an_old_doubt(
    tmp_path: Path, quick_doubts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "VERIFY_SECONDS", 60.0)
    async with house(tmp_path) as here:
        here.target.behave = Once("ann", InDoubt("cut in flight"))
        ann = await here.user("ann")
        await eventually(lambda: here.target.versions(ann) == [1])
        await here.rename(ann, "anna")
        await here.in_sync(ann, seconds=3)
        assert here.target.held[ann] == {"userName": "anna"}
