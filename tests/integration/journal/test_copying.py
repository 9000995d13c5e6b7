"""`bridge db`: a backup beside a running bridge, putting it back, and moving to PostgreSQL.

Proven: a copy holds everything, what was still to deliver goes on in the new place, and nothing is
overwritten.
"""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from bridge.core.delivery import NextState
from bridge.core.schema import USER
from bridge.journal import backends, claims
from bridge.journal.copying import TABLES
from bridge.journal.store import Journal, open_journal
from tests.journals import Databases
from tests.unit.journal import scene

LEASE_SECONDS = 30.0


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A configuration whose journal is a file `bridge.db` beside it."""
    assert main(["init", str(tmp_path)]) == 0
    return tmp_path / "bridge.toml"


def command(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    """Run a `bridge db` command and return its JSON."""
    capsys.readouterr()
    assert main(["db", *map(str, words), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def filled(url: str) -> None:
    """One user delivered, one parked, one under way, and one to whom nothing has happened yet."""
    with closing(open_journal(url)) as journal:
        journal.write_now(lambda tx: backends.add(tx, "corp", "ldap"))
        for id_ in ("done", "stuck", "leased"):
            scene.user(journal, id_)
        found = {claim.entity.id: claim for claim in lease(journal)}
        for id_, state in (
            ("done", NextState(1, 0, settled=True)),
            ("stuck", NextState(0, 3, parked=True, error="no such base", next_step="make it")),
        ):
            journal.write_now(
                lambda tx, i=id_, s=state: claims.settle(tx, found[i], s, wrote=True)  # type: ignore[misc]
            )
        scene.user(journal, "new")
        scene.group(journal, "all", "done", "stuck", "leased", "new")


def lease(journal: Journal) -> list[claims.Claim]:
    return journal.write_now(
        lambda tx: claims.claim(tx, "corp", room=9, worker="w", lease_seconds=LEASE_SECONDS)
    )


def everything(url: str) -> dict[str, list[dict[str, Any]]]:
    with closing(open_journal(url, exclusive=False)) as journal:
        return {table.name: scene.rows(journal, table.name) for table in TABLES}


def test_what_was_to_deliver_goes_on_after_moving_to_postgresql(
    configured: Path, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f"sqlite:///{configured.parent / 'bridge.db'}"
    filled(file)
    with databases.passing():
        url = databases.blank()
        told = command(capsys, "copy", "--to", url, "--config", configured)
        assert told["rows"]["resource"] == 5
        assert told["rows"]["cursor"] == 5
        assert everything(url) == everything(file)
        again = command(capsys, "copy", "--to", url, "--config", configured, code=1)
        assert again["errors"][0]["code"] == "BRG-JOURNAL-COPY"
        with closing(open_journal(url)) as journal:
            assert {claim.entity.id for claim in lease(journal)} == {"new", "all"}
            assert scene.update(journal, USER, "done", title="after").version == 2
            assert {claim.entity.id for claim in lease(journal)} == {"done"}
            numbers = [row["sequence"] for row in scene.rows(journal, "change")]
            assert numbers == list(range(1, 7))


def test_a_backup_beside_a_running_bridge_is_put_back_with_every_backend_paused(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, copy = f"sqlite:///{tmp_path / 'bridge.db'}", tmp_path / "copy.db"
    filled(url)
    before = everything(url)
    options = ("--config", configured)
    with closing(open_journal(url)) as running:
        command(capsys, "backup", copy, *options)
        assert command(capsys, "backup", copy, *options, code=1)["errors"][0]["code"] == (
            "BRG-JOURNAL-COPY"
        )
        scene.user(running, "later")
        refused = command(capsys, "restore", copy, "--yes", *options, code=1)
        assert refused["errors"][0]["code"] == "BRG-JOURNAL-LOCKED"
        assert command(capsys, "check", *options)["revision"]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert main(["db", "restore", str(copy), *map(str, options)]) == 2, "not without --yes"
    told = command(capsys, "restore", copy, "--yes", *options)
    after = everything(url)
    assert [row["state"] for row in after.pop("backend")] == ["paused"]
    before.pop("backend")
    assert after == before
    assert "later" in {row["id"] for row in everything(f"sqlite:///{told['old']}")["resource"]}


def test_a_damaged_copy_is_refused_and_nothing_changed(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(capsys, "upgrade", "--config", configured)
    journal, copy = tmp_path / "bridge.db", tmp_path / "copy.db"
    copy.write_bytes(b"this was a journal once" * 400)
    content = journal.read_bytes()
    refused = command(capsys, "restore", copy, "--yes", "--config", configured, code=1)
    assert refused["errors"][0]["code"] == "BRG-JOURNAL-COPY"
    assert journal.read_bytes() == content


def test_a_journal_in_postgresql_is_left_to_its_own_tools(
    configured: Path,
    databases: Databases,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with databases.passing():
        monkeypatch.setenv("BRIDGE_JOURNAL__URL", databases.blank())
        options = ("--config", configured)
        old = command(capsys, "check", *options, code=1)
        assert "`bridge db upgrade`" in old["errors"][0]["next_step"]
        command(capsys, "upgrade", *options)
        command(capsys, "check", *options)
        refused = command(capsys, "backup", "copy", *options, code=1)
        assert "pg_dump" in refused["errors"][0]["next_step"]
