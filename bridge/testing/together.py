"""Laws of plans done together: each ends as it would have ended alone.

Rule: every law is skipped, and says so, for a backend that takes one plan at a time.
"""

from collections.abc import Sequence
from functools import partial

import pytest

from bridge.plugin import (
    Batcher,
    ChangeRecord,
    Defer,
    NotApplied,
    Park,
    Plan,
    Receipt,
    Surprise,
)
from bridge.testing.crossing import patiently
from bridge.testing.enduring import in_time
from bridge.testing.harness import Carrier
from bridge.testing.world import World

PEOPLE = 12
"""How many are written together."""


class TogetherLaws:
    """Many plans at once."""

    def test_plans_together_equal_one_by_one(self, carrier: Carrier, world: World) -> None:
        handles = [f"person-{number}" for number in range(PEOPLE)]
        together(carrier, [world.user(handle) for handle in handles])
        carrier.expect()
        changes = [world.update(handle, displayName=f"Doctor {handle}") for handle in handles[2:]]
        changes += [world.user("late"), world.group("team", *handles[:2]), world.group("empty")]
        together(carrier, changes)
        carrier.expect()
        together(carrier, [*world.delete("person-5"), *world.delete("person-6")])
        carrier.expect()

    def test_refused_plan_takes_no_other_one_with_it(self, carrier: Carrier, world: World) -> None:
        carrier.must_observe()
        handles = [f"person-{number}" for number in range(PEOPLE)]
        together(carrier, [world.user(handle) for handle in handles])
        carrier.harness.vanish(world.id(handles[5]))
        changes = [world.update(handle, displayName=f"Doctor {handle}") for handle in handles]
        outcomes = done(carrier, [carrier.plan(change) for change in changes])
        refused = [number for number, one in enumerate(outcomes) if isinstance(one, NotApplied)]
        assert refused in ([], [5]), "others were refused with it"
        for number in refused:
            carrier.settle(world.id(handles[number]))
        carrier.expect()

    def test_plans_done_together_twice_equal_once(self, carrier: Carrier, world: World) -> None:
        changes = [world.user(f"person-{number}") for number in range(PEOPLE)]
        plans = [carrier.plan(change) for change in changes]
        for _ in range(2):
            for plan, outcome in zip(plans, done(carrier, plans), strict=True):
                if isinstance(outcome, Surprise):
                    carrier.must_observe()
                    carrier.settle(plan.entity.id)
                else:
                    carrier.keep(applied(outcome))
        carrier.expect()

    def test_each_plan_done_together_has_its_own_outcome(
        self, carrier: Carrier, world: World
    ) -> None:
        plans = [carrier.plan(world.user(f"person-{number}")) for number in range(PEOPLE)]
        for plan, outcome in zip(plans, done(carrier, plans), strict=True):
            told = {link.resource_id for link in applied(outcome).links}
            assert told <= {plan.entity.id}, "one is told what became of another"
            carrier.keep(applied(outcome))
        carrier.expect()

    def test_lost_answer_of_plans_done_together_is_told_and_made_up_for(
        self, carrier: Carrier, world: World
    ) -> None:
        handles = [f"person-{number}" for number in range(PEOPLE)]
        together(carrier, [world.user(handle) for handle in handles])
        changes = [world.update(handle, displayName=f"Doctor {handle}") for handle in handles]
        plans = [carrier.plan(change) for change in changes]
        with carrier.harness.forgetful() as backend, in_time(carrier):
            assert isinstance(backend, Batcher)
            try:
                outcomes = list(backend.execute_many(plans))
            except NotApplied as trouble:
                outcomes = [trouble]
            assert all(isinstance(one, NotApplied) for one in outcomes), (
                "it was told that all is well"
            )
            assert not any(isinstance(one, Park | Defer) for one in outcomes), (
                "nobody knows whether it was done"
            )
            backend.close()
        carrier.restart()
        for change in changes:
            patiently(partial(carrier.again, change))
        carrier.expect()


def together(carrier: Carrier, changes: Sequence[ChangeRecord]) -> None:
    """Carry changes of different entities at once."""
    for outcome in done(carrier, [carrier.plan(change) for change in changes]):
        carrier.keep(applied(outcome))


def done(carrier: Carrier, plans: Sequence[Plan]) -> list[Receipt | NotApplied]:
    """Have plans done until each has its outcome."""
    backend = carrier.backend
    if not isinstance(backend, Batcher):
        pytest.skip("this backend takes one plan at a time")
    outcomes: list[Receipt | NotApplied] = []
    while left := plans[len(outcomes) :]:
        new = list(backend.execute_many(left))
        assert 0 < len(new) <= len(left), "not as many outcomes as plans"
        assert all(isinstance(one, Receipt | NotApplied) for one in new)
        outcomes += new
    return outcomes


def applied(outcome: Receipt | NotApplied) -> Receipt:
    assert isinstance(outcome, Receipt), f"refused: {outcome!r}"
    return outcome
