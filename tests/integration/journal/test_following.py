"""Processes that follow changes of access are killed in the middle, again and again.

On PostgreSQL several follow at a time. What is told in the end is what grants and groups say, and
no step is seen half: each record starts from what the one before it came to.
"""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import bindparam, select

from bridge.codec import CHANGE_COLUMNS, change_of
from bridge.core.access import RECORD_USERS, Access, Level
from bridge.core.changes import Cause, ChangeRecord
from bridge.core.members import AddMembers, RemoveMembers
from bridge.core.resources import Entity
from bridge.core.schema import GROUP, USER
from bridge.journal import following, grants, record, resources, tables, targets
from bridge.journal.store import Journal, Transaction, open_journal, prepared

ACME = "acme"
MEMBERS = 1_500
ROUNDS = 5
ROOT = Path(__file__).parents[3]

_RECORDS = prepared(
    select(*(tables.change.c[name] for name in CHANGE_COLUMNS))
    .where(tables.change.c.entity == bindparam("entity"))
    .order_by(tables.change.c.version)
)


def cause() -> Cause:
    return Cause("test", "test", datetime.now(UTC))


def user(number: int) -> str:
    return f"u{number:05}"


def populate(tx: Transaction) -> str:
    for number in range(MEMBERS):
        document = {"userName": user(number), "active": True}
        record.create(tx, USER, ACME, user(number), document, (), cause())
    everybody = [user(number) for number in range(MEMBERS)]
    record.create(tx, GROUP, ACME, "all", {"displayName": "All"}, everybody, cause())
    return targets.create_workspace(tx, ACME, "Sales", cause()).id


def edit(tx: Transaction, edits: list[AddMembers | RemoveMembers]) -> None:
    found = resources.get(tx, GROUP, ACME, "all")
    assert found is not None
    record.update(tx, GROUP, found, found.attributes, edits, cause())


def activate(tx: Transaction, name: str, *, active: bool) -> None:
    found = resources.get(tx, USER, ACME, name)
    assert found is not None
    record.update(tx, USER, found, {**found.attributes, "active": active}, (), cause())


def records(journal: Journal, entity: str) -> list[ChangeRecord]:
    rows = journal.read_now(lambda reader: reader.rows(_RECORDS, entity=entity))
    return [change_of(row) for row in rows]


def told(found: list[ChangeRecord]) -> dict[str, Level]:
    """What backends hold after all records; fails where one does not start from the one before."""
    held: dict[str, Access] = {}
    for one in found:
        assert len(one.access.users) <= RECORD_USERS
        for was in one.access.revoked:
            assert held.pop(was.user) == was
        for now in one.access.granted:
            assert now.user not in held
            held[now.user] = now
    return {name: access.level for name, access in held.items()}


@contextmanager
def follower(url: str) -> Iterator[None]:
    """Follow in a process of its own, and kill it at the end."""
    script = [sys.executable, str(Path(__file__).with_name("follower.py")), url]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_killed_follower_leaves_nothing_out_and_nothing_half(journal_url: str) -> None:
    chance = random.Random(7)
    with closing(open_journal(journal_url)) as journal:
        workspace = journal.write_now(populate)
        target = journal.read_now(lambda reader: targets.find(reader, ACME, workspace))
        everyone = Entity(ACME, "Group", "all")
        journal.write_now(lambda tx: grants.give(tx, ACME, target, everyone, Level.EDIT, cause()))
    gone, asleep = {user(7), user(1_400)}, {user(11), user(1_301)}
    for number in range(ROUNDS):
        with follower(journal_url):
            if not journal_url.startswith("sqlite"):
                with follower(journal_url):
                    time.sleep(chance.uniform(0.05, 0.3))
            time.sleep(chance.uniform(0.02, 0.15))
        with closing(open_journal(journal_url, exclusive=False)) as journal:
            if number == 1:
                journal.write_now(lambda tx: edit(tx, [RemoveMembers(tuple(gone))]))
            if number == 2:
                for name in asleep:
                    journal.write_now(lambda tx, n=name: activate(tx, n, active=False))  # type: ignore[misc]
    with closing(open_journal(journal_url)) as journal:
        while journal.write_now(following.follow):
            pass
        everybody = {user(number) for number in range(MEMBERS)}
        wanted = dict.fromkeys(everybody - gone - asleep, Level.EDIT)
        assert told(records(journal, workspace)) == wanted
        assert [r.version for r in records(journal, workspace)] == list(
            range(1, len(records(journal, workspace)) + 1)
        )
