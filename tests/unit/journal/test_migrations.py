"""Revisions: together they make exactly the tables, and an upgrade is all or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from bridge.core.errors import OperatorError
from bridge.journal import guard_tables, migrations, people_tables
from bridge.journal.store import open_journal
from bridge.journal.tables import metadata

assert {guard_tables.guard, people_tables.account} <= set(metadata.sorted_tables)
SCRIPTS = Path(migrations.__file__).parent
SHAPES = "SELECT lower(replace(sql, '\"', '')) FROM sqlite_schema WHERE sql IS NOT NULL"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new journal, closed again."""
    path = tmp_path / "journal"
    open_journal(f"sqlite:///{path}").close()
    return path


def run(path: Path, statement: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def test_the_revisions_make_the_tables_and_nothing_else(path: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    direct = tmp_path / "direct"
    metadata.create_all(create_engine(f"sqlite:///{direct}", poolclass=NullPool))
    # What autogenerate does not compare: partial indexes, tables without rowid.
    parts = (" where ", "without rowid", "unique index")
    shapes = [
        {(part, " ".join(sql.split()).count(part)) for (sql,) in run(p, SHAPES) for part in parts}
        for p in (path, direct)
    ]
    counts = [
        [sum(part in sql for (sql,) in run(p, SHAPES)) for part in parts] for p in (path, direct)
    ]
    assert shapes[0] == shapes[1]
    assert counts[0] == counts[1]


def test_the_newest_revision_is_the_one_that_is_looked_for(path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
    assert run(path, "SELECT version_num FROM alembic_version") == [(migrations.HEAD,)]


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_journal_of_a_newer_release_is_refused_and_left_alone(
    path: Path, exclusive: bool
) -> None:
    run(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(OperatorError) as refused:
        open_journal(f"sqlite:///{path}", exclusive=exclusive)
    assert refused.value.code == "BRG-JOURNAL-NEWER"
    assert path.read_bytes() == before


def test_only_the_owner_brings_a_journal_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(OperatorError) as refused:
        open_journal(f"sqlite:///{path}", exclusive=False)
    assert refused.value.code == "BRG-JOURNAL-OLD"
    assert "`bridge serve`" in refused.value.next_step
    open_journal(f"sqlite:///{path}").close()
    open_journal(f"sqlite:///{path}", exclusive=False).close()


def test_an_upgrade_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "half"
    run(path, "CREATE TABLE link (in_the_way TEXT)")  # the last table that the revision makes
    with pytest.raises(Exception, match="already exists"):
        open_journal(f"sqlite:///{path}")
    assert run(path, "SELECT name FROM sqlite_schema") == [("link",)]
    run(path, "DROP TABLE link")
    open_journal(f"sqlite:///{path}").close()
