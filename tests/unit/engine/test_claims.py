"""Claims, leases and fencing: what the journal promises the engine."""

from functools import partial
from pathlib import Path

import attrs
import pytest

from bridge.core.delivery import Look, NextState
from bridge.journal import backends, claims, deliveries, dependents, history, links, snapshots
from bridge.journal.claims import Claim
from bridge.journal.store import Transaction, prepared
from bridge.journal.tables import change
from bridge.plugin import Entity, Link, Operation
from tests.unit.engine.house import ORGANIZATION, House, house

pytestmark = pytest.mark.anyio

_FORGET = prepared(change.delete())


def claim(tx: Transaction, room: int = 100, worker: str = "one", lease: float = 30) -> list[Claim]:
    return claims.claim(tx, "far", room=room, worker=worker, lease_seconds=lease)


async def one_claim(here: House, worker: str = "one", lease: float = 30) -> Claim:
    (found,) = await here.write(lambda tx: claim(tx, worker=worker, lease=lease))
    assert isinstance(found, Claim)
    return found


@pytest.fixture
async def here(tmp_path: Path):  # type: ignore[no-untyped-def]
    async with house(tmp_path, running=False) as found:
        await found.write(lambda tx: backends.add(tx, "far", "scripted"))
        yield found


def applied(version: int) -> NextState:
    return NextState(applied=version, attempts=0, settled=True)


async def settled(here: House, ours: Claim, version: int) -> None:
    assert await here.write(lambda tx: claims.settle(tx, ours, applied(version), wrote=True))


async def test_what_is_claimed_is_not_claimed_again_until_the_lease_ends(here: House) -> None:
    await here.user("ann")
    await one_claim(here)
    assert await here.write(claim) == []


async def test_an_expired_lease_is_taken_over_and_looked_at_twice(here: House) -> None:
    await here.user("ann")
    first = await one_claim(here, lease=0)
    second = await one_claim(here, "two")
    assert (first.look, second.look) == (Look.TRUST, Look.TWICE)
    assert second.epoch == first.epoch + 1


async def test_the_longest_due_come_first_and_only_as_many_as_there_is_room(here: House) -> None:
    ids = [await here.user(f"user{n}") for n in range(5)]
    found = await here.write(partial(claim, room=3))
    assert [one.entity.id for one in found] == ids[:3]


async def test_leases_end_when_the_process_that_held_the_lock_is_gone(here: House) -> None:
    await here.user("ann")
    await one_claim(here)
    assert await here.write(lambda tx: claims.clear_leases(tx, "far")) == 1
    assert (await one_claim(here, "two")).look is Look.TWICE


async def test_a_late_settling_heals_what_it_may_have_overwritten(here: House) -> None:
    ann = await here.user("ann")
    late = await one_claim(here, lease=0)
    await here.rename(ann, "anna")
    now = await one_claim(here, "two")
    assert await here.write(lambda tx: claims.settle(tx, now, applied(2), wrote=True))
    assert not await here.write(lambda tx: claims.settle(tx, late, applied(1), wrote=True))
    healed = await one_claim(here, "three")
    assert (healed.applied, healed.target, healed.look) == (0, 2, Look.TWICE)
    assert [c.version for c in healed.changes()] == [1, 2]


async def test_a_late_settling_fences_out_the_worker_that_took_over(here: House) -> None:
    """The late write may land between the other's write and its settling: neither may count."""
    await here.user("ann")
    late = await one_claim(here, lease=0)
    now = await one_claim(here, "two", lease=0)
    assert not await here.write(lambda tx: claims.settle(tx, late, applied(1), wrote=True))
    assert not await here.write(lambda tx: claims.settle(tx, now, applied(1), wrote=True))
    assert (await one_claim(here, "three")).applied == 0


async def test_a_late_worker_that_wrote_nothing_changes_nothing(here: House) -> None:
    await here.user("ann")
    late = await one_claim(here, lease=0)
    now = await one_claim(here, "two")
    assert not await here.write(lambda tx: claims.settle(tx, late, applied(1), wrote=False))
    assert await here.write(lambda tx: claims.settle(tx, now, applied(1), wrote=True))
    assert await here.write(claim) == []


async def test_progress_renews_the_lease_and_is_fenced(here: House) -> None:
    ann = await here.user("ann")
    await here.rename(ann, "anna")
    ours = await one_claim(here, lease=0)
    assert await here.write(lambda tx: claims.progress(tx, ours, 1, 30))
    assert await here.write(claim) == []
    left = ours.after(1)
    assert left is not None
    assert [c.version for c in left.changes()] == [2]
    assert left.after(2) is None
    stale = attrs.evolve(ours, epoch=ours.epoch - 1)
    assert not await here.write(lambda tx: claims.progress(tx, stale, 2, 30))
    assert (await here.delivery(ann)).applied == 0  # healed to before what the stale one wrote


@pytest.mark.parametrize("meanwhile", [True, False])
async def test_only_what_is_merely_to_be_verified_waits_for_it(
    here: House, meanwhile: bool
) -> None:
    ann = await here.user("ann")
    ours = await one_claim(here)
    if meanwhile:
        await here.rename(ann, "anna")
    later = NextState(applied=1, attempts=0, delay_seconds=60, look=Look.ONCE)
    assert await here.write(lambda tx: claims.settle(tx, ours, later, wrote=True))
    assert len(await here.write(claim)) == int(meanwhile)
    if not meanwhile:
        await here.rename(ann, "anna")
        assert (await one_claim(here)).look is Look.ONCE


async def test_releasing_keeps_what_is_to_be_looked_at(here: House) -> None:
    await here.user("ann")
    await one_claim(here, lease=0)
    doubtful = await one_claim(here, "two")
    await here.write(lambda tx: claims.release(tx, [doubtful]))
    again = await one_claim(here, "three")
    assert (again.look, again.attempts) == (Look.TWICE, 0)


async def test_a_group_is_looked_at_again_when_a_members_name_moves_meanwhile(
    here: House,
) -> None:
    ann, bob = await here.user("ann"), await here.user("bob")
    team, other = await here.group("team", ann), await here.group("other", bob)
    ours = {c.entity.id: c for c in await here.write(claim)}
    revisited = await here.write(
        lambda tx: dependents.revisit_groups(tx, "far", ORGANIZATION, [ann], since=tx.now)
    )
    assert revisited == 1
    for id_ in (ann, bob, team, other):
        await settled(here, ours[id_], 1)
    (again,) = await here.write(claim)
    assert (again.entity.id, again.look, again.applied) == (team, Look.ONCE, 1)


async def test_a_claim_takes_no_more_versions_than_its_cap(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CLAIM_VERSIONS", 40)
    ann = await here.user("ann")
    for number in range(50):
        await here.rename(ann, f"ann{number}")
    ours = await one_claim(here)
    assert [c.version for c in ours.changes()] == list(range(1, 41))
    await settled(here, ours, 40)
    assert [c.version for c in (await one_claim(here)).changes()] == list(range(41, 52))


async def test_a_claim_takes_no_more_text_than_its_cap_but_always_one_version(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CLAIM_CHARACTERS", 600)
    team = await here.group("team", *[await here.user(f"user{n}") for n in range(30)])
    for number in range(3):
        await here.join(team, *[await here.user(f"more{number}-{n}") for n in range(5)])
    for expected in ([1], [2, 3], [4]):
        found = await here.write(claim)
        (ours,) = [one for one in found if one.entity.id == team]
        versions = [c.version for c in ours.changes()]
        assert versions == expected
        await settled(here, ours, versions[-1])


async def test_a_pruned_history_gives_no_changes_rather_than_some(here: House) -> None:
    await here.user("ann")
    await here.write(lambda tx: tx.run(_FORGET))
    assert (await one_claim(here)).changes() == ()


async def test_a_snapshot_is_the_whole_present_state_or_the_deletion(here: House) -> None:
    ann = await here.user("ann")
    team = await here.group("team")
    await here.join(team, ann)
    await here.rename(ann, "anna")
    entity = Entity(ORGANIZATION, "Group", team)
    whole = await here.journal.read(lambda r: snapshots.snapshot(r, entity))
    assert whole is not None
    assert (whole.operation, whole.version) == (Operation.CREATE, 2)
    assert whole.after == {"displayName": "team"}
    assert whole.references == {ann}
    await here.delete(ann)
    gone = await here.journal.read(
        lambda r: snapshots.snapshot(r, Entity(ORGANIZATION, "User", ann))
    )
    assert gone is not None
    assert (gone.operation, gone.version) == (Operation.DELETE, 3)
    assert gone.before == {"userName": "anna"}
    never = await here.journal.read(
        lambda r: snapshots.snapshot(r, Entity(ORGANIZATION, "User", "nobody"))
    )
    assert never is None


async def test_links_are_kept_per_backend_and_tell_which_names_moved(here: House) -> None:
    ann, bob = Link("ann", "1", "cn=ann"), Link("bob", "2", "cn=bob")

    def put(tx: Transaction, *new: Link) -> frozenset[str]:
        return links.put(tx, ORGANIZATION, "far", new)

    assert await here.write(lambda tx: put(tx, ann, bob)) == frozenset()
    moved = attrs.evolve(ann, name="cn=anna")
    assert await here.write(lambda tx: put(tx, moved, bob)) == {"ann"}
    cases: dict[tuple[str, ...], dict[str, Link]] = {
        ("ann",): {"ann": moved},
        ("ann", "bob", "eve"): {"ann": moved, "bob": bob},
        (): {},
    }
    for ids, expected in cases.items():
        found = partial(links.get_many, organization=ORGANIZATION, backend="far", ids=ids)
        assert await here.journal.read(found) == expected
    assert await here.journal.read(lambda r: links.get_many(r, "other", "far", ["ann"])) == {}
    assert await here.journal.read(lambda r: links.get_many(r, ORGANIZATION, "near", ["ann"])) == {}


async def test_a_new_backend_starts_with_every_live_resource(here: House) -> None:
    ann, bob = await here.user("ann"), await here.user("bob")
    await here.delete(bob)
    assert await here.write(lambda tx: backends.add(tx, "near", "scripted"))
    assert not await here.write(lambda tx: backends.add(tx, "near", "scripted"))
    found = await here.write(
        lambda tx: claims.claim(tx, "near", room=9, worker="one", lease_seconds=9)
    )
    assert [(one.entity.id, one.target, one.look) for one in found] == [(ann, 1, Look.ONCE)]


async def test_a_removed_backend_gathers_nothing_and_keeps_its_links(here: House) -> None:
    ann = await here.user("ann")
    await here.write(lambda tx: links.put(tx, ORGANIZATION, "far", [Link(ann, "1")]))
    assert await here.write(lambda tx: backends.remove(tx, "far"))
    await here.rename(ann, "anna")
    assert await here.journal.read(lambda r: deliveries.of_entity(r, ORGANIZATION, ann)) == []
    assert not await here.write(lambda tx: backends.remove(tx, "far"))
    assert not await here.write(lambda tx: backends.pause(tx, "far"))
    assert await here.write(lambda tx: backends.add(tx, "far", "scripted"))
    ours = await one_claim(here)
    assert ours.link == Link(ann, "1")


async def test_a_paused_backend_gathers_changes_and_admits_nobody(here: House) -> None:
    assert await here.write(lambda tx: backends.pause(tx, "far"))
    ann = await here.user("ann")
    row = await here.journal.read(lambda r: backends.get(r, "far"))
    assert await here.write(lambda tx: backends.admitted(tx, row, 9, 30)) == 0
    one = await here.delivery(ann)
    assert (one.backend_state, one.state) == ("paused", deliveries.DeliveryState.PENDING)


async def test_an_open_circuit_gives_one_probe_to_whoever_asks_first(here: House) -> None:
    def admitted(tx: Transaction) -> int:
        return backends.admitted(tx, backends.get(tx, "far"), 9, 30)

    assert await here.write(lambda tx: backends.open_circuit(tx, "far", "refused", None))
    assert not await here.write(lambda tx: backends.open_circuit(tx, "far", "refused", None))
    assert await here.write(admitted) == 0
    await here.write(lambda tx: backends.give_back_probe(tx, "far"))
    assert [await here.write(admitted), await here.write(admitted)] == [1, 0]
    assert await here.write(lambda tx: backends.close_circuit(tx, "far"))
    assert await here.write(admitted) == 9
    assert not await here.write(lambda tx: backends.close_circuit(tx, "far"))


async def test_lag_counts_what_is_behind_and_what_is_parked(here: House) -> None:
    ids = [await here.user(f"user{n}") for n in range(4)]
    found = {c.entity.id: c for c in await here.write(claim)}
    parked = NextState(applied=0, attempts=0, parked=True, error="no")
    await here.write(lambda tx: claims.settle(tx, found[ids[0]], parked, wrote=False))
    await here.write(lambda tx: claims.settle(tx, found[ids[1]], applied(1), wrote=True))
    lag = await here.journal.read(lambda r: deliveries.lag(r, "far"))
    assert (lag.pending, lag.parked) == (2, 1)
    assert 0 < lag.oldest_seconds < 60
    (stuck,) = await here.journal.read(lambda r: deliveries.parked(r, "far"))
    assert (stuck.entity.id, stuck.name, stuck.error) == (ids[0], "user0", "no")
    waiting = await here.journal.read(lambda r: deliveries.pending(r, "far"))
    assert {one.entity.id for one in waiting} == set(ids[2:])
    assert await here.write(lambda tx: deliveries.retry_parked(tx, "far")) == 1


async def test_is_coming_tells_a_dependency_that_is_pending_from_one_that_is_not(
    here: House,
) -> None:
    ann = await here.user("ann")

    async def coming(*ids: str) -> bool:
        return await here.journal.read(lambda r: dependents.coming(r, "far", ORGANIZATION, ids))

    assert await coming(ann, "nobody")
    assert not await coming("nobody")
    assert not await coming()
    ours = await one_claim(here)
    await settled(here, ours, 1)
    assert not await coming(ann)
