"""The write path: what one request leaves behind, and that a refused one leaves nothing.

Proven: version lines, uniqueness, member edits, deletion with tombstone, cursors and audit.
"""

from typing import Any

import attrs
import pytest
from sqlalchemy import update as set_in

from bridge.core.changes import Operation
from bridge.core.errors import InvalidValue, ScimError, Unavailable, Uniqueness
from bridge.core.members import (
    AddMembers,
    MemberEdit,
    RemoveMatching,
    RemoveMembers,
    ReplaceMembers,
)
from bridge.core.resources import Member
from bridge.core.schema import (
    GROUP,
    USER,
    Attribute,
    ResourceType,
    Schema,
    Type,
)
from bridge.core.schema import (
    Uniqueness as Among,
)
from bridge.journal import members, record, tables
from bridge.journal.store import Journal, prepared
from tests.unit.journal import scene
from tests.unit.journal.scene import ACME, AT, CAUSE, LATER


def test_a_creation_leaves_resource_change_cursor_and_audit_in_one_go(journal: Journal) -> None:
    made = scene.user(journal, "u1", "Ann@example.com", emails=[{"value": "A@x", "type": "work"}])
    assert made == scene.get(journal, USER, "u1")
    assert (made.version, made.created, made.last_modified) == (1, _milliseconds(), _milliseconds())
    [change] = scene.changes(journal, "u1")
    assert (change.operation, change.version, change.after) == (
        Operation.CREATE,
        1,
        made.attributes,
    )
    assert change.cause == CAUSE
    [cursor] = scene.rows(journal, "cursor")
    picked = {k: cursor[k] for k in ("backend", "entity", "applied", "target", "pending", "parked")}
    assert tuple(picked.values()) == ("corp", "u1", 0, 1, 1, 0)
    [audit] = scene.rows(journal, "audit")
    picked = {k: audit[k] for k in ("actor", "action", "target", "detail", "request_id")}
    assert picked == {
        "actor": "connection:okta",
        "action": "resource.create",
        "target": "User/u1",
        "detail": '{"version":1}',
        "request_id": "request-1",
    }
    [value] = scene.rows(journal, "resource_value")
    assert (value["path"], value["key"], value["resource"]) == ("emails.value", "a@x", "u1")


def test_times_are_kept_in_the_milliseconds_that_scim_shows(journal: Journal) -> None:
    assert AT.microsecond == 678_901
    assert scene.user(journal, "u1").created.microsecond == 678_000


def test_an_update_moves_version_time_and_index_keys(journal: Journal) -> None:
    scene.user(journal, "u1", "ann", emails=[{"value": "old@x"}, {"value": "kept@x"}])
    emails = [{"value": "kept@x"}, {"value": "new@x"}]
    after = scene.update(journal, USER, "u1", userName="anna", emails=emails)
    assert after == scene.get(journal, USER, "u1")
    assert (after.version, after.last_modified > after.created) == (2, True)
    assert [v["key"] for v in scene.rows(journal, "resource_value")] == ["kept@x", "new@x"]
    assert scene.changes(journal, "u1")[1].changed == {"userName", "emails"}
    assert [row["target"] for row in scene.rows(journal, "cursor")] == [2]
    assert scene.user(journal, "u2", "ann").version == 1, "the old name is free"


def test_an_update_that_changes_nothing_writes_nothing(journal: Journal) -> None:
    scene.user(journal, "u1", "ann", title="Engineer")
    before, counted = scene.group(journal, "g1", "u1"), scene.written(journal)
    assert scene.update(journal, USER, "u1", title="Engineer").version == 1
    assert scene.update(journal, GROUP, "g1", AddMembers(("u1",))) == before
    assert scene.update(journal, GROUP, "g1", ReplaceMembers(("u1",))) == before
    assert scene.update(journal, GROUP, "g1", RemoveMembers(("u2",))) == before
    there_and_back: list[MemberEdit] = [RemoveMembers(("u1",)), AddMembers(("u1",))]
    assert scene.update(journal, GROUP, "g1", *there_and_back) == before
    assert scene.written(journal) == counted


def test_a_stale_resource_is_refused(journal: Journal) -> None:
    stale = scene.user(journal, "u1")
    scene.update(journal, USER, "u1", title="Engineer")
    counted = scene.written(journal)
    for late in (
        lambda tx: record.update(tx, USER, stale, {"userName": "x"}, (), LATER),
        lambda tx: record.delete(tx, USER, stale, LATER),
    ):
        with pytest.raises(Unavailable, match="changed meanwhile"):
            journal.write_now(late)
    assert scene.written(journal) == counted


# --- Uniqueness ---------------------------------------------------------------------------------


BADGE = ResourceType(
    "Badge",
    "/Badges",
    Schema(
        "urn:example:Badge",
        "Badge",
        (
            Attribute("label", required=True, uniqueness=Among.SERVER, case_exact=True),
            Attribute("codes", multi_valued=True, uniqueness=Among.SERVER),
            Attribute("number", Type.INTEGER, uniqueness=Among.SERVER),
        ),
    ),
)


@pytest.mark.parametrize(
    ("rtype", "first", "second", "named"),
    [
        (USER, {"userName": "Ann"}, {"userName": "aNN"}, 'userName "aNN" (case does not count)'),
        (USER, {"userName": "É"}, {"userName": "e\u0301"}, "userName"),
        (GROUP, {"displayName": "Sales"}, {"displayName": "SALES"}, 'displayName "SALES"'),
        (BADGE, {"label": "a"}, {"label": "a"}, 'label "a"; its id'),
        (BADGE, {"label": "a", "codes": ["X", "y"]}, {"label": "b", "codes": ["Y"]}, 'codes "y"'),
        (BADGE, {"label": "a", "number": 5}, {"label": "b", "number": 5}, 'number "5"'),
    ],
)
def test_O_21_a_taken_value_is_refused_with_who_has_it(
    journal: Journal, rtype: ResourceType, first: Any, second: Any, named: str
) -> None:
    scene.create(journal, rtype, "r1", first)
    counted = scene.written(journal)
    with pytest.raises(Uniqueness) as refused:
        scene.create(journal, rtype, "r2", second)
    assert named in refused.value.detail
    assert "r1" in refused.value.detail
    assert scene.written(journal) == counted
    assert rtype.name_attribute
    scene.create(journal, rtype, "r2", {rtype.name_attribute.name: "free"})
    with pytest.raises(Uniqueness):
        scene.update(journal, rtype, "r2", **second)
    assert scene.get(journal, rtype, "r2").version == 1
    scene.delete(journal, rtype, "r1")
    assert scene.update(journal, rtype, "r2", **second).version == 2


def test_names_are_unique_only_within_organization_and_type(journal: Journal) -> None:
    scene.create(journal, USER, "u1", {"userName": "same"})
    scene.create(journal, USER, "u1", {"userName": "same"}, organization="other")
    scene.create(journal, GROUP, "g1", {"displayName": "same"})
    assert scene.update(journal, USER, "u1", userName="SAME").version == 2, "its own name"


# --- Members ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "left", "added", "removed"),
    [
        ([AddMembers(("u3",))], "u1 u2 u3", "u3", ""),
        ([AddMembers(("u3", "u1", "u3"))], "u1 u2 u3", "u3", ""),
        ([RemoveMembers(("u1", "u9"))], "u2", "", "u1"),
        ([ReplaceMembers(("u2", "u3"))], "u2 u3", "u3", "u1"),
        ([ReplaceMembers(())], "", "", "u1 u2"),
        ([RemoveMatching(lambda m: m.id == "u2")], "u1", "", "u2"),
        ([AddMembers(("u3",)), RemoveMembers(("u3", "u1"))], "u2", "", "u1"),
        ([ReplaceMembers(("u3",)), AddMembers(("u1",))], "u1 u3", "u3", "u2"),
        ([AddMembers(("u3",)), RemoveMatching(lambda m: m.id != "u1")], "u1", "", "u2"),
        ([RemoveMembers(("u1",)), ReplaceMembers(("u1", "u3"))], "u1 u3", "u3", "u2"),
        ([AddMembers(("g2",))], "g2 u1 u2", "g2", ""),
    ],
)
def test_edits_of_members_become_one_difference(
    journal: Journal, edits: list[MemberEdit], left: str, added: str, removed: str
) -> None:
    for id_ in ("u1", "u2", "u3"):
        scene.user(journal, id_)
    scene.group(journal, "g2")
    scene.group(journal, "g1", "u1", "u2")
    assert scene.update(journal, GROUP, "g1", *edits).version == 2
    assert scene.member_ids(journal, "g1") == left.split()
    delta = scene.changes(journal, "g1")[1].members
    assert delta.added == tuple(Member(i, "Group" if i == "g2" else "User") for i in added.split())
    assert delta.removed == tuple(Member(i) for i in removed.split())


@pytest.mark.parametrize(
    "ids", [("nobody",), ("u1", "nobody"), ("gone",), ("g1",), ("b1",), ("away",)]
)
def test_a_member_that_cannot_be_is_refused_and_nothing_written(
    journal: Journal, ids: tuple[str, ...]
) -> None:
    scene.user(journal, "u1")
    scene.user(journal, "gone")
    scene.delete(journal, USER, "gone")
    scene.create(journal, BADGE, "b1", {"label": "b1"})
    scene.create(journal, USER, "away", {"userName": "away"}, organization="other")
    scene.group(journal, "g1")
    counted = scene.written(journal)
    for edit in (AddMembers(ids), ReplaceMembers(ids)):
        with pytest.raises(InvalidValue, match=f'"{ids[-1]}" cannot be added'):
            scene.update(journal, GROUP, "g1", edit, displayName="new")
    assert scene.written(journal) == counted
    with pytest.raises(ScimError):
        scene.group(journal, "g2", *ids, *(["g2"] if ids == ("g1",) else []))


def test_an_error_names_at_most_three_ids(journal: Journal) -> None:
    with pytest.raises(InvalidValue, match='"a", "b", "c" and 2 more cannot'):
        scene.group(journal, "g1", "a", "b", "c", "d", "e")


def test_members_and_groups_are_shown_with_their_names(journal: Journal) -> None:
    scene.user(journal, "u1", "ann", displayName="Ann A.")
    scene.user(journal, "u2", "bob")
    scene.group(journal, "g1", name="Inner")
    scene.group(journal, "g2", "u1", "u2", "g1", name="Outer")
    shown = journal.read_now(lambda r: members.of(r, ACME, "g2"))
    assert [attrs.astuple(m) for m in shown] == [
        ("g1", "Group", "Inner"),
        ("u1", "User", "Ann A."),
        ("u2", "User", "bob"),
    ]
    groups = journal.read_now(lambda r: members.groups_of(r, ACME, ["u1", "g1", "g2"]))
    outer = members.GroupRow("g2", "Outer")
    assert groups == {"u1": [outer], "g1": [outer], "g2": []}
    few = journal.read_now(lambda r: [members.few_of(r, ACME, "g2", most) for most in (2, 3)])
    assert few == [None, shown]


# --- Deletion -----------------------------------------------------------------------------------


def test_a_deletion_leaves_every_group_and_a_tombstone(journal: Journal) -> None:
    scene.user(journal, "u1", "ann", emails=[{"value": "a@x"}])
    scene.user(journal, "u2")
    for id_, ids in {"g1": ["u1", "u2"], "a1": ["u1"], "z1": ["u2"]}.items():
        scene.group(journal, id_, *ids)
    scene.delete(journal, USER, "u1")
    assert scene.find(journal, USER, "u1") is None
    assert scene.rows(journal, "resource_value") == []
    [grave] = [r for r in scene.rows(journal, "resource") if r["id"] == "u1"]
    assert (grave["version"], grave["deleted"], grave["document"]) == (2, 1, "{}")
    last = scene.rows(journal, "change")[-3:]
    assert [(row["entity"], row["version"]) for row in last] == [("a1", 2), ("g1", 2), ("u1", 2)]
    left, deletion = scene.changes(journal, "g1")[1], scene.changes(journal, "u1")[1]
    assert left.members.removed == (Member("u1"),)
    assert left.cause == deletion.cause == LATER
    assert deletion.operation is Operation.DELETE
    assert deletion.before == {"userName": "ann", "emails": [{"value": "a@x"}]}
    assert scene.member_ids(journal, "g1") == ["u2"]
    assert scene.get(journal, GROUP, "z1").version == 1
    targets = {row["entity"]: row["target"] for row in scene.rows(journal, "cursor")}
    assert targets == {"u1": 2, "u2": 1, "g1": 2, "a1": 2, "z1": 1}
    assert scene.user(journal, "u3", "ANN").version == 1, "the name is free"
    with pytest.raises(Exception, match=r"(?i)unique"):
        scene.user(journal, "u1", "another")


def test_a_deleted_group_loses_members_and_leaves_its_own_groups(journal: Journal) -> None:
    scene.user(journal, "u1")
    scene.group(journal, "g1", "u1")
    scene.group(journal, "g2", "g1")
    scene.delete(journal, GROUP, "g1")
    assert scene.rows(journal, "member") == []
    assert scene.changes(journal, "g2")[1].members.removed == (Member("g1", "Group"),)
    assert not scene.changes(journal, "g1")[1].members
    assert scene.get(journal, USER, "u1").version == 1


# --- Backends -----------------------------------------------------------------------------------


def test_every_backend_that_is_not_removed_gets_a_cursor(journal: Journal) -> None:
    for name, state in {"off": "paused", "broken": "open", "old": "removed"}.items():
        scene.add_backend(journal, name, state)
    scene.user(journal, "u1")
    assert [row["backend"] for row in scene.rows(journal, "cursor")] == ["broken", "corp", "off"]


def test_a_cursor_keeps_its_turn_its_lease_and_its_parking(journal: Journal) -> None:
    scene.user(journal, "u1")
    state = {"applied": 1, "pending": 0, "next_at": 99, "epoch": 7, "owner": "w", "parked": 1}
    journal.write_now(lambda tx: tx.run(prepared(set_in(tables.cursor).values(**state))))
    scene.update(journal, USER, "u1", title="Engineer")
    [cursor] = scene.rows(journal, "cursor")
    assert {name: cursor[name] for name in state} == state | {"pending": 1}
    assert cursor["target"] == 2


def _milliseconds() -> Any:
    return AT.replace(microsecond=678_000)
