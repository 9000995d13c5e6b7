"""Laws of scanning: a listing is complete, goes on, says what is there, and writes nothing.

Rule: every law is skipped, and says so, for a backend that does not list its target.
"""

from bridge.plugin import Drift, DriftKind, Found, Mending, Observed, Plan
from bridge.testing.harness import BackendHarness, Carrier
from bridge.testing.world import World, held_of

PEOPLE = 12
"""How many people are listed: give the backend pages of fewer in the harness."""


class ScanningLaws:
    """Import and reconcile rely on these."""

    def test_scan_lists_everything_with_people_first(self, carrier: Carrier, world: World) -> None:
        carrier.must_scan()
        populate(carrier, world)
        entries = carrier.scanned()
        kinds = [entry.type for entry in entries]
        assert kinds == sorted(kinds, key=lambda kind: kind != "User")
        listed = sorted(entry.target_id for entry in entries)
        assert listed == sorted(link.target_id for link in carrier.links.values())
        assert {e.target_id: e.name for e in entries} == {
            link.target_id: link.name for link in carrier.links.values()
        }

    def test_scan_goes_on_in_another_instance(
        self, harness: BackendHarness, carrier: Carrier, world: World
    ) -> None:
        carrier.must_scan()
        populate(carrier, world)
        listed, cursor = set(), None
        for _ in range(100):
            page = carrier.must_scan().scan(cursor)
            assert page.complete
            listed |= {entry.target_id for entry in page.entries}
            if (cursor := page.next_cursor) is None:
                break
            carrier.backend.close()
            carrier.backend = harness.open()
        else:
            # It began again each time; in one go it must come to an end.
            listed |= {entry.target_id for entry in carrier.scanned()}
        assert listed == {link.target_id for link in carrier.links.values()}

    def test_scan_says_what_is_there(self, carrier: Carrier, world: World) -> None:
        carrier.must_scan()
        populate(carrier, world)
        ids = {link.target_id: resource_id for resource_id, link in carrier.links.items()}
        entries = carrier.scanned()
        keys = {entry.key: ids[entry.target_id] for entry in entries}
        assert len(keys) == len(entries), "two keys are the same"
        said = {
            ids[e.target_id]: held_of(e.type, e.attributes, [keys.get(m, m) for m in e.members])
            for e in entries
        }
        assert said == world.expected()
        assert not any(entry.problem for entry in entries)

    def test_scan_writes_nothing(self, carrier: Carrier, world: World) -> None:
        carrier.must_scan()
        populate(carrier, world)
        carrier.harness.spoil(world.id("person-1"))
        before = carrier.held()
        first, second = carrier.scanned(), carrier.scanned()
        assert carrier.held() == before
        assert [e.target_id for e in first] == [e.target_id for e in second]

    def test_scan_shows_drift_and_its_end(self, carrier: Carrier, world: World) -> None:
        carrier.must_scan()
        populate(carrier, world)
        assert drift(carrier, world) == {}
        for handle in ("person-1", "team"):
            carrier.harness.spoil(world.id(handle))
        found = drift(carrier, world)
        assert set(found) == {world.id("person-1"), world.id("team")}
        for plan in found.values():
            said = [one for step in plan.steps for one in mended(step)]
            assert {one.kind for one in said} <= {
                DriftKind.CHANGED,
                DriftKind.RENAMED,
                DriftKind.MEMBERS,
            }
            assert said, "no step says what it mends"
            carrier.keep(carrier.backend.execute(plan))
        assert drift(carrier, world) == {}
        carrier.expect()

    def test_scan_lists_what_others_made(self, carrier: Carrier, world: World) -> None:
        carrier.must_scan()
        carrier.carry(world.user("ann"))
        carrier.harness.plant("stranger@example.com")
        names = {entry.attributes.get("userName") for entry in carrier.scanned()}
        assert names == {"ann@example.com", "stranger@example.com"}


def populate(carrier: Carrier, world: World) -> None:
    """Bring a dozen people and two groups into the target."""
    handles = [f"person-{number}" for number in range(PEOPLE)]
    for handle in handles:
        carrier.carry(world.user(handle))
    carrier.carry(world.group("team", *handles))
    carrier.carry(world.group("empty"))


def drift(carrier: Carrier, world: World) -> dict[str, Plan]:
    """Return, for everything listed that is not in step, the plan that would mend it."""
    ids = {link.target_id: resource_id for resource_id, link in carrier.links.items()}
    plans = {
        ids[e.target_id]: planned(carrier, world, ids[e.target_id], e) for e in carrier.scanned()
    }
    return {resource_id: plan for resource_id, plan in plans.items() if plan.steps}


def planned(carrier: Carrier, world: World, resource_id: str, entry: Found) -> Plan:
    """Return what the backend would do about what was listed for a resource."""
    snapshot = world.snapshot(resource_id)
    link = carrier.links[resource_id]
    observed = Observed(resource_id, link, entry.state)
    return carrier.backend.plan([snapshot], carrier.known([snapshot]), observed)


def mended(step: object) -> tuple[Drift, ...]:
    """Return what a step says it mends."""
    return tuple(step.drift) if isinstance(step, Mending) else ()
