"""The how-to about an existing SQL database is true: its example is run as it stands there."""

import asyncio
import re
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bridge.cli import main
from bridge.config import load
from bridge.core.schema import GROUP, USER
from bridge.engine.dispatcher import Dispatcher
from bridge.hosting import host
from bridge.journal import deliveries, record, resources
from bridge.journal.store import Journal, Transaction, open_journal
from tests.unit.engine.house import cause, eventually

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "write-into-an-existing-sql-database.md"
KEY = "k" * 32
ORGANIZATION = "acme"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The tables and the configuration of the page, in a folder; returns the configuration."""
    tables, _query = blocks("sql")
    with sqlite3.connect(tmp_path / "crm.db") as database:
        database.executescript(tables)
    database.close()
    (configuration,) = blocks("toml")
    text = configuration.replace("sqlite:////var/lib/crm/crm.db", f"sqlite:///{tmp_path}/crm.db")
    file = tmp_path / "bridge.toml"
    file.write_text(f'[server]\nkey = "{KEY}"\n[journal]\nurl = "sqlite:///j.db"\n{text}')
    return file


def test_check_finds_nothing_wrong(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(installed)]) == 0
    printed = capsys.readouterr().out
    (said,) = [block for block in blocks("text") if "BRG-SQL-TABLE-READY" in block]
    for line in said.splitlines():
        assert line.split("  ")[-1] in printed


def test_what_arrives_is_what_the_page_says(installed: Path) -> None:
    asyncio.run(asyncio.wait_for(deliver(installed), 60))
    _tables, query = blocks("sql")
    with sqlite3.connect(installed.parent / "crm.db") as database:
        rows = database.execute(query).fetchall()
    database.close()
    shown = [" | ".join("" if v is None else str(v) for v in row).rstrip() for row in rows]
    assert shown == blocks("text")[-1].splitlines()


def test_tables_that_are_not_ours_are_not_made(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backend", "init", "crm", "--config", str(installed)]) == 1
    assert "BRG-SQL-MAPPED" in capsys.readouterr().err


def test_managed_tables_are_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'[server]\nkey = "{KEY}"\n[[backends]]\ntype = "sql"\nname = "people"\ncreate = false\n'
        f'url = "sqlite:///{tmp_path}/people.db"\n'
    )
    assert main(["check", "--config", str(file)]) == 1
    for said in ("made", "already"):
        assert main(["backend", "init", "people", "--config", str(file)]) == 0
        assert said in capsys.readouterr().out
    assert main(["check", "--config", str(file)]) == 0
    assert main(["backend", "init", "nobody", "--config", str(file)]) == 1
    assert "BRG-CONFIG-BACKEND" in capsys.readouterr().err


async def deliver(file: Path) -> None:
    """Write what the page tells into a journal and deliver it."""
    (hosted,) = host(load(file, {}))
    journal = open_journal(f"sqlite:///{file.parent}/j.db")
    dispatcher = Dispatcher(journal, [hosted])
    task = asyncio.create_task(dispatcher.run())

    async def write(unit: Callable[[Transaction], Any]) -> None:
        await journal.write(unit)
        dispatcher.wake()

    try:
        await eventually(partial(known, journal), 30)
        ann, bob = str(uuid4()), str(uuid4())
        for id_, name in ((ann, "Ann"), (bob, "Bob")):
            mail = f"{name}@example.com"
            person = {
                "userName": mail,
                "displayName": f"{name} Example",
                "emails": [{"value": mail.lower(), "type": "work"}],
                "active": True,
            }
            await write(partial(create, rtype=USER, id_=id_, document=person))
        await eventually(partial(in_sync, journal, bob), 30)
        await write(partial(deactivate, id_=bob))
        await write(
            partial(
                create, rtype=GROUP, id_=str(uuid4()), document={"displayName": "Sales"}, to=[ann]
            )
        )

        async def done() -> bool:
            return not (await journal.read(lambda r: deliveries.lag(r, "crm"))).pending

        await eventually(done, 30)
    finally:
        await dispatcher.stop(5)
        await task
        journal.close()


async def known(journal: Journal) -> bool:
    from bridge.journal import backends

    return bool(await journal.read(lambda reader: backends.get(reader, "crm")))


async def in_sync(journal: Journal, id_: str) -> bool:
    found = await journal.read(lambda r: deliveries.of_entity(r, ORGANIZATION, id_))
    return bool(found) and all(one.state is deliveries.DeliveryState.IN_SYNC for one in found)


def create(
    tx: Transaction, *, rtype: Any, id_: str, document: dict[str, Any], to: list[str] | None = None
) -> None:
    record.create(tx, rtype, ORGANIZATION, id_, document, to or [], cause())


def deactivate(tx: Transaction, *, id_: str) -> None:
    before = resources.get(tx, USER, ORGANIZATION, id_)
    assert before is not None
    record.update(tx, USER, before, {**before.attributes, "active": False}, [], cause())
