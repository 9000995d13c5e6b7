"""What happened is told in an order that never changes, and to its organization only."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import pytest

from bridge.core.schema import USER
from bridge.journal import record, telling
from bridge.journal.store import Journal, Transaction, open_journal
from tests.journals import Databases
from tests.unit.journal.scene import CAUSE


def create(tx: Transaction, name: str, organization: str = "acme") -> None:
    document = {"userName": name}
    record.create(tx, USER, organization, str(uuid4()), document, (), CAUSE)


def told(
    journal: Journal, after: int = 0, limit: int = 100, organization: str = "acme"
) -> tuple[list[str], int]:
    """Names in the order in which they are told, and the position of the last."""
    page = asyncio.run(telling.page(journal, organization, after, limit))
    names = [str((one.change.after or {})["userName"]) for one in page.told]
    return names, page.told[-1].position if page.told else after


def test_pages_follow_one_another_without_a_gap(journal: Journal) -> None:
    names = [f"user{number}" for number in range(250)]
    for name in names:
        journal.write_now(lambda tx, name=name: create(tx, name))  # type: ignore[misc]
    found: list[str] = []
    after = 0
    while True:
        page, after = told(journal, after, limit=60)
        if not page:
            break
        assert len(page) <= 60
        found += page
    assert found == names
    journal.write_now(lambda tx: create(tx, "later"))
    assert told(journal, after)[0] == ["later"]


def test_an_organization_is_told_its_own(journal: Journal) -> None:
    for organization in ("acme", "globex", "acme"):
        name = f"{organization} {uuid4()}"
        journal.write_now(lambda tx, o=organization, n=name: create(tx, n, o))  # type: ignore[misc]
    (one,), _ = told(journal, organization="globex")
    assert one.startswith("globex")
    assert len(told(journal)[0]) == 2
    assert told(journal, organization="initech") == ([], 0)


def test_a_page_is_bounded_by_text_and_never_empty(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PAGE_CHARACTERS", 30)
    for name in ("x" * 100, "y" * 100):
        journal.write_now(lambda tx, name=name: create(tx, name))  # type: ignore[misc]
    page = asyncio.run(telling.page(journal, "acme", 0, 100))
    assert (len(page.told), page.more) == (1, True)
    page = asyncio.run(telling.page(journal, "acme", page.told[0].position, 100))
    assert (len(page.told), page.more) == (1, False)


@pytest.fixture
def shared(databases: Databases) -> Iterator[Journal]:
    with databases.passing(), closing(open_journal(databases.new())) as journal:
        yield journal


class Slow:
    """A transaction that has a number already and does not end until it is let."""

    def __init__(self, journal: Journal, threads: ThreadPoolExecutor) -> None:
        self.wrote, self.go = threading.Event(), threading.Event()
        self.done: Future[None] = threads.submit(journal.write_now, self.write)
        assert self.wrote.wait(30)

    def write(self, tx: Transaction) -> None:
        create(tx, "slow")
        tx.rows(telling._LAST)
        self.wrote.set()
        assert self.go.wait(60)


def test_nothing_is_told_before_what_has_a_lower_number(shared: Journal) -> None:
    with ThreadPoolExecutor(2) as threads:
        slow = Slow(shared, threads)
        shared.write_now(lambda tx: create(tx, "quick"))
        asked = threads.submit(told, shared)
        slow.go.set()
        slow.done.result(60)
        names, after = asked.result(60)
        assert names == ["slow", "quick"]
        assert told(shared, after)[0] == []


def test_while_it_does_not_end_nothing_is_told(
    shared: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 0.05)
    with ThreadPoolExecutor(1) as threads:
        slow = Slow(shared, threads)
        shared.write_now(lambda tx: create(tx, "quick"))
        page = asyncio.run(telling.page(shared, "acme", 0, 100))
        slow.go.set()
        slow.done.result(60)
        assert (page.told, page.more) == ((), True)
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 30.0)
    assert told(shared)[0] == ["slow", "quick"]
