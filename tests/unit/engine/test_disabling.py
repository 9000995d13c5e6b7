"""A target that wants nothing more, or takes nothing for too long, is left alone until resumed."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, select

from bridge.core.delivery import Schedule
from bridge.engine import lane
from bridge.journal import attempts, backends, deliveries, tenants
from bridge.journal.attempts import Tried
from bridge.journal.backends import BackendRow
from bridge.journal.deliveries import DeliveryState
from bridge.journal.statements import prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import attempt, audit
from bridge.plugin import BackendDown, Disable, Park, Receipt, RetryLater
from tests.unit.engine.house import ORGANIZATION, House, Write, cause, eventually, house

pytestmark = pytest.mark.anyio

DAYS = Schedule("days", (0.01,) * 200, disables_after_seconds=0.3)
FOR_EVER = Schedule("for ever", (0.01,) * 200)


async def state(here: House) -> BackendRow:
    row = await here.journal.read(lambda reader: backends.get(reader, "far"))
    assert row is not None
    return row


async def disabled(here: House, seconds: float = 30.0) -> BackendRow:
    async def is_disabled() -> bool:
        return (await state(here)).state == "disabled"

    await eventually(is_disabled, seconds)
    return await state(here)


async def tried(here: House, id_: str) -> list[Tried]:
    def query(reader: Reader) -> list[Tried]:
        return attempts.of_entity(reader, ORGANIZATION, id_, "far")

    return await here.journal.read(query)


async def test_a_target_that_wants_nothing_more_is_given_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with house(tmp_path) as here:
        asked: list[str] = []

        def gone(write: Write) -> None:
            asked.append(write.id)
            raise Disable("410")

        here.target.behave = gone
        await here.user("ann")
        row = await disabled(here)
        assert (row.state, row.reason) == ("disabled", "410")
        first = len(asked)
        later = [await here.user(f"user{n}") for n in range(5)]
        here.dispatcher.wake()
        waiting = await here.until(later[-1], DeliveryState.PENDING)
        assert (waiting.backend_state, waiting.attempts) == ("disabled", 0)
        assert len(asked) == first

        here.target.behave = lambda _: None
        await here.write(lambda tx: backends.resume(tx, "far"))
        await here.in_sync(*later, seconds=30)
        assert (await state(here)).reason is None


async def test_its_disabling_is_audited_in_every_organization(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for one in ("acme", "globex"):
            await here.write(partial(_found, name=one))
        here.target.behave = _raise(Disable("410"))
        await here.user("ann")
        await disabled(here)
        rows = prepared(
            select(audit.c.organization, audit.c.actor, audit.c.target).where(
                audit.c.action == bindparam("action")
            )
        )
        found = await here.journal.read(lambda r: r.rows(rows, action="backend.disable"))
        assert len({organization for organization, *_ in found}) == len(found) == 2
        assert {(actor, target) for _, actor, target in found} == {("engine", "backend/far")}


@pytest.mark.parametrize(
    "error", [RetryLater("500", 0.01), BackendDown("refused")], ids=["answers", "refuses"]
)
async def test_a_target_that_takes_nothing_for_too_long_is_disabled(
    tmp_path: Path, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.core.delivery.CIRCUIT_SECONDS", 0.01)
    monkeypatch.setattr("bridge.core.delivery.CIRCUIT_CAP_SECONDS", 0.02)
    async with house(tmp_path, schedule=DAYS) as here:
        here.target.behave = _raise(error)
        ann = await here.user("ann")
        row = await disabled(here)
        assert row.reason is not None
        assert row.reason.startswith("Nothing was taken for")
        here.target.behave = lambda _: None
        await here.write(lambda tx: backends.resume(tx, "far"))
        await here.write(lambda tx: _retry(tx, ann))
        await here.in_sync(ann, seconds=30)


async def test_one_success_starts_the_time_anew(tmp_path: Path) -> None:
    async with house(tmp_path, schedule=DAYS) as here:
        failed: list[str] = []

        def only_poison(write: Write) -> None:
            if write.document and write.document["userName"] == "poison":
                failed.append(write.id)
                raise RetryLater("500", 0.01)

        here.target.behave = only_poison
        await here.user("poison")
        number = 0
        while len(failed) < 80:  # many times the time after which it would have been disabled
            number += 1
            await here.in_sync(await here.user(f"user{number}"), seconds=30)
        assert (await state(here)).state == "active"


async def test_without_such_a_schedule_nothing_is_disabled(tmp_path: Path) -> None:
    async with house(tmp_path, schedule=FOR_EVER) as here:
        failed: list[str] = []

        def refuse(write: Write) -> None:
            failed.append(write.id)
            raise RetryLater("500", 0.01)

        here.target.behave = refuse
        await here.user("ann")
        await eventually(lambda: len(failed) > 60, 30)
        assert (await state(here)).state == "active"


async def test_an_attempt_that_failed_is_kept_with_what_the_target_said(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        errors = [
            RetryLater("busy", 0.01, answer="503 later"),
            Park("bad", answer="400 " + "x" * 999),
        ]

        def refuse(_: Write) -> None:
            if errors:
                raise errors.pop(0)

        here.target.behave = refuse
        ann = await here.user("ann")
        await here.until(ann, DeliveryState.PARKED, 30)
        second, first = await tried(here, ann)
        assert (first.outcome, first.reason, first.answer) == ("RetryLater", "busy", "503 later")
        assert (second.outcome, second.reason, second.version) == ("Park", "bad", 1)
        assert second.answer is not None
        assert len(second.answer) <= attempts.ANSWER_CHARACTERS
        assert first.at <= first.at + first.micros <= second.at + second.micros
        assert first.micros > 0


async def test_success_is_kept_where_the_target_said_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as here:
        silent = await here.user("ann")
        await here.in_sync(silent, seconds=30)
        assert await tried(here, silent) == []
        monkeypatch.setattr(
            "tests.unit.engine.house.Trusting.execute", lambda *_: Receipt(answer="204")
        )
        talking = await here.user("bob")
        await here.in_sync(talking, seconds=30)
        (one,) = await tried(here, talking)
        assert (one.outcome, one.reason, one.answer) == ("Applied", None, "204")


async def test_attempts_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "SWEEP_SECONDS", 0.05)
    async with house(tmp_path) as here:
        here.target.behave = _raise(Park("bad"))
        ann = await here.user("ann")
        await here.until(ann, DeliveryState.PARKED, 30)
        assert len(await tried(here, ann)) == 1
        monkeypatch.setattr(attempts, "KEPT_SECONDS", 0.0)

        every = prepared(select(attempt.c.sequence))

        async def none_left() -> bool:
            return await here.journal.read(lambda reader: reader.rows(every)) == []

        await eventually(none_left, 30)


def _found(tx: Transaction, name: str) -> None:
    tenants.create_organization(tx, name, name, cause())


def _raise(error: Exception) -> Any:
    def behave(_: Write) -> None:
        raise error

    return behave


def _retry(tx: Transaction, id_: str) -> bool:

    return deliveries.retry(tx, "far", ORGANIZATION, id_)
