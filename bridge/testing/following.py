"""Laws of following: the target holds what the changes say, however often they are delivered.

Rule: a law reads what the target holds through the harness, never through the backend.
"""

import contextlib

import attrs
import pytest

from bridge.plugin import ChangeRecord, Entity, NotApplied, Park, Surprise
from bridge.testing.harness import BackendHarness, Carrier
from bridge.testing.journeys import JOURNEYS, Journey
from bridge.testing.world import World


class FollowingLaws:
    """Applying, planning, repeating."""

    def test_target_holds_what_the_changes_lead_to(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        for change in journey(world):
            carrier.carry(change)
        carrier.expect()

    def test_pending_versions_together_equal_one_by_one(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        if not carrier.harness.type.coalesces:
            pytest.skip("this backend takes every change on its own")
        pending: dict[Entity, list[ChangeRecord]] = {}
        for change in journey(world):
            pending.setdefault(change.entity, []).append(change)
        for changes in sorted(pending.values(), key=lambda some: some[0].entity.type != "User"):
            carrier.carry(*changes)
        carrier.expect()

    def test_looking_afterwards_finds_nothing_to_do(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        carrier.must_observe()
        for change in journey(world):
            carrier.carry(change)
        for snapshot in world.snapshots():
            assert carrier.look(snapshot.entity.id).steps == ()

    def test_organizations_do_not_meet(self, harness: BackendHarness) -> None:
        carriers = [Carrier(harness, World(organization)) for organization in harness.organizations]
        for carrier in carriers:
            for change in JOURNEYS["deletes-a-member"](carrier.world):
                carrier.carry(change)
        for carrier in carriers:
            carrier.expect()
            carrier.backend.close()

    def test_unknown_resource_type_disturbs_nothing(self, carrier: Carrier, world: World) -> None:
        change = world.user("ann")
        device = attrs.evolve(change, entity=attrs.evolve(change.entity, type="Device"))
        world.forget("ann")
        try:
            carrier.carry(device)
        except Park as refusal:
            assert refusal.next_step
        carrier.carry(world.user("bob"))
        carrier.expect()

    def test_plan_is_pure(self, carrier: Carrier, world: World, journey: Journey) -> None:
        other = carrier.harness.open()
        for change in journey(world):
            held = carrier.held()
            links = carrier.known([change])
            first, second = carrier.plan(change), other.plan([change], dict(links))
            assert first == second
            assert str(first) == str(second)
            assert (first.entity, first.version) == (change.entity, change.version)
            assert carrier.held() == held, "planning touched the target"
            assert carrier.known([change]) == links, "planning changed the links it was given"
            carrier.carry(change)
        other.close()

    def test_every_step_says_what_it_does(self, carrier: Carrier, world: World) -> None:
        texts = []
        for change in JOURNEYS["renames-a-user"](world):
            plan = carrier.plan(change)
            assert plan.steps
            assert all(str(step).strip() for step in plan.steps)
            carrier.carry(change)
            texts.append(str(plan))
        assert "ann-baker@example.com" in texts[-1]

    def test_member_that_is_not_there_yet_is_waited_for(
        self, carrier: Carrier, world: World
    ) -> None:
        ann, sales = world.user("ann"), world.group("sales", "ann")
        carrier.carry_around(sales, ann)
        carrier.expect()

    def test_a_plan_executed_twice_equals_once(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        for change in journey(world):
            plan = carrier.plan(change)
            carrier.keep(carrier.backend.execute(plan))
            try:
                carrier.keep(carrier.backend.execute(plan))
            except Surprise:
                carrier.must_observe()
                carrier.settle(change.entity.id)
        carrier.expect()

    def test_lost_acknowledgement_is_made_up_for(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        for change in journey(world):
            carrier.backend.execute(carrier.plan(change))
            carrier.restart()
            carrier.again(change)
        carrier.expect()

    def test_crash_between_two_steps_is_made_up_for(
        self, carrier: Carrier, world: World, journey: Journey
    ) -> None:
        for change in journey(world):
            plan = carrier.plan(change)
            for done in range(1, len(plan.steps)):
                with contextlib.suppress(Surprise):
                    carrier.backend.execute(attrs.evolve(plan, steps=plan.steps[:done]))
                carrier.restart()
            carrier.again(change)
        carrier.expect()

    def test_late_repetition_of_an_older_plan_is_put_right(
        self, carrier: Carrier, world: World
    ) -> None:
        ann, sales = world.user("ann"), world.group("sales", "ann")
        old = [carrier.carried(change) for change in (ann, sales)]
        for change in (world.members("sales", remove=["ann"]), *world.delete("ann")):
            carrier.carry(change)
        for plan in old:
            with contextlib.suppress(NotApplied):
                carrier.backend.execute(plan)
        if carrier.observes:
            for snapshot in world.snapshots():
                carrier.settle(snapshot.entity.id)
        carrier.expect()

    def test_deleting_what_is_not_there_succeeds(self, carrier: Carrier, world: World) -> None:
        ann, sales = world.user("ann"), world.group("sales", "ann")
        for change in (ann, sales):
            carrier.carry(change)
        for change in (*world.delete("sales"), *world.delete("ann")):
            carrier.carry(change)
            carrier.again(change)
        carrier.expect()
