"""Versions of an entity reach a target in order, never two at a time; entities run in parallel."""

import asyncio
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.journal import backends
from bridge.journal.deliveries import DeliveryState
from tests.unit.engine.house import Write, eventually, house

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("coalesces", "writes"), [(True, [(1, 2, 3)]), (False, [(1,), (2,), (3,)])]
)
async def test_pending_versions_go_together_or_one_by_one(
    tmp_path: Path, coalesces: bool, writes: list[tuple[int, ...]]
) -> None:
    async with house(tmp_path, coalesces=coalesces) as here:
        await here.write(lambda tx: backends.pause(tx, "far"))
        ann = await here.user("ann")
        await here.rename(ann, "anna")
        await here.rename(ann, "anne")
        assert (await here.delivery(ann)).state is DeliveryState.PENDING
        await here.write(lambda tx: backends.resume(tx, "far"))
        await here.in_sync(ann)
        assert [one.versions for one in here.target.written] == writes
        assert here.target.held[ann] == {"userName": "anne"}


@pytest.mark.parametrize("coalesces", [True, False])
async def test_under_load_each_entity_is_in_order_and_alone(
    tmp_path: Path, coalesces: bool
) -> None:
    chance = random.Random(7)

    def dawdle(_: Write) -> None:
        time.sleep(chance.random() * 0.004)

    async with house(tmp_path, coalesces=coalesces, slots=6) as here:
        here.target.behave = dawdle
        people = [await here.user(f"user{n}") for n in range(12)]

        async def churn(id_: str, name: str) -> None:
            for n in range(15):
                await here.rename(id_, f"{name}-{n}")
                await asyncio.sleep(chance.random() * 0.003)

        await asyncio.gather(*(churn(id_, f"user{n}") for n, id_ in enumerate(people)))
        await here.in_sync(*people)
        for id_ in people:
            assert here.target.versions(id_) == list(range(1, 17))
            for one, other in pairwise([w for w in here.target.written if w.id == id_]):
                assert one.ended <= other.began


async def test_entities_run_in_parallel_up_to_the_slots(tmp_path: Path) -> None:
    active, most = 0, 0

    async with house(tmp_path, slots=3) as here:

        def count(_: Write) -> None:
            nonlocal active, most
            with here.target.gate:
                active += 1
                most = max(most, active)
            time.sleep(0.02)
            with here.target.gate:
                active -= 1

        here.target.behave = count
        people = [await here.user(f"user{n}") for n in range(12)]
        await here.in_sync(*people)
        assert most == 3
        assert here.target.connections <= 3


async def test_no_more_than_three_claims_a_slot_are_out_of_the_journal(tmp_path: Path) -> None:
    async with house(tmp_path, slots=2) as here:
        here.target.behave = lambda _: time.sleep(0.02)
        people = [await here.user(f"user{n}") for n in range(30)]
        seen = []

        def drained() -> bool:
            seen.append(here.dispatcher.figures()["far"])
            return len(here.target.written) == 30

        await eventually(drained)
        await here.in_sync(*people)
        assert max(one.in_flight for one in seen) == 6 == seen[0].capacity
        assert max(one.busy for one in seen) == 2


async def test_a_change_that_arrives_during_a_delivery_is_delivered_after_it(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here:
        here.target.behave = lambda _: time.sleep(0.05)
        ann = await here.user("ann")
        await eventually(lambda: here.dispatcher.figures()["far"].busy == 1)
        await here.rename(ann, "anna")
        await here.in_sync(ann)
        assert here.target.versions(ann) == [1, 2]


async def test_a_deletion_that_never_reached_the_target_writes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.write(lambda tx: backends.pause(tx, "far"))
        ann = await here.user("ann")
        await here.delete(ann)
        await here.write(lambda tx: backends.resume(tx, "far"))
        await here.in_sync(ann)
        assert here.target.written == []


async def test_a_deletion_takes_the_user_out_and_marks_the_link_gone(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ann = await here.user("ann")
        await here.in_sync(ann)
        await here.delete(ann)
        await here.in_sync(ann)
        assert ann not in here.target.held
        assert here.target.versions(ann) == [1, 2]
