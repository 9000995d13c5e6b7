"""Starting, stopping, planning, and what happens when the journal itself is in trouble."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.core.errors import OperatorError, Unavailable
from bridge.engine import lane
from bridge.engine.planner import plan_pending
from bridge.engine.turn import take_turn
from bridge.hosting import HostedBackend
from bridge.journal import backends
from bridge.journal.deliveries import DeliveryState
from bridge.journal.store import Transaction
from bridge.plugin import BackendDown, BackendType, Park
from tests.unit.engine.house import Target, Write, delivering, eventually, house

pytestmark = pytest.mark.anyio


async def test_F32_stopping_hands_back_what_waits_and_finishes_what_is_under_way(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, slots=2) as here:
        here.target.behave = lambda _: time.sleep(0.2)
        people = [await here.user(f"user{n}") for n in range(12)]
        await eventually(lambda: here.dispatcher.figures()["far"].busy == 2)
        assert await here.dispatcher.stop(5)
        assert here.dispatcher.figures()["far"].in_flight == 0
        assert sorted(here.target.closed) == [1, 2]
        done = {one.id for one in here.target.written}
        states = {id_: (await here.delivery(id_)).state for id_ in people}
        assert {id_ for id_, state in states.items() if state is DeliveryState.IN_SYNC} == done
        assert set(states.values()) == {DeliveryState.IN_SYNC, DeliveryState.PENDING}
        assert 0 < len(done) < 12


async def test_stopping_does_not_wait_for_ever_and_what_hangs_keeps_its_lease(
    tmp_path: Path,
) -> None:
    release = threading.Event()
    async with house(tmp_path, slots=2) as here:

        def hang(_: Write) -> None:
            release.wait(20)

        here.target.behave = hang
        ann = await here.user("ann")
        await eventually(lambda: here.dispatcher.figures()["far"].busy == 1)
        began = time.monotonic()
        assert not await here.dispatcher.stop(0.3)
        assert time.monotonic() - began < 2
        assert (await here.delivery(ann)).state is DeliveryState.DELIVERING
        release.set()


async def test_a_bridge_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    target = Target()
    async with house(tmp_path, target=target, running=False) as here:
        await here.write(lambda tx: backends.add(tx, "far", "scripted"))
        people = [await here.user(f"user{n}") for n in range(5)]
    async with house(tmp_path, target=target) as here:
        await here.in_sync(*people)
    assert sorted(target.held) == sorted(people)


async def test_a_new_backend_gets_everybody_who_was_there_before(tmp_path: Path) -> None:
    async with house(tmp_path, running=False) as here:
        ann = await here.user("ann")
        await here.rename(ann, "anna")
        async with delivering(here):
            await here.in_sync(ann)
        assert here.target.held[ann] == {"userName": "anna"}


async def test_a_name_that_was_of_another_type_stops_the_start(tmp_path: Path) -> None:
    async with house(tmp_path, running=False) as here:
        await here.write(lambda tx: backends.add(tx, "far", "ldap"))
        with pytest.raises(OperatorError) as refusal:
            await here.dispatcher.run()
        assert refusal.value.code == "BRG-ENGINE-001"


async def test_one_backend_down_or_hanging_does_not_delay_another(tmp_path: Path) -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(20)

    def refuse() -> None:
        raise BackendDown("connection refused")

    def hosted(name: str, on_open: Callable[[], None]) -> HostedBackend:
        there = Target()
        there.on_open = on_open
        kind = BackendType(name, "", object, lambda _: there.open(looking=True))
        return HostedBackend(name, kind, lambda: there.open(looking=True), slots=2)

    async with house(tmp_path, beside=[hosted("down", refuse), hosted("hanging", hang)]) as here:
        began = time.monotonic()
        await here.in_sync(*[await here.user(f"user{n}") for n in range(20)])
        assert time.monotonic() - began < 3
        await eventually(lambda: here.dispatcher.figures()["down"].circuit_opened == 1)
        release.set()


async def test_F20_poison_delays_nobody_else_by_200_ms_and_nothing_of_its_own_passes(
    tmp_path: Path,
) -> None:
    committed: dict[str, float] = {}
    async with house(tmp_path) as here:

        def refuse(write: Write) -> None:
            if write.document and str(write.document["userName"]).startswith("poison"):
                raise Park("schema violation")

        here.target.behave = refuse
        poison = await here.user("poison")
        await here.until(poison, DeliveryState.PARKED)
        for number in range(200):  # about 200 a second
            if number % 20 == 0:
                await here.rename(poison, f"poison{number}")
            committed[await here.user(f"user{number}")] = time.monotonic()
            await asyncio.sleep(0.004)
        await here.in_sync(*committed)
        assert here.target.versions(poison) == []
        stuck = await here.delivery(poison)
        assert (stuck.state, stuck.applied, stuck.target) == (DeliveryState.PARKED, 0, 11)
    late = [one.ended - committed[one.id] for one in here.target.written]
    assert max(late) < 0.2


async def test_a_journal_that_cannot_be_written_for_a_while_loses_no_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "JOURNAL_REST_SECONDS", 0.05)
    async with house(tmp_path) as here:
        refused: list[object] = []
        write = here.journal.write

        async def refuse(unit: Callable[[Transaction], Any]) -> Any:
            if here.target.written and len(refused) < 3:
                refused.append(unit)
                raise Unavailable("The disk is full; nothing was written.")
            return await write(unit)

        monkeypatch.setattr(here.journal, "write", refuse)
        ann = await here.user("ann")
        await here.in_sync(ann)
        assert len(refused) == 3
        assert here.target.versions(ann) == [1]


async def test_a_turn_that_fails_for_another_reason_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "JOURNAL_REST_SECONDS", 0.05)
    async with house(tmp_path) as here:
        failed: list[object] = []

        def fail_once(tx: Transaction, request: Any) -> Any:
            if request.reports and not failed:
                failed.append(request)
                raise TypeError("a receipt that cannot be stored")
            return take_turn(tx, request)

        monkeypatch.setattr(lane, "take_turn", fail_once)
        monkeypatch.setattr("bridge.core.delivery.IN_DOUBT_SECONDS", 0.02)
        ann = await here.user("ann")
        await eventually(lambda: len(failed) == 1)
        await here.until(ann, DeliveryState.RETRYING)
        await eventually(lambda: here.target.looks[ann] >= 1)


@pytest.mark.parametrize("coalesces", [True, False])
async def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(
    tmp_path: Path, coalesces: bool
) -> None:
    async with house(tmp_path, coalesces=coalesces, running=False) as here:
        await here.write(lambda tx: backends.add(tx, "far", "scripted"))
        ann = await here.user("ann")
        await here.rename(ann, "anna")
        team = await here.group("team", ann)
        before = [await here.delivery(id_) for id_ in (ann, team)]
        first, second = await asyncio.to_thread(
            lambda: list(plan_pending(here.journal, here.hosted))
        )
        one_by_one = f"write {ann} (1,)\nwrite {ann} (2,)"
        assert first.text == (f"write {ann} (1, 2)" if coalesces else one_by_one)
        assert (first.applied, first.target) == (0, 2)
        assert second.refusal == f"Defer: {ann} is not there yet"
        assert [await here.delivery(id_) for id_ in (ann, team)] == before
        assert here.target.written == []
        (only,) = await asyncio.to_thread(
            lambda: list(plan_pending(here.journal, here.hosted, limit=1))
        )
        assert only == first


async def test_a_dry_run_reads_the_target_where_a_delivery_would(tmp_path: Path) -> None:
    async with house(tmp_path, running=False) as here:
        ann, bob = await here.user("ann"), await here.user("bob")
        await here.write(lambda tx: backends.add(tx, "far", "scripted"))
        here.target.held[ann] = {"userName": "ann"}
        plans = await asyncio.to_thread(lambda: list(plan_pending(here.journal, here.hosted)))
        texts = {one.entity.id: one.text for one in plans}
        assert texts == {ann: "", bob: f"write {bob} (1,)"}

        def broken(_: str) -> None:
            raise TypeError("secret")

        here.target.on_look = broken
        plans = await asyncio.to_thread(lambda: list(plan_pending(here.journal, here.hosted)))
        assert all("TypeError" in one.refusal and "secret" not in one.refusal for one in plans)
