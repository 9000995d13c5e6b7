"""What a database refuses is sorted by what must follow, and nothing is ever half done."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from bridge.plugin import BackendDown, Defer, NotApplied, Park, RetryLater, Secret
from bridge.testing import Carrier, World
from bridge_sql.settings import Settings
from plugins.sql_backend.tests.harness import TABLES, ServerHarness, SqlHarness, SqliteHarness
from tests.servers import Server, connect


@pytest.fixture
def carrier(target: SqlHarness) -> Iterator[Carrier]:
    """A carrier whose target has its tables and one user."""
    carrier = Carrier(target, World())
    carrier.carry(carrier.world.user("ann"))
    yield carrier
    carrier.backend.close()


@contextlib.contextmanager
def altered(target: SqlHarness, alter: str, undo: str) -> Iterator[None]:
    """Change the tables' rules and back; a SQLite file is thrown away instead."""
    target.run(alter)
    yield
    if not isinstance(target, SqliteHarness):
        target.run(undo)


def test_taken_value_of_a_unique_key_is_parked(carrier: Carrier, target: SqlHarness) -> None:
    key = "user_name(100)" if target.kind == "mariadb" else "user_name"
    on = " ON users" if target.kind == "mariadb" else ""
    with altered(target, f"CREATE UNIQUE INDEX one ON users ({key})", f"DROP INDEX one{on}"):
        with pytest.raises(Park) as refusal:
            carrier.carry(carrier.world.user("eve", userName="ann@example.com"))
        assert refusal.value.next_step
        carrier.world.forget("eve")
        carrier.expect()
        carrier.carry(carrier.world.user("bob"))
        with pytest.raises(Park):
            carrier.carry(carrier.world.update("bob", userName="ann@example.com"))


def test_value_that_breaks_a_rule_is_parked(carrier: Carrier, target: SqlHarness) -> None:
    if isinstance(target, SqliteHarness):
        rule = "CREATE TRIGGER r BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'no') ; END"
        undo = ""
    else:
        rule = "ALTER TABLE users ADD CONSTRAINT r CHECK (title <> 'King')"
        undo = "ALTER TABLE users DROP CONSTRAINT r"
    with altered(target, rule, undo):
        with pytest.raises(Park) as refusal:
            carrier.carry(carrier.world.user("bob", title="King"))
        assert refusal.value.next_step
    carrier.world.forget("bob")
    carrier.expect()


def test_value_too_long_for_its_column_is_parked(carrier: Carrier, target: SqlHarness) -> None:
    change = {
        "mariadb": "ALTER TABLE users MODIFY title VARCHAR(5)",
        "postgresql": "ALTER TABLE users ALTER title TYPE VARCHAR(5)",
    }
    if target.kind == "sqlite":
        pytest.skip("SQLite has no length of columns")
    shorter = change[target.kind]
    with altered(target, shorter, shorter.replace("VARCHAR(5)", "TEXT")), pytest.raises(Park):
        carrier.carry(carrier.world.update("ann", title="Engineer"))
    assert target.run("SELECT version FROM users")[0][0] == 1


def test_row_that_another_one_needs_is_waited_for(carrier: Carrier, target: SqlHarness) -> None:
    key = "FOREIGN KEY (organization, member_id) REFERENCES users (organization, id)"
    if isinstance(target, SqliteHarness):
        target.run("DROP TABLE members")
        columns = ", ".join(f"{c} TEXT" for c in ("organization", "group_id", "member_id"))
        target.run(f"CREATE TABLE members ({columns}, member_type TEXT, {key})")
        undo = ""
    else:
        target.run(f"ALTER TABLE members ADD CONSTRAINT f {key}")
        word = "FOREIGN KEY" if target.kind == "mariadb" else "CONSTRAINT"
        undo = f"ALTER TABLE members DROP {word} f"
    sales = carrier.world.group("sales", "ann", "bob")
    with pytest.raises(Defer):
        carrier.carry(sales)
    carrier.carry(carrier.world.user("bob"))
    carrier.carry(sales)
    carrier.expect()
    if undo:
        target.run("DELETE FROM members")
        target.run(undo)


def test_text_the_database_cannot_hold_is_parked(carrier: Carrier, target: SqlHarness) -> None:
    hostile = {"sqlite": "\ud800", "postgresql": "a\0b", "mariadb": "\ud800"}[target.kind]
    with pytest.raises(Park):
        carrier.carry(carrier.world.user("bob", displayName=hostile))
    carrier.world.forget("bob")
    carrier.carry(carrier.world.user("eve"))
    carrier.expect()


def test_locked_table_is_tried_again_in_time(carrier: Carrier, target: SqlHarness) -> None:
    change = carrier.world.update("ann", title="Lead")
    started = time.monotonic()
    with target.locked("applied"), pytest.raises(RetryLater):
        carrier.carry(change)
    assert time.monotonic() - started < carrier.harness.deadline_seconds
    carrier.carry(change)
    carrier.expect()


@pytest.fixture(params=["postgresql", "mariadb"])
def server_target(request: pytest.FixtureRequest) -> ServerHarness:
    target: ServerHarness = request.getfixturevalue(f"{request.param}_target")
    return target


@contextlib.contextmanager
def session(target: ServerHarness) -> Iterator[Callable[[str], None]]:
    """A second person's session, in a transaction that is undone at the end."""
    with contextlib.closing(connect(target.server.url)) as connection:
        connection.autocommit = False if target.kind == "postgresql" else connection.autocommit

        def run(sql: str) -> None:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute(sql)

        run(target.enter)
        if target.kind == "mariadb":
            run("START TRANSACTION")
        yield run
        connection.rollback()


def test_deadlock_is_tried_again(server_target: ServerHarness) -> None:
    carrier = Carrier(server_target, World())
    carrier.carry(carrier.world.user("ann"))
    change = carrier.world.update("ann", title="Lead")
    outcomes: list[NotApplied | None] = []

    def carry() -> None:
        try:
            carrier.carry(change)
        except NotApplied as outcome:
            outcomes.append(outcome)
        else:
            outcomes.append(None)

    with session(server_target) as other:
        columns = "organization, id, version, document"
        for n in range(200):  # the one that has done more is spared
            other(f"INSERT INTO users ({columns}) VALUES ('x', '{n}', 1, '')")
        other("UPDATE users SET title = 'Other' WHERE organization = 'acme'")
        thread = threading.Thread(target=carry)
        thread.start()
        server_target.wait_for_a_waiting_session()
        other("UPDATE applied SET version = 1 WHERE organization = 'acme'")
        thread.join()
    (outcome,) = outcomes
    assert isinstance(outcome, RetryLater)
    assert "deadlock" in outcome.reason.lower()
    carrier.carry(change)
    carrier.expect()
    carrier.backend.close()


def test_killed_session_is_replaced(server_target: ServerHarness) -> None:
    carrier = Carrier(server_target, World())
    carrier.carry(carrier.world.user("ann"))
    change = carrier.world.update("ann", title="Lead")
    server_target.kill_other_sessions()
    with pytest.raises(RetryLater):
        carrier.carry(change)
    carrier.carry(change)
    carrier.expect()
    carrier.backend.close()


def test_poison_row_does_not_hold_up_the_others(carrier: Carrier, target: SqlHarness) -> None:
    hostile = {"sqlite": "\ud800", "postgresql": "a\0b", "mariadb": "\ud800"}[target.kind]
    parked = 0
    for n in range(50):
        handle = f"user-{n}"
        try:
            name = hostile if n == 25 else handle
            carrier.carry(carrier.world.user(handle, displayName=name))
        except Park:
            parked += 1
            carrier.world.forget(handle)
    assert parked == 1
    carrier.expect()


# --- the target as a whole ------------------------------------------------------------------


def refused(settings: Settings, target: SqlHarness) -> BackendDown:
    backend = target.type.open(settings)
    with pytest.raises(BackendDown) as refusal:
        backend.execute(backend.plan([World().user("ann")], {}))
    backend.close()
    return refusal.value


def test_unknown_database_and_account_are_reported_as_down(server_target: ServerHarness) -> None:
    url = server_target.server.url.set(password=None)
    for wrong in (url.set(database="nowhere"), url.set(host="nowhere.invalid")):
        refused(attrs.evolve(server_target.settings, url=str(wrong)), server_target)


def test_wrong_password_is_reported_as_down_and_not_shown(mariadb_target: ServerHarness) -> None:
    secret = Secret("correct-horse-battery")
    settings = attrs.evolve(mariadb_target.settings, password=secret)
    refusal = refused(settings, mariadb_target)
    assert "denied" in refusal.reason
    assert (
        secret.reveal() not in f"{refusal!r}{refusal.__cause__!r}{settings!r}{settings.address!r}"
    )


@pytest.mark.parametrize("driver", ["nonsense", "postgresql+nonsense", "oracle+cx_nonsense"])
def test_unknown_kind_of_database_is_reported_as_down(
    sqlite_target: SqlHarness, driver: str
) -> None:
    assert "driver" in refused(Settings(url=f"{driver}://host/db"), sqlite_target).reason


def test_account_without_rights_is_found_by_check_and_opens_the_circuit(
    postgresql_target: ServerHarness, postgresql: Server
) -> None:
    target = postgresql_target
    carrier = Carrier(target, World())
    carrier.carry(carrier.world.user("ann"))
    target.run("DROP ROLE IF EXISTS reader")
    target.run("CREATE ROLE reader LOGIN")
    target.run(f"GRANT USAGE ON SCHEMA {target.name} TO reader")
    target.run("GRANT SELECT ON ALL TABLES IN SCHEMA bridge_tests TO reader")
    url = postgresql.url.set(username="reader", password=None)
    settings = attrs.evolve(target.settings, url=str(url))
    refused(settings, target)
    with contextlib.closing(target.type.open(settings)) as backend:
        wrong = [finding for finding in backend.check() if not finding.ok]
    assert {finding.code for finding in wrong} == {"BRG-SQL-TABLE-RIGHTS"}
    assert len(wrong) == len(TABLES) - 1  # its version may be read
    assert all("GRANT" in finding.next_step.upper() for finding in wrong)
    target.run("DROP OWNED BY reader")
    target.run("DROP ROLE reader")
    carrier.backend.close()


def test_missing_tables_are_found_where_they_are_not_ours_to_make(target: SqlHarness) -> None:
    with target.without_tables():
        given = attrs.evolve(target.settings, create=False)
        with contextlib.closing(target.type.open(given)) as backend:
            wrong = [finding for finding in backend.check() if not finding.ok]
            assert {finding.code for finding in wrong} == {"BRG-SQL-TABLE-SHAPE"}
            assert len(wrong) == len(TABLES) - 1
            assert all("backend init" in finding.next_step for finding in wrong)
        assert "backend init" in refused(given, target).reason
        with contextlib.closing(target.open()) as backend:
            assert all(finding.ok for finding in backend.check())
            assert not target.has_tables(), "check made the tables"


def test_missing_column_is_found(carrier: Carrier, target: SqlHarness) -> None:
    with altered(
        target, "ALTER TABLE users DROP COLUMN title", "ALTER TABLE users ADD COLUMN title TEXT"
    ):
        (wrong,) = (finding for finding in carrier.backend.check() if not finding.ok)
        assert wrong.code == "BRG-SQL-TABLE-SHAPE"
        assert "title" in wrong.message
        with pytest.raises(BackendDown):
            carrier.carry(carrier.world.update("ann", title="Lead"))


def test_read_only_database_is_reported_as_down(carrier: Carrier, target: SqlHarness) -> None:
    change = carrier.world.update("ann", title="Lead")
    if isinstance(target, SqliteHarness):
        url = f"sqlite:///file:{target.folder}/people.db?mode=ro&uri=true"
        backend = target.type.open(attrs.evolve(target.settings, url=url, create=False))
        with contextlib.closing(backend), pytest.raises(BackendDown):
            backend.execute(backend.plan([change], {}))
        return
    on, off = {
        "postgresql": (
            "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on",
            "ALTER ROLE CURRENT_USER RESET default_transaction_read_only",
        ),
        "mariadb": ("SET GLOBAL read_only = ON", "SET GLOBAL read_only = OFF"),
    }[target.kind]
    if target.kind == "mariadb":
        pytest.skip("root may write to a read-only MariaDB")
    with altered(target, on, off):
        carrier.restart()
        with pytest.raises(BackendDown):
            carrier.carry(change)
    target.run(off)
    carrier.restart()
    carrier.carry(change)
    carrier.expect()


def test_file_that_is_no_database_is_reported_as_down(tmp_path: Path) -> None:
    (tmp_path / "people.db").write_text("not a database" * 100)
    target = SqliteHarness(tmp_path)
    refused(target.settings, target)
    target.close()


@pytest.mark.parametrize(
    "url",
    ["", "people.db", "sqlite", "postgresql+psycopg://bridge:secret@host/db", "://"],
)
def test_address_that_is_none_or_holds_a_password_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url") as refusal:
        Settings(url=url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("seconds", [0, -1])
def test_time_out_is_greater_than_nothing(seconds: float) -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        Settings(url="sqlite:///people.db", timeout_seconds=seconds)
