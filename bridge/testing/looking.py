"""Laws of looking: what a backend that reads its target sees, and what it makes of it.

Rule: every law is skipped, and says so, for a backend that does not look.
"""

import pytest

from bridge.testing.harness import Carrier
from bridge.testing.journeys import JOURNEYS
from bridge.testing.world import World


class LookingLaws:
    """Observing, drift, identity."""

    def test_looking_answers_in_order_and_says_what_is_absent(
        self, carrier: Carrier, world: World
    ) -> None:
        observer = carrier.must_observe()
        changes = [world.user("ann"), world.user("bob"), world.group("sales", "ann")]
        for change in (changes[0], changes[2]):
            carrier.carry(change)
        snapshots = [world.snapshot(c.entity.id) for c in (changes[2], changes[1], changes[0])]
        seen = observer.observe(snapshots, carrier.links)
        assert [o.resource_id for o in seen] == [s.entity.id for s in snapshots]
        assert [o.link is None for o in seen] == [False, True, False]
        assert observer.observe(snapshots, carrier.links) == seen

    def test_looking_at_nothing_sees_nothing(self, carrier: Carrier) -> None:
        assert list(carrier.must_observe().observe([], {})) == []

    def test_looking_writes_nothing(self, carrier: Carrier, world: World) -> None:
        observer = carrier.must_observe()
        for change in (world.user("ann"), world.group("sales", "ann")):
            carrier.carry(change)
        carrier.harness.spoil(world.id("ann"))
        held = carrier.held()
        observer.observe(world.snapshots(), carrier.links)
        assert carrier.held() == held

    def test_looking_finds_a_resource_whose_link_was_lost(
        self, carrier: Carrier, world: World
    ) -> None:
        observer = carrier.must_observe()
        ann = world.user("ann")
        carrier.carry(ann)
        known = carrier.links.pop(ann.entity.id)
        (seen,) = observer.observe([world.snapshot(ann.entity.id)], {})
        assert seen.link is not None
        assert seen.link.target_id == known.target_id

    def test_a_rename_keeps_the_identity(self, carrier: Carrier, world: World) -> None:
        carrier.must_observe()
        *before, rename = JOURNEYS["renames-a-user"](world)
        for change in before:
            carrier.carry(change)
        identity = carrier.links[rename.entity.id].target_id
        carrier.carry(rename)
        assert carrier.links[rename.entity.id].target_id == identity
        carrier.expect()

    @pytest.mark.parametrize("handle", ["ann", "sales", "empty"])
    @pytest.mark.parametrize("harm", ["vanish", "spoil"])
    def test_drift_is_seen_and_repaired(
        self, carrier: Carrier, world: World, handle: str, harm: str
    ) -> None:
        carrier.must_observe()
        for change in (world.user("ann"), world.group("sales", "ann"), world.group("empty")):
            carrier.carry(change)
        getattr(carrier.harness, harm)(world.id(handle))
        assert carrier.held() != world.expected(), "the harness changed nothing"
        for snapshot in world.snapshots():
            carrier.settle(snapshot.entity.id)
        carrier.expect()

    def test_change_on_something_that_vanished_puts_it_right(
        self, carrier: Carrier, world: World
    ) -> None:
        carrier.must_observe()
        for change in (world.user("ann"), world.user("bob"), world.group("sales", "ann")):
            carrier.carry(change)
        carrier.harness.vanish(world.id("sales"))
        carrier.carry(world.members("sales", add=["bob"]))
        carrier.harness.vanish(world.id("ann"))
        carrier.carry(world.update("ann", displayName="Ann the Second"))
        carrier.settle(world.id("sales"))
        carrier.expect()
