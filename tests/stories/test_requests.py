"""Every story is what the running bridge does.

Its request, sent to the real endpoint over HTTP, leads from `before.json` to exactly the change
records of `change.json` and the resources of `desired.json`.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import attrs
import pytest
from sqlalchemy import bindparam, select

from bridge.codec import CHANGE_COLUMNS, change_of
from bridge.core.changes import Cause, ChangeRecord, MemberDelta
from bridge.core.resources import Attributes, Entity, Member
from bridge.core.schema import STANDARD
from bridge.journal import record, tables
from bridge.journal.snapshots import snapshot
from bridge.journal.statements import prepared
from bridge.journal.store import Transaction
from bridge.testing import Kept, Story
from tests.dialects.served import Served, Tenant, serving

SEEDING = Cause("seed", "seed", datetime(2026, 11, 1, tzinfo=UTC))
_CHANGES = prepared(
    select(*(tables.change.c[name] for name in CHANGE_COLUMNS))
    .where(
        tables.change.c.organization == bindparam("organization"),
        tables.change.c.actor != SEEDING.actor,
    )
    .order_by(tables.change.c.sequence)
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("stories")) as running:
        yield running


def test_request_leads_from_before_to_desired(served: Served, story: Story) -> None:
    with served.tenant() as tenant:
        journal, organization = served.journal, tenant.connection.organization
        journal.write_now(lambda tx: seed(tx, organization, story.before))
        made = send(tenant, story.request)

        def placed(entity: Entity) -> Entity:
            """Return a story's entity as this organization has it; a new one got its own id."""
            is_new = entity not in {kept.entity for kept in story.before}
            return Entity(organization, entity.type, made if made and is_new else entity.id)

        rows = journal.read_now(lambda reader: reader.rows(_CHANGES, organization=organization))
        assert [plain(change_of(row)) for row in rows] == [
            plain(attrs.evolve(change, entity=placed(change.entity))) for change in story.changes
        ]
        entities = {placed(kept.entity) for kept in (*story.before, *story.desired)}
        present = journal.read_now(lambda reader: [snapshot(reader, each) for each in entities])
        assert {p.entity: held(p) for p in present if p and p.after is not None} == {
            placed(k.entity): (k.version, k.attributes, set(k.members)) for k in story.desired
        }


def held(snapshot: ChangeRecord) -> tuple[int, Attributes | None, set[Member]]:
    return snapshot.version, snapshot.after, set(snapshot.members.added)


def plain(change: ChangeRecord) -> ChangeRecord:
    """Return the change without what differs from run to run: who sent it, and when."""
    delta = MemberDelta(*(tuple(sorted(m)) for m in (change.members.added, change.members.removed)))
    return attrs.evolve(change, members=delta, cause=SEEDING)


def send(tenant: Tenant, request: str) -> str | None:
    """Send a story's request with this tenant's token; return the id of what it made."""
    head, _, body = request.partition("\n\n")
    first, *lines = head.splitlines()
    method, path, _ = first.split()
    headers = dict(line.split(": ", 1) for line in lines)
    del headers["Host"], headers["Authorization"]
    url = path.removeprefix("/scim/v2")
    answer = tenant.http.request(method, url, content=body.encode(), headers=headers)
    assert answer.is_success, answer.text
    return str(answer.json()["id"]) if answer.status_code == 201 else None


def seed(tx: Transaction, organization: str, before: Iterable[Kept]) -> None:
    """Write the resources so that each stands at the story's version."""
    for kept in before:
        rtype = STANDARD.by_name(kept.entity.type)
        assert rtype is not None
        ids = tuple(member.id for member in kept.members)
        numbers = range(1, kept.version)
        first, *later = [
            *({**kept.attributes, "externalId": f"earlier-{n}"} for n in numbers),
            kept.attributes,
        ]
        resource = record.create(tx, rtype, organization, kept.entity.id, first, ids, SEEDING)
        for attributes in later:
            resource = record.update(tx, rtype, resource, attributes, [], SEEDING)
        assert resource.version == kept.version
