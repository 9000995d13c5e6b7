"""Laws of access: who may do what on a workspace or folder, as the target is told.

What the laws of following and crossing ask for holds for access as well: their journeys go through
workspaces and folders.

Rule: every law is skipped, and says so, for a backend that takes no access.
"""

import pytest

from bridge.plugin import Level
from bridge.testing.enduring import SMALL_CHARACTERS
from bridge.testing.harness import BackendHarness, Carrier
from bridge.testing.world import World

NO_ACCESS = "this backend takes no access"
"""Why a law is skipped."""

PIECE = 1_000
"""Users whose access one change record names at most."""


class AccessLaws:
    """Workspaces, folders, levels."""

    @pytest.fixture
    def place(self, harness: BackendHarness, carrier: Carrier, world: World) -> str:
        """A workspace that is there already."""
        if not harness.takes_access:
            pytest.skip(NO_ACCESS)
        carrier.carry(world.workspace("space"))
        return "space"

    def test_access_of_many_users_arrives_in_pieces(
        self, carrier: Carrier, world: World, place: str
    ) -> None:
        users = _users(carrier, world, 2 * PIECE + 500)
        changes = [
            world.access(place, dict.fromkeys(users[start : start + PIECE], Level.VIEW))
            for start in range(0, len(users), PIECE)
        ]
        carrier.carry(changes[0])
        for rest in [changes[1:]] if carrier.harness.type.coalesces else [[c] for c in changes[1:]]:
            carrier.carry(*rest)
        carrier.expect()

    def test_one_users_access_costs_its_change_only(
        self, carrier: Carrier, world: World, place: str
    ) -> None:
        users = _users(carrier, world, PIECE)
        carrier.carry(world.access(place, dict.fromkeys(users, Level.VIEW)))
        for level in (Level.EDIT, None):
            change = world.access(place, {users[0]: level})
            assert len(str(carrier.plan(change))) < SMALL_CHARACTERS
            carrier.carry(change)
        carrier.expect()

    def test_access_of_somebody_who_is_not_there_yet_is_waited_for(
        self, carrier: Carrier, world: World, place: str
    ) -> None:
        ann, granted = world.user("ann"), world.access(place, {"ann": Level.CHECK})
        carrier.carry_around(granted, ann)
        carrier.expect()


def _users(carrier: Carrier, world: World, count: int) -> list[str]:
    handles = [f"user-{number}" for number in range(count)]
    carrier.links.update(carrier.harness.stand_ins([world.id(each) for each in handles]))
    return handles
