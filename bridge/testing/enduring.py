"""Laws of endurance: size, and a target in trouble.

Rule: whatever happens, the outcome is one of the closed set and the target ends up right.
"""

import contextlib
import time
from collections.abc import Iterator

import pytest

from bridge.plugin import Defer, NotApplied, Park
from bridge.testing.crossing import patiently
from bridge.testing.harness import Carrier
from bridge.testing.world import World

BIG = 10_000
"""Members of a big group; the slow law takes as many as the harness says."""

SMALL_CHARACTERS = 2_000
"""Longest plan for one member more or less, however big the group is."""


class EnduringLaws:
    """Size and trouble."""

    def test_big_group_costs_its_change_only(self, carrier: Carrier, world: World) -> None:
        _big_group(carrier, world, BIG)

    @pytest.mark.slow
    def test_very_big_group_costs_its_change_only(self, carrier: Carrier, world: World) -> None:
        _big_group(carrier, world, carrier.harness.very_big_group)

    def test_big_group_is_put_right_by_its_difference(self, carrier: Carrier, world: World) -> None:
        carrier.must_observe()
        handles = _handles(carrier, world, BIG)
        carrier.carry(world.group("all", *handles))
        missed = world.members("all", remove=handles[:1])
        plan = carrier.look(missed.entity.id)
        assert plan.steps
        assert len(str(plan)) < SMALL_CHARACTERS
        carrier.keep(carrier.backend.execute(plan))
        carrier.expect()

    def test_target_that_does_not_answer_is_given_up_in_time(
        self, carrier: Carrier, world: World
    ) -> None:
        carrier.carry(world.user("ann"))
        change = world.update("ann", title="Lead")
        plan = carrier.plan(change)
        with carrier.harness.stalled(), in_time(carrier), pytest.raises(NotApplied):
            carrier.backend.execute(plan)
        carrier.restart()
        patiently(lambda: carrier.again(change))  # it may be busy with what it was sent before
        carrier.expect()

    def test_check_of_a_target_that_does_not_answer_ends_in_time(
        self, carrier: Carrier, world: World
    ) -> None:
        carrier.carry(world.user("ann"))
        with carrier.harness.stalled(), in_time(carrier), contextlib.suppress(NotApplied):
            carrier.backend.check()
        carrier.expect()

    def test_looking_at_a_target_that_does_not_answer_ends_in_time(
        self, carrier: Carrier, world: World
    ) -> None:
        observer = carrier.must_observe()
        carrier.carry(world.user("ann"))
        snapshot = world.snapshot(world.id("ann"))
        with carrier.harness.stalled(), in_time(carrier), contextlib.suppress(NotApplied):
            (seen,) = observer.observe([snapshot], carrier.links)
            assert seen.link is not None, "what could not be read was taken for absent"

    def test_closing_while_the_target_does_not_answer_ends_in_time(
        self, carrier: Carrier, world: World
    ) -> None:
        carrier.carry(world.user("ann"))
        with carrier.harness.stalled(), in_time(carrier):
            carrier.backend.close()
        carrier.restart()
        patiently(lambda: carrier.carry(world.user("bob")))
        carrier.expect()

    def test_lost_answer_is_told_and_made_up_for(self, carrier: Carrier, world: World) -> None:
        carrier.carry(world.user("ann"))
        change = world.update("ann", displayName="Ann the Second", active=False)
        plan = carrier.plan(change)
        with carrier.harness.forgetful() as backend, in_time(carrier):
            with pytest.raises(NotApplied) as trouble:
                backend.execute(plan)
            assert not isinstance(trouble.value, Park | Defer), "nobody knows whether it was done"
            backend.close()
        carrier.restart()
        patiently(lambda: carrier.again(change))
        carrier.expect()


@contextlib.contextmanager
def in_time(carrier: Carrier) -> Iterator[None]:
    """What is done while entered has to end in time."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < carrier.harness.deadline_seconds, "it took too long"


def _handles(carrier: Carrier, world: World, size: int) -> list[str]:
    handles = [f"user-{n}" for n in range(size)]
    carrier.links.update(carrier.harness.stand_ins([world.id(each) for each in handles]))
    return handles


def _big_group(carrier: Carrier, world: World, size: int) -> None:
    handles = _handles(carrier, world, size + 1)
    carrier.carry(world.group("all", *handles[:size]))
    for change in (
        world.members("all", add=handles[size:]),
        world.members("all", remove=handles[:1]),
    ):
        assert len(str(carrier.plan(change))) < SMALL_CHARACTERS
        carrier.carry(change)
    carrier.expect()
