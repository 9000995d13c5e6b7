"""A change record exists only where something changed, and coalescing loses nothing."""

from datetime import UTC, datetime

import pytest

from bridge.core.changes import (
    Cause,
    ChangeRecord,
    MemberDelta,
    Operation,
    between,
    coalesce,
    snapshot,
)
from bridge.core.resources import Entity, Member, Resource

ANN = Entity("acme", "User", "u1")
CAUSE = Cause("connection:okta", "req-1", datetime(2026, 1, 1, tzinfo=UTC))


def resource(version: int = 1, **attributes: object) -> Resource:
    return Resource(ANN, version, attributes, CAUSE.at, CAUSE.at)


def test_nothing_changed_is_no_record() -> None:
    assert between(ANN, resource(userName="ann"), {"userName": "ann"}, MemberDelta(), CAUSE) is None


def test_nothing_before_and_nothing_after_is_no_record() -> None:
    assert between(ANN, None, None, MemberDelta(), CAUSE) is None


@pytest.mark.parametrize(
    ("before", "after", "operation", "version", "changed"),
    [
        (None, {"userName": "ann"}, Operation.CREATE, 1, frozenset({"userName"})),
        (
            resource(4, userName="ann", title="x"),
            {"userName": "ann", "nickName": "a"},
            Operation.UPDATE,
            5,
            frozenset({"title", "nickName"}),
        ),
        (resource(2, userName="ann"), None, Operation.DELETE, 3, frozenset({"userName"})),
    ],
)
def test_the_record_says_what_happened(
    before: Resource | None,
    after: dict[str, object] | None,
    operation: Operation,
    version: int,
    changed: frozenset[str],
) -> None:
    change = between(ANN, before, after, MemberDelta(), CAUSE)
    assert change is not None
    assert (change.operation, change.version, change.changed) == (operation, version, changed)


def test_members_alone_are_a_change() -> None:
    delta = MemberDelta(added=(Member("u2"),))
    change = between(ANN, resource(displayName="g"), {"displayName": "g"}, delta, CAUSE)
    assert change is not None
    assert change.changed == frozenset()
    assert change.references == {"u2"}


def test_a_snapshot_is_a_complete_creation() -> None:
    record = snapshot(resource(7, displayName="g"), [Member("u1"), Member("u2")], CAUSE)
    assert record.operation is Operation.CREATE
    assert record.version == 7
    assert record.members.added == (Member("u1"), Member("u2"))


def record(version: int, entity: Entity = ANN) -> ChangeRecord:
    return ChangeRecord(entity, version, {"a": version - 1}, {"a": version}, MemberDelta(), CAUSE)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [record(1), record(3)],
        [record(1), record(2, entity=Entity("acme", "User", "u2"))],
    ],
    ids=["nothing", "a gap", "two entities"],
)
def test_only_one_entitys_consecutive_versions_coalesce(changes: list[ChangeRecord]) -> None:
    with pytest.raises(ValueError, match=r"nothing to coalesce|does not follow"):
        coalesce(changes)
