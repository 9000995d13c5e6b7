"""A journal and a shelf (the contract's reference target) that import and reconcile look at.

Rule: what is on the shelf is changed behind the bridge's back by the tests alone.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs

from bridge.core.changes import Cause
from bridge.core.resources import Entity, Resource
from bridge.core.schema import GROUP, STANDARD, USER, ResourceType
from bridge.engine.dispatcher import Dispatcher
from bridge.engine.importer import Importer, Proposal
from bridge.engine.reconciler import Difference, Reconciler
from bridge.hosting import HostedBackend
from bridge.journal import backends, deliveries, links, record, resources
from bridge.journal.store import Journal, open_journal
from bridge.plugin import Link
from tests.contract.memory import Memory, MemoryHarness, Row, Settings, Shelf

ACME = "acme"
NAME = "shelf"


def cause() -> Cause:
    return Cause("operator:test", "request", datetime.now(UTC))


@attrs.define
class Scene:
    """One organization whose people and groups are kept on one shelf."""

    folder: Path
    kind: type[Memory] = Memory
    shelf: Shelf = attrs.field(factory=Shelf)
    journal: Journal = attrs.field(init=False)
    hosted: HostedBackend = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.shelf.answering.set()
        self.journal = open_journal(f"sqlite:///{self.folder / 'journal.db'}")
        self.hosted = HostedBackend(NAME, MemoryHarness().type, self.open, slots=2)
        self.journal.write_now(lambda tx: backends.add(tx, NAME, "memory"))

    def open(self) -> Memory:
        return self.kind(Settings(self.shelf))

    # --- What should be true --------------------------------------------------------------------

    def user(self, id_: str, **attributes: Any) -> Resource:
        document = {"userName": id_, "displayName": id_, "active": True, **attributes}
        return self._create(USER, id_, document)

    def group(self, id_: str, *members: str) -> Resource:
        return self._create(GROUP, id_, {"displayName": id_}, members)

    def find(self, id_: str, rtype: ResourceType = USER) -> Resource | None:
        return self.journal.read_now(lambda r: resources.get(r, rtype, ACME, id_))

    def delete(self, id_: str) -> None:
        before = self.find(id_)
        assert before is not None
        self.journal.write_now(lambda tx: record.delete(tx, USER, before, cause()))

    def deliver(self) -> None:
        """Deliver everything that is due; what is parked or held stays."""
        asyncio.run(self._deliver())

    # --- What is there --------------------------------------------------------------------------

    def row(self, id_: str) -> Row:
        """The row that a resource is linked to."""
        return self.shelf.rows[self.link(id_).target_id]

    def link(self, id_: str) -> Link:
        return self.journal.read_now(lambda r: links.get_many(r, ACME, NAME, [id_]))[id_]

    def plant(self, number: str, name: str, kind: str = "User", *members: str) -> None:
        """Put something onto the shelf that the bridge did not make."""
        document = {"userName" if kind == "User" else "displayName": name}
        entity = Entity(ACME, kind, f"others' {number}")
        self.shelf.rows[number] = Row(number, entity, document, set(members))

    # --- What is asked --------------------------------------------------------------------------

    def reconcile(self, **options: bool) -> tuple[Reconciler, list[Difference]]:
        run = Reconciler(self.journal, self.hosted, STANDARD, cause, **options)  # type: ignore[arg-type]
        return run, list(run.run())

    def drift(self, **options: bool) -> dict[str, str]:
        """What differs, by resource id or, for what has none, empty; the gravest kind each."""
        _, found = self.reconcile(**options)
        return {one.entity.id if one.entity else "": str(one.kinds[0]) for one in found}

    def bring_in(self, *, write: bool = True) -> tuple[Importer, Sequence[Proposal]]:
        run = Importer(
            *(self.journal, self.hosted, STANDARD, ACME, cause, lambda: str(uuid4())), write=write
        )
        return run, list(run.run())

    def _create(
        self, rtype: ResourceType, id_: str, document: dict[str, Any], members: Sequence[str] = ()
    ) -> Resource:
        return self.journal.write_now(
            lambda tx: record.create(tx, rtype, ACME, id_, document, list(members), cause())
        )

    async def _deliver(self) -> None:
        dispatcher = Dispatcher(self.journal, [self.hosted])
        task = asyncio.create_task(dispatcher.run())
        deadline = time.monotonic() + 30
        while self.journal.read_now(lambda r: deliveries.pending(r, NAME)):
            assert time.monotonic() < deadline, "not delivered"
            await asyncio.sleep(0.02)
        await dispatcher.stop(5)
        await task
