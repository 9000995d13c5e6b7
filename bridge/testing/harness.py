"""What a plugin author writes to have a backend judged, and the stand-in for the host.

Rule: `held` reads the target by other means than the backend under test.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import pytest

from bridge.plugin import (
    Backend,
    BackendType,
    ChangeRecord,
    Defer,
    Found,
    Link,
    Observer,
    Plan,
    Receipt,
    Scanner,
    Surprise,
)
from bridge.testing.world import Held, World


class BackendHarness:
    """One target, empty at first. Override what your backend and target can do.

    A law that needs something not overridden is skipped, and pytest says so.
    """

    type: BackendType
    """What the plugin registers."""

    organizations: tuple[str, str] = ("acme", "globex")
    """Two organizations that the target holds nothing of at first."""

    secrets: Sequence[str] = ()
    """Secret texts in the settings; none may appear in what a person reads."""

    takes_access: bool = False
    """Whether the target is given workspaces, folders and who may do what on them."""

    very_big_group: int = 100_000
    """Members of the biggest group; fewer where another target of this type is given them all."""

    deadline_seconds: float = 10.0
    """Within this, `execute` gives up on a target that does not answer (a third of a lease)."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        """What the host knows by now, by resource id."""

    def open(self) -> Backend:
        """Return a new backend on the target, as one slot has it."""
        raise NotImplementedError

    def held(self, organization: str) -> Held:
        """Return what the target holds of this organization.

        `self.links` tell which resource a thing in the target is, where it does not say so.
        """
        raise NotImplementedError

    def judge(self, carrier: "Carrier") -> None:
        """Assert that the target holds what the carrier's world says, and nothing else."""
        held = self.held(carrier.world.organization)
        assert held == self.representable(carrier.world.expected())

    def representable(self, expected: Held) -> Held:
        """Return what of that this kind of target is able to hold: all of it, unless overridden."""
        return expected

    def stand_ins(self, resource_ids: Sequence[str]) -> Mapping[str, Link]:  # noqa: ARG002
        """Return links, if they are needed, of users who need not exist: a big group's members."""
        return {}

    def vanish(self, resource_id: str) -> None:
        """Remove what the target holds for a resource, behind the bridge's back."""
        pytest.skip(f"the harness cannot remove {resource_id} from the target")

    def spoil(self, resource_id: str) -> None:
        """Change a user's mail address, or a group's name or members, behind the bridge's back."""
        pytest.skip(f"the harness cannot change {resource_id} in the target")

    def plant(self, user_name: str) -> None:
        """Put a person into the target that the bridge did not make."""
        pytest.skip(f"the harness cannot put {user_name} into the target")

    def unreachable(self) -> Backend:
        """Return a backend whose target does not exist."""
        pytest.skip("the harness has no target that cannot be reached")

    def stalled(self) -> AbstractContextManager[None]:
        """While entered, the target takes requests and answers none."""
        pytest.skip("the harness cannot stop the target from answering")

    def forgetful(self) -> AbstractContextManager[Backend]:
        """Yield an open backend: what it asks for from now on is done, and it never hears of it."""
        pytest.skip("the harness cannot lose the target's answers")

    def close(self) -> None:
        """Take the target away."""


class Carrier:
    """Delivers as the host does: plans, executes, keeps links, looks where it was surprised."""

    def __init__(self, harness: BackendHarness, world: World) -> None:
        self.harness = harness
        self.world = world
        self.links = harness.links
        self.backend = harness.open()

    @property
    def observes(self) -> bool:
        """Whether the backend can look at its target."""
        return isinstance(self.backend, Observer)

    def must_observe(self) -> Observer:
        """Return the backend as one that looks; a law that needs it is skipped without."""
        if not isinstance(self.backend, Observer):
            pytest.skip("this backend does not look at its target")
        return self.backend

    def must_scan(self) -> Scanner:
        """Return the backend as one that lists; a law that needs it is skipped without."""
        if not isinstance(self.backend, Scanner):
            pytest.skip("this backend does not list its target")
        return self.backend

    def scanned(self) -> list[Found]:
        """Return everything that a complete scan in one go lists."""
        entries: list[Found] = []
        cursor: str | None = None
        while True:
            page = self.must_scan().scan(cursor)
            assert page.complete, page.incomplete
            entries += page.entries
            if (cursor := page.next_cursor) is None:
                return entries

    def held(self) -> Held:
        """Return what the target holds of the world's organization."""
        return self.harness.held(self.world.organization)

    def expect(self) -> None:
        """The target holds what the world says, and nothing else."""
        self.harness.judge(self)

    def plan(self, *changes: ChangeRecord) -> Plan:
        """Return the plan for changes of one entity that trusts them."""
        return self.backend.plan(changes, self.known(changes))

    def carry(self, *changes: ChangeRecord) -> Receipt:
        """Bring one entity's changes into the target."""
        try:
            return self.keep(self.backend.execute(self.plan(*changes)))
        except Surprise:
            if not self.observes:
                raise
            return self.settle(changes[-1].entity.id)

    def carry_around(self, change: ChangeRecord, needed: ChangeRecord) -> None:
        """Bring a change into the target before what it needs: it defers, or does without."""
        try:
            self.carry(change)
        except Defer:
            self.carry(needed)
            self.carry(change)
        else:
            self.carry(needed)

    def carried(self, change: ChangeRecord) -> Plan:
        """Carry a change without a surprise and return the plan that did it."""
        plan = self.plan(change)
        self.keep(self.backend.execute(plan))
        return plan

    def look(self, resource_id: str) -> Plan:
        """Observe one resource and return the plan that makes the target as it should be."""
        return self._looked(resource_id)[0]

    def settle(self, resource_id: str) -> Receipt:
        """Observe one resource and converge; what was found of it there is its own from then on."""
        plan, found = self._looked(resource_id)
        receipt = self.keep(self.backend.execute(plan))
        known = {link.resource_id for link in receipt.links}
        if found and resource_id not in known and self.world.snapshot(resource_id).after:
            self.links[resource_id] = found
        return receipt

    def _looked(self, resource_id: str) -> tuple[Plan, Link | None]:
        observer = self.must_observe()
        snapshot = self.world.snapshot(resource_id)
        links = self.known([snapshot])
        (observed,) = observer.observe([snapshot], links)
        assert observed.resource_id == resource_id
        return self.backend.plan([snapshot], links, observed), observed.link

    def again(self, change: ChangeRecord) -> Receipt:
        """Bring an entity into step when nobody knows what became of the last attempt."""
        return self.settle(change.entity.id) if self.observes else self.carry(change)

    def known(self, changes: Sequence[ChangeRecord]) -> dict[str, Link]:
        """Return the links that the host would hand over for these changes."""
        ids = {changes[0].entity.id}.union(*(change.references for change in changes))
        return {key: link for key, link in self.links.items() if key in ids}

    def keep(self, receipt: Receipt) -> Receipt:
        """Store a receipt's links."""
        self.links.update((link.resource_id, link) for link in receipt.links)
        return receipt

    def restart(self) -> None:
        """Lose the connection and get a new one, as after a crash; links stay."""
        self.backend.close()
        self.backend = self.harness.open()
