"""Laws of crossing: slots side by side, resources that overtake each other, all of it once more.

The host keeps the order of one resource's changes and no other, gives as many of them together as
happen to be pending, and may use any slot.

Rule: whatever order the host is allowed to choose leads to the same state.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from bridge.plugin import (
    BackendDown,
    ChangeRecord,
    Defer,
    Entity,
    InDoubt,
    Park,
    RetryLater,
    Surprise,
)
from bridge.testing.harness import Carrier
from bridge.testing.journeys import Journey
from bridge.testing.world import World

SEED = 3
"""Of the order that the host happens to choose; the same in every run."""

SLOTS = 4
PENDING = 1_000
"""Changes of one group that are pending together."""

FEW_STEPS = 10
"""Steps that a thousand pending changes of one group may become."""


class CrossingLaws:
    """Order, slots, repetition."""

    def test_resources_may_overtake_each_other(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        pending: dict[Entity, list[ChangeRecord]] = {}
        for change in journey(world):
            pending.setdefault(change.entity, []).append(change)
        deliver(carrier, pending, random.Random(SEED))  # noqa: S311 - a shuffle, no secret
        carrier.expect()

    def test_snapshots_bring_everything(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        for _ in journey(world):
            pass
        deliver_snapshots(carrier, world)
        carrier.expect()

    def test_delivering_everything_again_changes_nothing(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        for change in journey(world):
            carrier.carry(change)
        deliver_snapshots(carrier, world)
        carrier.expect()

    def test_a_plan_may_be_executed_by_another_slot(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        other = carrier.harness.open()
        for change in journey(world):
            carrier.keep(other.execute(carrier.plan(change)))
        other.close()
        carrier.expect()

    def test_slots_take_turns_with_one_resource(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        slots = [carrier, Carrier(carrier.harness, world)]
        for number, change in enumerate(journey(world)):
            slots[number % 2].carry(change)
        slots[1].backend.close()
        carrier.expect()

    def test_slots_work_side_by_side(self, carrier: Carrier, world: World) -> None:
        changes = [world.user(f"user-{n}") for n in range(24)]
        slots = [Carrier(carrier.harness, world) for _ in range(SLOTS)]
        start = threading.Barrier(len(slots))

        def work(slot: int) -> None:
            start.wait()
            for change in changes[slot :: len(slots)]:
                patiently(partial(slots[slot].carry, change))
            slots[slot].backend.close()

        with ThreadPoolExecutor(len(slots)) as pool:
            list(pool.map(work, range(len(slots))))
        carrier.expect()

    def test_many_pending_changes_become_few_steps(self, carrier: Carrier, world: World) -> None:
        if not carrier.harness.type.coalesces:
            pytest.skip("this backend takes every change on its own")
        handles = [f"user-{n}" for n in range(PENDING)]
        carrier.links.update(carrier.harness.stand_ins([world.id(each) for each in handles]))
        carrier.carry(world.group("all"))
        changes = [world.members("all", add=[handle]) for handle in handles]
        plan = carrier.plan(*changes)
        assert len(plan.steps) <= FEW_STEPS
        carrier.keep(carrier.backend.execute(plan))
        carrier.expect()

    def test_a_name_used_again_is_somebody_else(self, carrier: Carrier, world: World) -> None:
        first = world.user("ann")
        carrier.carry(first)
        carrier.carry(world.group("sales", "ann"))
        known = carrier.links.get(first.entity.id)
        for change in world.delete("ann"):
            carrier.carry(change)
        second = world.user("anne", userName="ann@example.com")
        carrier.carry(second)
        carrier.expect()
        if known is not None:
            assert carrier.links[second.entity.id].target_id != known.target_id

    def test_two_groups_of_one_name_stay_two(self, carrier: Carrier, world: World) -> None:
        for change in (world.user("ann"), world.user("bob"), world.group("one", "ann", name="X")):
            carrier.carry(change)
        try:
            carrier.carry(world.group("two", "bob", name="X"))
        except (Park, RetryLater) as refusal:  # a name may become free while it is tried again
            assert refusal.reason
            world.forget("two")
        else:
            carrier.expect()
            for change in world.delete("two"):
                carrier.carry(change)
        carrier.expect()


def deliver(
    carrier: Carrier, pending: dict[Entity, list[ChangeRecord]], chance: random.Random
) -> None:
    """Deliver as the host may: entities in any order, of each as many changes as it happens to be.

    One that waits for another is given all that is pending when its turn comes again.
    """
    waited: set[Entity] = set()
    patience = 100
    while pending:
        entity = chance.choice(sorted(pending))
        queue = pending[entity]
        count = chance.randint(1, len(queue))
        if not carrier.harness.type.coalesces:
            count = 1
        elif entity in waited:
            count = len(queue)
        try:
            count = _delivered(carrier, queue, count)
        except Defer:
            waited.add(entity)
            patience -= 1
            assert patience, f"{entity} waits for ever"
            continue
        del queue[:count]
        if not queue:
            del pending[entity]


def _delivered(carrier: Carrier, queue: list[ChangeRecord], count: int) -> int:
    try:
        carrier.keep(carrier.backend.execute(carrier.plan(*queue[:count])))
    except Surprise:
        carrier.settle(queue[0].entity.id)
        return len(queue)  # what is there now is the newest state
    return count


def deliver_snapshots(carrier: Carrier, world: World) -> None:
    """Deliver the complete state of every live resource, as to a backend that is new."""
    live: Iterable[ChangeRecord] = [one for one in world.snapshots() if one.after is not None]
    deliver(carrier, {one.entity: [one] for one in live}, random.Random(SEED))  # noqa: S311


def patiently(attempt: Callable[[], object]) -> None:
    """Attempt again, as the host would, while the target asks for it."""
    for tries in range(50):
        try:
            attempt()
        except (RetryLater, InDoubt, BackendDown):
            time.sleep(0.01 * tries)
        else:
            return
    pytest.fail("the target never takes it")
