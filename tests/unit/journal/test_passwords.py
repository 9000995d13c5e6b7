"""Passwords in the journal: only for who takes them, the newest only, gone with their version."""

from collections.abc import Callable
from functools import partial

import pytest

from bridge.core.changes import Operation
from bridge.core.delivery import NextState
from bridge.core.resources import Entity
from bridge.core.schema import USER
from bridge.journal import backends, claims, deliveries, passwords, record
from bridge.journal.store import Journal
from bridge.sealing import Sealed
from tests.unit.journal.scene import ACME, CAUSE, LATER, changes, delete, get, rows, update

ANN = Entity(ACME, "User", "ann")
ONE, TWO = Sealed("seal-one"), Sealed("seal-two")


def take(journal: Journal, *names: str) -> None:
    every = {row["name"]: row["name"] in names for row in rows(journal, "backend")}
    journal.write_now(lambda tx: passwords.set_takers(tx, every))


def new(journal: Journal, password: Sealed | None = ONE) -> None:
    journal.write_now(
        lambda tx: record.create(tx, USER, ACME, "ann", {"userName": "ann"}, (), CAUSE, password)
    )


def set_password(journal: Journal, password: Sealed) -> int:
    before = get(journal, USER, "ann")
    after = journal.write_now(
        lambda tx: record.update(tx, USER, before, before.attributes, (), LATER, password)
    )
    return after.version


def kept(journal: Journal) -> list[tuple[str, int, str]]:
    return [(row["backend"], row["version"], row["sealed"]) for row in rows(journal, "password")]


def park(journal: Journal) -> None:
    (claim,) = journal.write_now(
        lambda tx: claims.claim(tx, "corp", room=1, worker="w", lease_seconds=30)
    )
    state = NextState(applied=claim.applied, attempts=1, parked=True)
    assert journal.write_now(lambda tx: claims.settle(tx, claim, state, wrote=False))


def test_without_a_taker_nothing_is_kept_and_a_password_alone_is_no_change(
    journal: Journal,
) -> None:
    new(journal)
    assert set_password(journal, TWO) == 1
    assert kept(journal) == []
    assert [change.version for change in changes(journal, "ann")] == [1]
    assert [row["detail"] for row in rows(journal, "audit")] == ['{"version":1}']


def test_with_a_taker_a_password_alone_is_a_version_that_changes_nothing_else(
    journal: Journal,
) -> None:
    take(journal, "corp")
    new(journal)
    assert set_password(journal, TWO) == 2
    last = changes(journal, "ann")[-1]
    assert (last.operation, last.changed, last.password) == (Operation.UPDATE, frozenset(), None)
    assert rows(journal, "audit")[-1]["detail"] == '{"version":2,"changed":[],"password":true}'


def test_newest_password_is_kept_once_for_each_taker(journal: Journal) -> None:
    for name in ("also", "never"):
        journal.write_now(partial(backends.add, name=name, kind="ldap"))
    take(journal, "corp", "also")
    new(journal)
    assert kept(journal) == [("also", 1, "seal-one"), ("corp", 1, "seal-one")]
    update(journal, USER, "ann", title="Lead")
    set_password(journal, TWO)
    assert kept(journal) == [("also", 3, "seal-two"), ("corp", 3, "seal-two")]


def test_claim_hands_over_the_password_with_the_version_that_brought_it(journal: Journal) -> None:
    take(journal, "corp")
    new(journal)
    set_password(journal, TWO)
    update(journal, USER, "ann", title="Lead")
    (claim,) = journal.write_now(
        lambda tx: claims.claim(tx, "corp", room=1, worker="w", lease_seconds=30)
    )
    assert [change.password for change in claim.changes()] == [None, TWO, None]
    assert [change.password for change in claim.changes(1)] == [None]
    for version, left in ((1, [TWO, None]), (2, [None])):
        rest = claim.after(version)
        assert rest is not None
        assert [change.password for change in rest.changes()] == left


@pytest.mark.parametrize("applied", [1, 2, 3])
def test_password_goes_when_its_version_is_applied_and_not_before(
    journal: Journal, applied: int
) -> None:
    take(journal, "corp")
    new(journal, None)
    set_password(journal, TWO)
    update(journal, USER, "ann", title="Lead")
    (claim,) = journal.write_now(
        lambda tx: claims.claim(tx, "corp", room=1, worker="w", lease_seconds=30)
    )
    journal.write_now(lambda tx: claims.progress(tx, claim, applied, 30))
    journal.write_now(lambda tx: passwords.drop_applied(tx, "corp", ACME, "ann"))
    assert bool(kept(journal)) is (applied < 2)


def test_skip_gives_the_password_up_and_nothing_brings_it_back(journal: Journal) -> None:
    take(journal, "corp")
    new(journal)
    park(journal)
    assert journal.write_now(lambda tx: deliveries.skip(tx, "corp", ACME, "ann"))
    assert kept(journal) == []
    journal.write_now(lambda tx: deliveries.resync(tx, "corp"))
    (claim,) = journal.read_now(lambda r: claims.pending(r, "corp", 10))
    assert claim.password is None
    assert journal.read_now(lambda r: passwords.waiting(r, "corp", ANN)) is None


def test_skip_to_latest_keeps_only_a_password_of_the_latest(journal: Journal) -> None:
    take(journal, "corp")
    new(journal)
    update(journal, USER, "ann", title="Lead")
    park(journal)
    assert journal.write_now(lambda tx: deliveries.skip_to_latest(tx, "corp", ACME, "ann"))
    assert kept(journal) == []


def test_new_backend_gets_no_password_that_was_set_before_it_came(journal: Journal) -> None:
    take(journal, "corp")
    new(journal)
    journal.write_now(lambda tx: backends.add(tx, "late", "ldap"))
    take(journal, "corp", "late")
    (claim,) = journal.read_now(lambda r: claims.pending(r, "late", 10))
    assert claim.password is None


@pytest.mark.parametrize(
    "end",
    [
        lambda journal: delete(journal, USER, "ann"),
        take,
        lambda journal: journal.write_now(lambda tx: backends.remove(tx, "corp")),
    ],
    ids=["resource deleted", "backend takes none any more", "backend removed"],
)
def test_password_goes_with_whom_it_was_for(
    journal: Journal, end: Callable[[Journal], object]
) -> None:
    take(journal, "corp")
    new(journal)
    assert kept(journal)
    end(journal)
    assert kept(journal) == []
