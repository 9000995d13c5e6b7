"""What only a journal in PostgreSQL can meet: other writers, lost connections, poolers.

Proven: races end in one winner and a clear refusal, a commit whose answer was lost is looked up, a
new backend misses nothing that is written meanwhile, and a pooler in transaction mode will do.
"""

import os
import pwd
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from bridge.core.errors import OperatorError, Unavailable, Uniqueness
from bridge.core.members import AddMembers
from bridge.core.schema import GROUP, USER
from bridge.journal import backends, database, members, postgresql, record, resources
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.testing.fault_proxy import FaultProxy
from tests import servers
from tests.journals import Databases
from tests.unit.journal import scene
from tests.unit.journal.scene import ACME, CAUSE

PROCESSES = 4


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """The address of a new journal."""
    with databases.passing():
        yield databases.new()


@pytest.fixture
def journals(url: str) -> Iterator[list[Journal]]:
    """The same journal as several processes have it."""
    opened = [open_journal(url, connections=4) for _ in range(PROCESSES)]
    yield opened
    for journal in opened:
        journal.close()


def at_once(work: Callable[[Journal, int], Any], journals: Sequence[Journal]) -> list[Any]:
    """Do it four times in each process, all at the same time; return results and errors."""

    def guarded(number: int) -> Any:
        try:
            return work(journals[number % len(journals)], number)
        except Exception as error:  # noqa: BLE001 - what was refused is a result here
            return error

    with ThreadPoolExecutor(4 * len(journals)) as pool:
        return list(pool.map(guarded, range(4 * len(journals))))


def test_of_many_who_take_one_name_one_gets_it(journals: list[Journal]) -> None:
    for name in ("ann", "bob", "cleo"):
        done = at_once(
            lambda journal, number, name=name: scene.user(journal, f"{name}{number}", name.upper()),  # type: ignore[misc]
            journals,
        )
        assert len([one for one in done if isinstance(one, Uniqueness)]) == len(done) - 1, done
        winner = next(one for one in done if not isinstance(one, Uniqueness))
        assert all(winner.entity.id in str(one) for one in done if isinstance(one, Uniqueness))


def test_writers_of_one_group_wait_for_each_other(journals: list[Journal]) -> None:
    count = 4 * PROCESSES
    for number in range(count):
        scene.user(journals[0], f"u{number}")
    scene.group(journals[0], "all")

    def join(journal: Journal, number: int) -> int:
        def unit(tx: Transaction) -> int:
            before = resources.get(tx, GROUP, ACME, "all")
            assert before
            edits = [AddMembers((f"u{number}",))]
            return record.update(tx, GROUP, before, before.attributes, edits, CAUSE).version

        return journal.write_now(unit)

    assert sorted(at_once(join, journals)) == list(range(2, count + 2))
    assert len(scene.member_ids(journals[0], "all")) == count


def test_a_user_who_is_deleted_meanwhile_is_in_no_group(journals: list[Journal]) -> None:
    for number in range(4 * PROCESSES):
        scene.user(journals[0], f"u{number}")
        scene.group(journals[0], f"g{number}", f"u{number}")

    def join_or_go(journal: Journal, number: int) -> None:
        if number % 2:
            scene.update(journal, GROUP, f"g{number}", AddMembers((f"u{number - 1}",)))
        else:
            journal.write_now(lambda tx: _delete(tx, f"u{number}"))

    at_once(join_or_go, journals)
    gone = {row["id"] for row in scene.rows(journals[0], "resource") if row["deleted"]}
    assert len(gone) == 2 * PROCESSES
    for number in range(4 * PROCESSES):
        held = journals[0].read_now(lambda r, n=number: members.all_of(r, ACME, f"g{n}"))  # type: ignore[misc]
        assert not {member.id for member in held} & gone


def _delete(tx: Transaction, id_: str) -> None:
    before = resources.get(tx, USER, ACME, id_)
    assert before
    record.delete(tx, USER, before, CAUSE)


def test_a_new_backend_misses_nothing_that_is_written_meanwhile(journals: list[Journal]) -> None:
    over = threading.Event()

    def write(journal: Journal, number: int) -> int:
        written = 0
        while not over.is_set():
            scene.user(journal, f"{number}-{written}")
            written += 1
        return written

    with ThreadPoolExecutor(PROCESSES) as pool:
        writing = [pool.submit(write, journal, n) for n, journal in enumerate(journals)]
        for name in ("one", "two", "three"):
            time.sleep(0.1)
            journals[0].write_now(lambda tx, name=name: backends.add(tx, name, "ldap"))  # type: ignore[misc]
        time.sleep(0.1)
        over.set()
        count = sum(one.result() for one in writing)
    followed = [row["backend"] for row in scene.rows(journals[0], "cursor")]
    assert {name: followed.count(name) for name in ("one", "two", "three")} == dict.fromkeys(
        ("one", "two", "three"), count
    )


@pytest.mark.parametrize("passes", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up(
    url: str, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_url(url)
    assert target.host
    with FaultProxy(target.host, target.port or 5432) as proxy:
        through = target.set(host="127.0.0.1", port=proxy.port)
        with closing(open_journal(through.render_as_string(hide_password=False))) as journal:
            scene.user(journal, "before")
            commit = postgresql._Session.commit
            cuts: list[int] = []

            def cut(session: postgresql._Session) -> None:
                if not cuts:
                    cuts.append(1)
                    if passes:
                        proxy.lose_answers()
                        threading.Timer(0.3, proxy.heal).start()
                    else:
                        proxy.break_connections()
                commit(session)

            monkeypatch.setattr(postgresql._Session, "commit", cut)
            assert scene.user(journal, "cut").version == 1
    with closing(open_journal(url)) as journal:
        assert [change.version for change in scene.changes(journal, "cut")] == [1], "done once"


def test_a_server_that_went_away_and_came_back_is_found_again(
    url: str, databases: Databases
) -> None:
    with closing(open_journal(url)) as journal:
        scene.user(journal, "before")
        with closing(servers.connect(databases.server.url)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (make_url(url).database,),
            )
        assert scene.get(journal, USER, "before").version == 1
        scene.user(journal, "after")


def test_a_frozen_transaction_lets_go_of_its_locks(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        postgresql, "_OPENING", postgresql._OPENING.replace("5s", "1s")
    )  # instead of IDLE_SECONDS
    with closing(open_journal(url)) as frozen, closing(open_journal(url)) as other:
        scene.user(other, "ann")
        woken = threading.Event()

        def hold(tx: Transaction) -> None:
            resources.get(tx, USER, ACME, "ann")
            if not woken.is_set():
                woken.wait(30)

        with ThreadPoolExecutor(1) as pool:
            holding = pool.submit(frozen.write_now, hold)
            time.sleep(0.2)
            assert scene.update(other, USER, "ann", title="free").version == 2
            woken.set()
            holding.result()


def test_notices_reach_other_processes(journals: list[Journal]) -> None:
    heard, over = threading.Event(), threading.Event()
    listener = threading.Thread(
        target=journals[1].listen, args=(heard.set, over.is_set), daemon=True
    )
    listener.start()
    assert heard.wait(30), "what was written before"
    heard.clear()
    ends = time.monotonic() + 30
    while not heard.wait(0.1) and time.monotonic() < ends:
        journals[0].notify()
    assert heard.is_set()
    over.set()
    listener.join(30)


# --- What is refused at the door ----------------------------------------------------------------


def refusal(url: str) -> OperatorError:
    with pytest.raises(OperatorError) as refused:
        open_journal(url)
    return refused.value


def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    found = refusal("postgresql+psycopg://ann:hunter2@127.0.0.1:1/nowhere")
    assert found.code == "BRG-JOURNAL-UNREACHABLE"
    assert "hunter2" not in str(found)


def test_a_role_whose_commits_are_not_durable_is_refused(url: str) -> None:
    found = refusal(f"{url}?options=-csynchronous_commit%3Doff")
    assert found.code == "BRG-JOURNAL-DATABASE"
    assert "synchronous_commit" in found.problem


def test_a_database_in_another_encoding_is_refused(databases: Databases) -> None:
    name = f"bridge_test_{uuid.uuid4().hex}"
    with closing(servers.connect(databases.server.url)) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
        try:
            address = databases.server.url.set(database=name)
            found = refusal(address.render_as_string(hide_password=False))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert "UTF8" in found.next_step


def test_too_old_a_server_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OLDEST_SERVER", 99)
    assert "too old" in refusal(url).problem


def test_many_processes_make_the_tables_once(databases: Databases) -> None:
    with databases.passing():
        url = databases.blank()
        program = f"from bridge.journal.store import open_journal; open_journal({url!r}).close()"
        starting = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(PROCESSES)]
        assert [one.wait() for one in starting] == [0] * PROCESSES


def test_a_process_goes_on_while_a_newer_release_adds_to_the_tables(url: str) -> None:
    over = threading.Event()

    def write(journal: Journal, number: int) -> None:
        written = 0
        while not over.is_set():
            scene.user(journal, f"{number}-{written}")
            scene.update(journal, USER, f"{number}-{written}", title="x")
            written += 1

    with closing(open_journal(url, connections=4)) as journal, ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write, journal, number) for number in range(2)]
        with closing(servers.connect(make_url(url))) as newer:
            for table in ("resource", "change", "cursor"):
                time.sleep(0.05)
                newer.execute(f"ALTER TABLE {table} ADD COLUMN later text")
            newer.execute("UPDATE alembic_version SET version_num = '9999'")
        time.sleep(0.1)
        over.set()
        for one in writing:
            one.result()
    assert refusal(url).code == "BRG-JOURNAL-NEWER", "but none starts"


def test_a_unit_waits_no_longer_than_is_promised(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "WAIT_SECONDS", 0.2)
    free = threading.Event()
    with closing(open_journal(url, connections=1)) as journal, ThreadPoolExecutor(1) as pool:
        held = pool.submit(journal.write_now, lambda _: free.wait(30))
        time.sleep(0.1)
        with pytest.raises(Unavailable, match="nothing was written"):
            scene.user(journal, "ann")
        free.set()
        held.result()


# --- Behind a pooler in transaction mode --------------------------------------------------------


@contextmanager
def pgbouncer(folder: Path, target: Any) -> Iterator[int]:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        servers.missing("pgbouncer", "the program is not installed")
    port = servers.free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = 3\nunix_socket_dir =\n"
        f"[databases]\n{target.database} = host={target.host} port={target.port or 5432} "
        f"user={target.username}\n"
    )
    account = []
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        for place in (folder, configuration):
            os.chown(place, entry.pw_uid, entry.pw_gid)
        account = [
            "setpriv",
            f"--reuid={entry.pw_uid}",
            f"--regid={entry.pw_gid}",
            "--clear-groups",
        ]
    process = subprocess.Popen([*account, program, "-q", configuration], stderr=subprocess.DEVNULL)
    try:
        servers.wait_until_ready(process, target.set(host="127.0.0.1", port=port))
        yield port
    finally:
        process.kill()
        process.wait()


def test_a_pooler_in_transaction_mode_will_do(url: str) -> None:
    target = make_url(url)
    with servers.account_folder("nobody") as (folder, _), pgbouncer(folder, target) as port:
        pooled = target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        opened = [open_journal(pooled, connections=4, pooled=True) for _ in range(2)]
        try:
            done = at_once(lambda journal, number: scene.user(journal, f"u{number}"), opened)
            assert all(one.version == 1 for one in done), done
            done = at_once(
                lambda journal, number: scene.update(journal, USER, f"u{number}", title="x"), opened
            )
            assert all(one.version == 2 for one in done), done
            assert len(scene.rows(opened[0], "resource")) == len(done)
            opened[0].listen(lambda: None, lambda: False)  # returns: nobody can be heard through it
        finally:
            for journal in opened:
                journal.close()
