"""Passwords on their way through the engine: opened for the one attempt that delivers them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import attrs
import pytest
from sqlalchemy import select

from bridge.core import delivery
from bridge.core.schema import USER
from bridge.core.secret import Secret
from bridge.engine import lane, turn
from bridge.engine.planner import plan_pending
from bridge.journal import deliveries, links, passwords, record, resources, tables
from bridge.journal.deliveries import DeliveryState
from bridge.journal.statements import prepared
from bridge.journal.store import Transaction
from bridge.plugin import (
    ChangeRecord,
    InDoubt,
    Link,
    NotApplied,
    Observed,
    Park,
    Plan,
    Receipt,
    RetryLater,
    coalesce,
)
from bridge.sealing import Sealer
from tests.unit.engine.house import (
    ORGANIZATION,
    House,
    Looking,
    Target,
    Write,
    cause,
    delivering,
    house,
)

pytestmark = pytest.mark.anyio

SEALER = Sealer(Secret("an installation key of 32 letters"))
FIRST, SECOND = Secret("correct-horse-battery"), Secret("staple-of-the-second")


_KEPT = prepared(select(tables.password.c.entity))


@attrs.frozen
class SetPassword:
    """The last step of a plan that has a password."""

    id: str
    password: Secret

    def __str__(self) -> str:
        return f"password {self.id} {self.password}"


class Vault(Target):
    """A target that has passwords, and refuses them as a test says."""

    def __init__(self, *refusals: NotApplied) -> None:
        super().__init__()
        self.refusals = list(refusals)
        self.offered: list[str] = []
        self.passwords: dict[str, str] = {}


class Taking(Looking):
    target: Vault

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        plan, password = super().plan(changes, links, observed), coalesce(changes).password
        if password is None:
            return plan
        return attrs.evolve(plan, steps=(*plan.steps, SetPassword(plan.entity.id, password)))

    def execute(self, plan: Plan) -> Receipt:
        receipt = Receipt()
        writes = tuple(step for step in plan.steps if isinstance(step, Write))
        if writes:
            receipt = super().execute(attrs.evolve(plan, steps=writes))
        for step in plan.steps:
            if isinstance(step, SetPassword):
                text = step.password.reveal()
                self.target.offered.append(text)
                if self.target.refusals:
                    raise attrs.evolve(self.target.refusals.pop(0), links=receipt.links)
                self.target.passwords[step.id] = text
        return receipt


@asynccontextmanager
async def vault_house(
    path: Path, target: Vault, sealer: Sealer | None = SEALER, *, running: bool = True
) -> AsyncIterator[House]:
    async with house(path, target=target, running=False) as plain:
        hosted = attrs.evolve(plain.hosted, open=lambda: Taking(target, 1), sealer=sealer)
        here = House(plain.journal, [hosted], target)
        async with delivering(here):  # enrols the backend
            if running:
                yield here
        if not running:
            yield House(plain.journal, [hosted], target)


async def hire(here: House, password: Secret) -> str:
    id_ = str(uuid4())
    sealed = SEALER.seal(password)
    await here.write(
        lambda tx: record.create(
            tx, USER, ORGANIZATION, id_, {"userName": "ann"}, (), cause(), sealed
        )
    )
    return id_


async def set_password(here: House, id_: str, password: Secret) -> None:
    def unit(tx: Transaction) -> None:
        before = resources.get(tx, USER, ORGANIZATION, id_)
        assert before is not None
        sealed = SEALER.seal(password)
        record.update(tx, USER, before, before.attributes, (), cause(), sealed)

    await here.write(unit)


async def kept(here: House) -> int:
    return len(await here.journal.read(lambda reader: reader.rows(_KEPT)))


async def test_password_arrives_once_in_clear_and_is_gone(tmp_path: Path) -> None:
    vault = Vault()
    async with vault_house(tmp_path, vault) as here:
        ann = await hire(here, FIRST)
        await here.in_sync(ann)
        assert (vault.passwords, await kept(here)) == ({ann: FIRST.reveal()}, 0)
        await here.rename(ann, "eve")
        await set_password(here, ann, SECOND)
        await here.in_sync(ann)
        assert (vault.passwords, await kept(here)) == ({ann: SECOND.reveal()}, 0)
        await here.journal.write(lambda tx: deliveries.resync(tx, "far"))
        here.dispatcher.wake()
        await here.in_sync(ann)
    assert vault.offered == [FIRST.reveal(), SECOND.reveal()]
    assert FIRST.reveal().encode() not in (tmp_path / "journal.db").read_bytes()


async def test_passing_trouble_keeps_the_password_until_it_is_over(tmp_path: Path) -> None:
    vault = Vault(RetryLater("busy"), RetryLater("busy"))
    async with vault_house(tmp_path, vault) as here:
        ann = await hire(here, FIRST)
        await here.in_sync(ann)
        assert (vault.passwords, await kept(here)) == ({ann: FIRST.reveal()}, 0)


async def test_refused_password_is_not_sent_again_by_itself_and_skip_gives_it_up(
    tmp_path: Path,
) -> None:
    vault = Vault(Park("too short", "Take a longer one."), Park("too short", "Take a longer one."))
    async with vault_house(tmp_path, vault) as here:
        ann = await hire(here, FIRST)
        parked = await here.until(ann, DeliveryState.PARKED)
        assert (parked.error, vault.offered) == ("too short", [FIRST.reveal()])
        assert await here.verb(deliveries.retry, ann)
        await here.until(ann, DeliveryState.PARKED)
        assert vault.offered == [FIRST.reveal()] * 2
        assert await here.verb(deliveries.skip, ann)
        assert await kept(here) == 0
        await here.rename(ann, "eve")
        await here.in_sync(ann)
    assert vault.offered == [FIRST.reveal()] * 2
    assert vault.held[ann] == {"userName": "eve"}


async def test_new_password_takes_the_place_of_a_refused_one(tmp_path: Path) -> None:
    vault = Vault(Park("too short", "Take a longer one."))
    async with vault_house(tmp_path, vault) as here:
        ann = await hire(here, FIRST)
        await here.until(ann, DeliveryState.PARKED)
        await set_password(here, ann, SECOND)
        assert await here.verb(deliveries.retry, ann)
        await here.in_sync(ann)
    assert vault.offered == [FIRST.reveal(), SECOND.reveal()]


async def test_refused_password_keeps_nobody_out_of_a_group(tmp_path: Path) -> None:
    vault = Vault(Park("too short", "Take a longer one."))
    async with vault_house(tmp_path, vault) as here:
        ann = await hire(here, FIRST)
        await here.until(ann, DeliveryState.PARKED)
        known = await here.journal.read(lambda r: links.get_many(r, ORGANIZATION, "far", [ann]))
        assert ann in known
        await here.in_sync(await here.group("team", ann))


async def test_password_that_nobody_answers_is_sent_twice_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "IN_DOUBT_SECONDS", 0.02)
    monkeypatch.setattr(delivery, "VERIFY_SECONDS", 0.1)
    monkeypatch.setattr(lane, "SETTLED_SECONDS", 0.05)
    monkeypatch.setattr(turn, "SETTLED_SECONDS", 0.05)
    vault = Vault(*[InDoubt("no answer")] * 9)
    async with vault_house(tmp_path, vault) as here:
        ann = await hire(here, FIRST)
        parked = await here.until(ann, DeliveryState.PARKED)
        assert "sent 2 times" in (parked.error or "")
        assert vault.offered == [FIRST.reveal()] * 2
        vault.refusals.clear()
        assert await here.verb(deliveries.retry, ann)
        await here.in_sync(ann)
        assert (vault.passwords, await kept(here)) == ({ann: FIRST.reveal()}, 0)


async def test_password_of_another_install_key_parks_and_says_so(tmp_path: Path) -> None:
    vault = Vault()
    other = Sealer(Secret("another installation key, 32 letters"))
    async with vault_house(tmp_path, vault, other) as here:
        ann = await hire(here, FIRST)
        parked = await here.until(ann, DeliveryState.PARKED)
        assert "another server.key" in (parked.error or "")
        assert "skip" in (parked.next_step or "")
    assert vault.offered == []


async def test_backend_that_takes_none_is_given_none(tmp_path: Path) -> None:
    vault = Vault()
    async with vault_house(tmp_path, vault, None) as here:
        ann = await hire(here, FIRST)
        await here.in_sync(ann)
        await set_password(here, ann, SECOND)
        delivery = await here.delivery(ann)
        assert (delivery.target, await kept(here), vault.offered) == (1, 0, [])


async def test_dry_run_shows_that_there_is_a_password_and_never_opens_it(tmp_path: Path) -> None:
    vault = Vault()
    async with vault_house(tmp_path, vault, running=False) as here:
        ann = await hire(here, FIRST)
        planned = partial(plan_pending, here.journal, attrs.evolve(here.hosted, sealer=None))
        (one,) = planned()
        assert f"password {ann} ***" in one.text
        assert FIRST.reveal() not in repr(one)
        sealed = await here.journal.read(
            lambda reader: passwords.waiting(reader, "far", one.entity)
        )
        assert sealed is not None
        assert sealed.sealed.reveal() not in repr(one)
