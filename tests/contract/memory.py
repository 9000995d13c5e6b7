"""A backend whose target is a dictionary: small, right, and easy to break on purpose.

Rule: it keeps every law of the contract; `defects` breaks it in one place at a time.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from bridge.plugin import (
    FOLDER,
    WORKSPACE,
    Access,
    Attributes,
    Backend,
    BackendDown,
    BackendType,
    ChangeRecord,
    Defer,
    Drift,
    DriftKind,
    Entity,
    Finding,
    Found,
    InDoubt,
    Link,
    Member,
    NotApplied,
    Observed,
    Operation,
    Plan,
    Receipt,
    ScanPage,
    Secret,
    Surprise,
    coalesce,
)
from bridge.testing import BackendHarness, Held, Person, Place, Team

PAGE = 5
SECRET = "open-sesame"
PATIENCE_SECONDS = 0.05


@attrs.define
class Row:
    """What the target holds of one resource; `number` is its identity there.

    `members` are the numbers of a group's members, or what users may do in a place.
    """

    number: str
    entity: Entity
    document: Attributes
    members: set[Any] = attrs.field(factory=set)


@attrs.define
class Shelf:
    """The target: rows by number."""

    rows: dict[str, Row] = attrs.field(factory=dict)
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    answering: threading.Event = attrs.field(factory=threading.Event)
    listening: bool = True
    owner: object = None
    made: int = 0

    def find(self, entity: Entity) -> Row | None:
        return next((row for row in self.rows.values() if row.entity == entity), None)


@attrs.frozen
class Settings:
    """`shelf` None stands for a target that does not exist."""

    shelf: Shelf | None = attrs.field(metadata={"meaning": "Where everything stands."})
    secret: Secret = attrs.field(
        factory=lambda: Secret(SECRET), metadata={"meaning": "Opens nothing."}
    )


@attrs.frozen
class Put:
    entity: Entity
    document: Attributes
    must_exist: bool
    password: Secret | None = None

    @property
    def drift(self) -> tuple[Drift, ...]:
        return (Drift(DriftKind.CHANGED, ("document",)),)

    def __str__(self) -> str:
        return f"PUT {self.entity.type} {self.entity.id} {self.document} {self.password}"


@attrs.frozen
class Edit:
    entity: Entity
    add: frozenset[Any] = frozenset()
    remove: frozenset[Any] = frozenset()

    @property
    def drift(self) -> tuple[Drift, ...]:
        return (Drift(DriftKind.MEMBERS, removes=len(self.remove)),)

    def __str__(self) -> str:
        return f"EDIT {self.entity.id} +{sorted(self.add)} -{sorted(self.remove)}"


@attrs.frozen
class Drop:
    entity: Entity

    @property
    def drift(self) -> tuple[Drift, ...]:
        return (Drift(DriftKind.EXTRA, removes=1),)

    def __str__(self) -> str:
        return f"DROP {self.entity.id}"


class Memory:
    """One slot on a shelf."""

    summary: ClassVar[str] = "A shelf in memory"
    configured: ClassVar[type[Settings]] = Settings
    put: ClassVar[type[Put]] = Put

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def shelf(self) -> Shelf:
        if self.settings.shelf is None:
            raise BackendDown("there is no shelf")
        if not self.settings.shelf.answering.wait(PATIENCE_SECONDS):
            raise InDoubt("the shelf does not answer")
        return self.settings.shelf

    def check(self) -> Sequence[Finding]:
        return [Finding(True, "BRG-SHELF-THERE", f"{len(self.shelf.rows)} rows.")]

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        last = changes[-1]
        if last.entity.type not in {"User", "Group", WORKSPACE, FOLDER}:
            return Plan(last.entity, last.version)
        steps = (
            self.trusting(coalesce(changes), links)
            if observed is None
            else self.converging(last, links, observed.state)
        )
        return Plan(last.entity, last.version, tuple(steps))

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        if change.operation is Operation.DELETE:
            yield Drop(change.entity)
            return
        if change.before != change.after or change.password:
            known = change.before is not None
            yield self.put(change.entity, change.after or {}, known, change.password)
        add = self.part(change.members.added, change.access.granted, links)
        remove = self.part(change.members.removed, change.access.revoked, links)
        if add or remove:
            yield Edit(change.entity, add, remove)

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        if change.operation is Operation.DELETE:
            if row is not None:
                yield Drop(change.entity)
            return
        if row is None or row.document != change.after:
            yield self.put(change.entity, change.after or {}, must_exist=False)
        wanted = self.part(change.members.added, change.access.granted, links)
        held = frozenset(row.members) if row else frozenset()
        if wanted != held:
            yield Edit(change.entity, wanted - held, held - wanted)
        elif row is not None and change.entity.id not in links:
            yield Edit(change.entity)  # makes its link known

    def part(
        self, members: Sequence[Member], access: Sequence[Access], links: Mapping[str, Link]
    ) -> frozenset[Any]:
        return frozenset(
            [self.number(member.id, links) for member in members]
            + [attrs.evolve(one, user=self.number(one.user, links)) for one in access]
        )

    def number(self, key: str, links: Mapping[str, Link]) -> str:
        if key not in links:
            raise Defer(f"{key} has no number yet")
        return links[key].target_id

    def execute(self, plan: Plan) -> Receipt:
        with self.shelf.lock:
            for step in plan.steps:
                self.do(step)
            row = self.shelf.find(plan.entity)
        if not self.shelf.listening:
            raise InDoubt("the shelf said something that nobody heard")
        return Receipt(links=(self.link(row),) if row else ())

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        outcomes: list[Receipt | NotApplied] = []
        for plan in plans:
            try:
                outcomes.append(self.execute(plan))
            except NotApplied as refusal:
                outcomes.append(refusal)
        return outcomes

    def do(self, step: Any) -> None:
        row = self.shelf.find(step.entity)
        match step:
            case Put(entity=entity, document=document, must_exist=must_exist):
                if row is not None:
                    row.document = document
                elif must_exist:
                    raise Surprise(f"{entity.id} is not there")
                else:
                    self.add(entity, document)
            case Edit(add=add, remove=remove):
                if row is None:
                    raise Surprise(f"{step.entity.id} is not there")
                row.members = (row.members - remove) | add
            case Drop() if row is not None:
                del self.shelf.rows[row.number]

    def add(self, entity: Entity, document: Attributes) -> None:
        self.shelf.made += 1
        number = f"n{self.shelf.made}"
        self.shelf.rows[number] = Row(number, entity, document)

    def link(self, row: Row) -> Link:
        return Link(row.entity.id, target_id=row.number)

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        with self.shelf.lock:
            return [self.seen(snapshot, links) for snapshot in snapshots]

    def seen(self, snapshot: ChangeRecord, links: Mapping[str, Link]) -> Observed:
        link = links.get(snapshot.entity.id)
        row = self.shelf.rows.get(link.target_id) if link else None
        row = row or self.shelf.find(snapshot.entity)
        if row is None:
            return Observed(snapshot.entity.id)
        return Observed(snapshot.entity.id, self.link(row), attrs.evolve(row))

    def scan(self, cursor: str | None) -> ScanPage:
        with self.shelf.lock:
            rows = [row for row in self.shelf.rows.values() if row.entity.type != "Group"]
            rows += [row for row in self.shelf.rows.values() if row.entity.type == "Group"]
            start = int(cursor or 0)
            page = tuple(self.found(row) for row in rows[start : start + PAGE])
        return ScanPage(page, str(start + PAGE) if start + PAGE < len(rows) else None)

    def found(self, row: Row) -> Found:
        return Found(
            row.entity.type,
            row.number,
            name="",
            key=row.number,
            attributes=row.document,
            members=tuple(row.members),
            organization=row.entity.organization,
            state=attrs.evolve(row),
        )

    def close(self) -> None:
        pass

    def wait_for_the_shelf(self) -> None:
        """Wait longer than anybody may."""
        if self.settings.shelf is not None:
            self.settings.shelf.answering.wait(0.6)


class MemoryHarness(BackendHarness):
    secrets = (SECRET,)
    deadline_seconds = 0.5
    takes_access = True
    very_big_group = 20_000

    def __init__(self, backend: type[Memory] = Memory) -> None:
        super().__init__()
        self.backend = backend
        self.type = BackendType(
            "memory", backend.summary, backend.configured, backend, takes=lambda _settings: None
        )
        self.shelf = Shelf()
        self.shelf.answering.set()

    def open(self) -> Backend:
        return self.backend(Settings(self.shelf))

    def unreachable(self) -> Backend:
        return self.backend(Settings(None))

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        self.shelf.answering.clear()
        yield
        self.shelf.answering.set()

    @contextlib.contextmanager
    def forgetful(self) -> Iterator[Backend]:
        self.shelf.listening = False
        yield self.open()
        self.shelf.listening = True

    def held(self, organization: str) -> Held:
        known = {link.target_id: key for key, link in self.links.items()}
        mine = [r for r in self.shelf.rows.values() if r.entity.organization == organization]
        return {row.entity.id: held(row, known) for row in mine}

    def stand_ins(self, resource_ids: Sequence[str]) -> Mapping[str, Link]:
        return {key: Link(key, target_id=f"stand-in {key}") for key in resource_ids}

    def plant(self, user_name: str) -> None:
        entity = Entity("acme", "User", f"made by others: {user_name}")
        self.shelf.rows["planted"] = Row("planted", entity, {"userName": user_name})

    def vanish(self, resource_id: str) -> None:
        number = self.links[resource_id].target_id
        del self.shelf.rows[number]
        for row in self.shelf.rows.values():
            row.members.discard(number)

    def spoil(self, resource_id: str) -> None:
        row = self.shelf.rows[self.links[resource_id].target_id]
        row.document = {**row.document, "displayName": "else", "userName": "else"}
        row.members.clear()


def held(row: Row, known: Mapping[str, str]) -> Person | Team | Place:
    document = row.document
    if row.entity.type in {WORKSPACE, FOLDER}:
        access = (attrs.evolve(one, user=known[one.user]) for one in row.members)
        return Place(document["displayName"], frozenset(access))
    if row.entity.type == "Group":
        members = frozenset(known.get(number, number) for number in row.members)
        return Team(document["displayName"], members)
    name, emails = document.get("name", {}), document.get("emails", [])
    return Person(
        document["userName"],
        name.get("givenName"),
        name.get("familyName"),
        emails[0]["value"] if emails else None,
        document.get("active", True),
    )
