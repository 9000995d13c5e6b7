"""The guard against mass changes: what it counts, when it holds, and how a hold ends."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bridge.core.delivery import NextState
from bridge.core.members import AddMembers, RemoveMembers
from bridge.core.schema import GROUP, USER
from bridge.journal import claims, deliveries, holds, tenants
from bridge.journal.deliveries import DeliveryState
from bridge.journal.guard_tables import loss
from bridge.journal.holds import Hold, Limits
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Journal, Transaction, open_journal
from tests.unit.journal.scene import ACME, CAUSE, add_backend, create, delete, group, update, user

_LOST = prepared(insert_into(loss))
TIGHT = Limits(changes=2, share_percent=5, window_seconds=600)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = open_journal(f"sqlite:///{tmp_path / 'journal.db'}")
    add_backend(journal, "corp")
    add_backend(journal, "copy")
    limit(journal, TIGHT)
    yield journal
    journal.close()


def limit(journal: Journal, limits: Limits | None) -> None:
    journal.write_now(lambda tx: holds.set_limits(tx, limits))


def people(journal: Journal, count: int) -> list[str]:
    names = [f"u{n}" for n in range(count)]
    for name in names:
        user(journal, name)
    return names


def deactivate(journal: Journal, name: str) -> None:
    update(journal, USER, name, active=False)


def hold(journal: Journal) -> Hold | None:
    return next(iter(journal.read_now(holds.every)), None)


def held(journal: Journal, backend: str = "corp") -> list[str]:
    found = journal.read_now(lambda r: deliveries.held(r, backend))
    assert all(one.state is DeliveryState.HELD for one in found)
    return sorted(one.entity.id for one in found)


def due(journal: Journal, backend: str = "corp") -> list[str]:
    found = journal.read_now(lambda r: claims.pending(r, backend, 1000))
    return sorted(claim.entity.id for claim in found)


def test_what_exceeds_the_limit_is_held_for_every_backend_and_what_came_before_is_not(
    journal: Journal,
) -> None:
    names = people(journal, 6)
    for name in names[:4]:
        deactivate(journal, name)
    assert held(journal) == held(journal, "copy") == ["u2", "u3"]
    assert due(journal) == ["u0", "u1", "u4", "u5"]
    found = hold(journal)
    assert found is not None
    assert (found.changes, found.allowed, found.held) == (4, 2, {"copy": 2, "corp": 2})
    actions = [r.action for r in journal.read_now(lambda r: tenants.list_audit(r, ACME))]
    assert actions.count("hold.opened") == 1


def test_what_takes_nothing_away_is_not_held(journal: Journal) -> None:
    names = people(journal, 3)
    for name in names:
        deactivate(journal, name)
    update(journal, USER, "u0", title="Baker")
    user(journal, "new")
    assert held(journal) == ["u2"]
    assert "new" in due(journal)


def test_a_held_entity_waits_with_all_that_comes_after(journal: Journal) -> None:
    names = people(journal, 3)
    for name in names:
        deactivate(journal, name)
    update(journal, USER, "u2", active=True)
    assert held(journal) == ["u2"]
    assert "u2" not in due(journal)


@pytest.mark.parametrize(("population", "allowed"), [(3, 2), (100, 5)])
def test_the_larger_of_number_and_share_is_allowed(
    journal: Journal, population: int, allowed: int
) -> None:
    names = people(journal, population)
    for name in names[:allowed]:
        deactivate(journal, name)
    assert hold(journal) is None
    deactivate(journal, names[allowed])
    found = hold(journal)
    assert found is not None
    assert (found.changes, found.allowed) == (allowed + 1, allowed)


def test_ended_memberships_count_one_by_one(journal: Journal) -> None:
    names = people(journal, 5)
    group(journal, "g", *names)
    update(journal, GROUP, "g", RemoveMembers(("u0", "u1")))
    assert hold(journal) is None
    update(journal, GROUP, "g", RemoveMembers(("u2",)))
    assert held(journal) == ["g"]


def test_what_follows_from_a_deletion_is_held_with_it_and_counts_once(journal: Journal) -> None:
    names = people(journal, 4)
    for n in range(6):
        group(journal, f"{'a' if n % 2 else 'z'}{n}", *names)
    for name in names[:2]:
        delete(journal, USER, name)
    assert hold(journal) is None
    delete(journal, USER, names[2])
    assert held(journal) == ["a1", "a3", "a5", "u2", "z0", "z2", "z4"]


def test_a_change_larger_than_the_limit_is_held_itself(journal: Journal) -> None:
    names = people(journal, 5)
    group(journal, "g", *names)
    update(journal, GROUP, "g", RemoveMembers(tuple(names)))
    assert held(journal) == ["g"]


def test_what_is_long_past_does_not_count(journal: Journal) -> None:
    limit(journal, Limits(changes=2, share_percent=0, window_seconds=120))
    names = people(journal, 4)

    def lost(tx: Transaction, minutes_ago: int) -> None:
        minute = tx.now // 60_000_000 - minutes_ago
        tx.run(_LOST, organization=ACME, minute=minute, changes=2, people=None)

    journal.write_now(partial(lost, minutes_ago=5))
    for name in names[:2]:
        deactivate(journal, name)
    assert hold(journal) is None
    journal.write_now(partial(lost, minutes_ago=1))
    deactivate(journal, names[2])
    assert held(journal) == ["u2"]


def test_organizations_do_not_count_together(journal: Journal) -> None:
    people(journal, 2)
    for name in ("u0", "u1"):
        deactivate(journal, name)
    for n in range(2):
        create(journal, USER, f"g{n}", {"userName": f"g{n}", "active": True}, organization="globex")
    assert not journal.write_now(lambda tx: holds.guarded(tx, "globex", ["g0"], 2, CAUSE))


def test_release_delivers_and_counts_anew(journal: Journal) -> None:
    names = people(journal, 6)
    for name in names[:4]:
        deactivate(journal, name)
    ended = journal.write_now(lambda tx: holds.release(tx, ACME, CAUSE))
    assert ended == holds.Ended(entities=4, left=0)
    assert (hold(journal), held(journal)) == (None, [])
    assert due(journal) == names
    for name in names[4:]:
        deactivate(journal, name)
    assert hold(journal) is None
    assert journal.write_now(lambda tx: holds.release(tx, ACME, CAUSE)) is None


def test_reject_gives_up_what_was_held_and_later_changes_are_delivered(journal: Journal) -> None:
    names = people(journal, 4)
    for name in names:
        deactivate(journal, name)
    ended = journal.write_now(lambda tx: holds.reject(tx, ACME, CAUSE))
    assert ended == holds.Ended(entities=4, left=0)
    assert (hold(journal), held(journal)) == (None, [])
    assert due(journal) == ["u0", "u1"]
    update(journal, USER, "u3", title="Baker")
    (claim,) = [
        c for c in journal.read_now(lambda r: claims.pending(r, "corp", 100)) if c.entity.id == "u3"
    ]
    assert [change.changed for change in claim.changes()] == [{"title"}]


def test_what_is_under_way_stays_held_when_it_ends_and_is_rejected_only_then(
    journal: Journal,
) -> None:
    people(journal, 3)
    claim = partial(claims.claim, backend="corp", room=10, worker="w", lease_seconds=30)
    under_way = {c.entity.id: c for c in journal.write_now(claim)}
    for name in ("u0", "u1", "u2"):
        deactivate(journal, name)
    assert held(journal) == ["u2"]
    ended = journal.write_now(lambda tx: holds.reject(tx, ACME, CAUSE))
    assert ended == holds.Ended(entities=1, left=1)  # the copy's, which nobody delivers just now
    state = NextState(applied=1, attempts=0, settled=True)
    assert journal.write_now(lambda tx: claims.settle(tx, under_way["u2"], state, wrote=True))
    assert held(journal) == ["u2"]
    assert "u2" not in due(journal)
    ended = journal.write_now(lambda tx: holds.reject(tx, ACME, CAUSE))
    assert ended == holds.Ended(entities=1, left=0)


def test_no_other_verb_ends_a_hold(journal: Journal) -> None:
    people(journal, 3)
    for name in ("u0", "u1", "u2"):
        deactivate(journal, name)
    assert not journal.write_now(lambda tx: deliveries.retry(tx, "corp", ACME, "u2"))
    journal.write_now(lambda tx: deliveries.retry_parked(tx, "corp"))
    journal.write_now(lambda tx: deliveries.resync(tx, "corp"))
    assert held(journal) == ["u2"]
    assert "u2" not in due(journal)


def test_a_hold_outlives_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    first = open_journal(url)
    add_backend(first, "corp")
    limit(first, TIGHT)
    for name in people(first, 3):
        deactivate(first, name)
    first.close()
    second = open_journal(url)
    assert held(second) == ["u2"]
    group(second, "g", "u0", "u1")
    update(second, GROUP, "g", RemoveMembers(("u0",)))
    assert held(second) == ["g", "u2"]
    second.close()


def test_without_limits_nothing_is_held(journal: Journal) -> None:
    limit(journal, None)
    names = people(journal, 6)
    group(journal, "g", *names)
    for name in names:
        delete(journal, USER, name)
    update(journal, GROUP, "g", AddMembers(()))
    assert (hold(journal), held(journal)) == (None, [])
