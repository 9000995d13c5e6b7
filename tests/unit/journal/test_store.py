"""The store: group commit with savepoints, reads beside it, and what is refused at the door.

Proven: units are isolated, results come after the commit, one process per file, damage is named.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, select

from bridge.core.errors import OperatorError, Unavailable
from bridge.journal import embedded, sqlite, tables
from bridge.journal.embedded import EmbeddedJournal
from bridge.journal.statements import insert_into
from bridge.journal.store import Journal, Reader, Transaction, open_journal, prepared

_o = tables.organization
ADD = prepared(insert_into(_o))
NAMES = prepared(select(_o.c.id).order_by(_o.c.id))
ONE = prepared(select(_o.c.name).where(_o.c.id == bindparam("id")))


def add(*ids: str) -> Callable[[Transaction], int]:
    def unit(tx: Transaction) -> int:
        for id_ in ids:
            tx.run(ADD, id=id_, name=id_, created=tx.now)
        return len(ids)

    return unit


def names(reader: Reader) -> list[str]:
    return [row[0] for row in reader.rows(NAMES)]


@pytest.fixture
def embedded_journal(tmp_path: Path) -> Iterator[EmbeddedJournal]:
    """A journal with one writer, which takes what waits together."""
    with closing(open_journal(f"sqlite:///{tmp_path}/j")) as journal:
        assert isinstance(journal, EmbeddedJournal)
        yield journal


def hold(journal: Journal) -> threading.Event:
    """Keep the writer busy, so that what is written meanwhile becomes one group."""
    busy, free = threading.Event(), threading.Event()

    def unit(_: Transaction) -> None:
        busy.set()
        free.wait(5)

    threading.Thread(target=lambda: journal.write_now(unit), daemon=True).start()
    busy.wait(5)
    return free


@pytest.mark.anyio
async def test_a_unit_that_fails_in_a_group_takes_back_its_own_writes_only(
    journal: Journal,
) -> None:
    def half_done(tx: Transaction) -> None:
        add("half")(tx)
        raise KeyError("on purpose")

    await journal.write(add("first"))
    free = hold(journal)
    units = [add("a"), half_done, add("b"), add("c", "first"), add("d")]
    waiting = [asyncio.ensure_future(journal.write(unit)) for unit in units]
    await asyncio.sleep(0)
    free.set()
    a, half, b, twice, d = await asyncio.gather(*waiting, return_exceptions=True)
    assert (a, b, d) == (1, 1, 1)
    assert isinstance(half, KeyError)
    assert "unique" in str(twice).lower()
    assert journal.read_now(names) == ["a", "b", "d", "first"]


@pytest.mark.anyio
async def test_waiting_units_share_commits(embedded_journal: EmbeddedJournal) -> None:
    seen: list[int] = []
    free = hold(embedded_journal)
    many = embedded.GROUP_LIMIT + 10

    def unit(tx: Transaction) -> None:
        # A second connection sees only what is committed.
        seen.append(len(embedded_journal.read_now(names)))
        add(f"{len(seen):03}")(tx)

    waiting = [asyncio.ensure_future(embedded_journal.write(unit)) for _ in range(many)]
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(*waiting)
    assert len(embedded_journal.read_now(names)) == many
    assert seen == [0] * embedded.GROUP_LIMIT + [embedded.GROUP_LIMIT] * 10


@pytest.mark.anyio
async def test_a_result_is_told_only_after_its_commit(journal: Journal) -> None:
    for id_ in "abc":
        await journal.write(add(id_))
        assert id_ in await journal.read(names)


@pytest.mark.anyio
async def test_whoever_gives_up_before_its_turn_writes_nothing(
    embedded_journal: EmbeddedJournal,
) -> None:
    free = hold(embedded_journal)
    given_up = asyncio.ensure_future(embedded_journal.write(add("a")))
    await asyncio.sleep(0)
    given_up.cancel()
    kept = asyncio.ensure_future(embedded_journal.write(add("b")))
    await asyncio.sleep(0)
    free.set()
    assert await kept == 1
    assert embedded_journal.read_now(names) == ["b"]


def test_a_unit_reads_its_own_writes_and_its_clock_stands_still(journal: Journal) -> None:
    def unit(tx: Transaction) -> tuple[Any, int, int]:
        started = tx.now
        add("a")(tx)
        return tx.row(ONE, id="a"), started, tx.now

    row, started, ended = journal.write_now(unit)
    assert row == ("a",)
    assert started == ended


def test_run_tells_how_many_rows_and_run_many_takes_none(journal: Journal) -> None:
    journal.write_now(lambda tx: tx.run_many(ADD, []))
    rows = [{"id": id_, "name": id_, "created": 0} for id_ in "abc"]
    journal.write_now(lambda tx: tx.run_many(ADD, rows))
    delete = prepared(_o.delete().where(_o.c.id != "b"))
    assert journal.write_now(lambda tx: tx.run(delete)) == 2


def test_a_missing_parameter_is_an_error_of_the_unit(journal: Journal) -> None:
    with pytest.raises(KeyError, match="name"):
        journal.write_now(lambda tx: tx.run(ADD, id="a", created=0))


def test_a_read_sees_one_state_and_cannot_write(journal: Journal) -> None:
    def twice(reader: Reader) -> tuple[list[str], list[str]]:
        first = names(reader)
        thread = threading.Thread(target=lambda: journal.write_now(add("late")))
        thread.start()
        thread.join()
        return first, names(reader)

    assert journal.read_now(twice) == ([], [])
    assert journal.read_now(names) == ["late"]
    with pytest.raises(Unavailable, match="cannot be written"):
        journal.read_now(lambda reader: Transaction.run(reader, ADD, id="x", name="x", created=0))  # type: ignore[arg-type]


def test_close_finishes_what_waits_and_refuses_what_comes_later(tmp_path: Path) -> None:
    journal = open_journal(f"sqlite:///{tmp_path}/j")
    assert isinstance(journal, EmbeddedJournal)
    free = hold(journal)
    waiting = [threading.Thread(target=journal.write_now, args=(add(id_),)) for id_ in "abc"]
    for thread in waiting:
        thread.start()
    while journal._waiting.qsize() < len(waiting):
        threading.Event().wait(0.001)
    closing_ = threading.Thread(target=journal.close)
    closing_.start()
    free.set()
    for thread in (*waiting, closing_):
        thread.join(5)
    journal.close()
    with pytest.raises(Unavailable, match="stopping"):
        journal.write_now(add("d"))
    with closing(open_journal(f"sqlite:///{tmp_path}/j")) as again:
        assert again.read_now(names) == ["a", "b", "c"]


# --- At the door --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///", "postgresql://db/x", "journal.db", "sqlite:///:memory:"]
)
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(OperatorError) as refused:
        open_journal(url)
    assert refused.value.code == "BRG-JOURNAL-URL"


def test_a_second_owner_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/j"
    first = open_journal(url)
    with pytest.raises(
        OperatorError, match=rf"in use by another process \({os.getpid()}\)"
    ) as refused:
        open_journal(url)
    assert refused.value.code == "BRG-JOURNAL-LOCKED"
    first.close()
    open_journal(url).close()


def test_a_command_works_beside_the_owner_and_makes_nothing_new(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/j"
    with pytest.raises(OperatorError) as refused:
        open_journal(url, exclusive=False)
    assert refused.value.code == "BRG-JOURNAL-MISSING"
    assert list(tmp_path.iterdir()) == []
    with closing(open_journal(url)) as owner:
        owner.write_now(add("a"))
        with closing(open_journal(url, exclusive=False)) as beside:
            beside.write_now(add("b"))
            assert beside.read_now(names) == ["a", "b"]
        owner.write_now(add("c"))
        assert owner.read_now(names) == ["a", "b", "c"]


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    with closing(open_journal(f"sqlite:///{tmp_path}/j")) as journal:
        journal.write_now(add("a"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["j", "j-wal", "j-shm", "j.lock"], 0o600)


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"this was a journal once" * 400)


def _torn_pages(path: Path) -> None:
    with closing(open_journal(f"sqlite:///{path}")) as journal:
        journal.write_now(lambda tx: [add(f"{n:05}")(tx) for n in range(2_000)])
    content = bytearray(path.read_bytes())
    for start in range(4096 * 10, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_not_a_database, _torn_pages])
def test_a_damaged_file_is_refused_with_the_step_that_repairs(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "j"
    damage(path)
    content = path.read_bytes()
    with pytest.raises(OperatorError) as refused:
        open_journal(f"sqlite:///{path}")
    assert refused.value.code == "BRG-JOURNAL-DAMAGED"
    assert "`bridge db restore FILE --yes`" in refused.value.next_step
    assert path.read_bytes() == content, "evidence is left alone"
    path.unlink()
    open_journal(f"sqlite:///{path}").close()


def test_a_place_that_cannot_hold_a_journal_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "such" / "folder" / "j", tmp_path):
        with pytest.raises(OperatorError) as refused:
            open_journal(f"sqlite:///{path}")
        assert refused.value.code == "BRG-JOURNAL-UNUSABLE"


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    share = tmp_path / "a share"
    share.mkdir()
    mounts.write_text(
        f"/dev/vda / ext4 rw 0 0\nfiler:/x {str(share).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n"
    )
    monkeypatch.setattr(sqlite, "MOUNTS", mounts)
    with pytest.raises(OperatorError) as refused:
        open_journal(f"sqlite:///{share}/j")
    assert refused.value.code == "BRG-JOURNAL-NETWORK"
    assert list(share.iterdir()) == []
    open_journal(f"sqlite:///{tmp_path}/j").close()
