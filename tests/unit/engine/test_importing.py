"""Import: what is proposed for what is there, and what is done about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.core.schema import GROUP
from bridge.engine.importer import Decision
from bridge.journal import claims, deliveries, members, tenants
from tests.unit.engine.shelves import ACME, NAME, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.journal.close()


def decisions(scene: Scene, *, write: bool = True) -> dict[str, tuple[str, str]]:
    _, found = scene.bring_in(write=write)
    return {one.found.target_id: (str(one.decision), one.reason) for one in found}


def pending(scene: Scene) -> list[str]:
    found = scene.journal.read_now(lambda r: claims.pending(r, NAME, 100))
    return [claim.entity.id for claim in found]


def test_a_dry_run_writes_nothing(scene: Scene) -> None:
    scene.plant("a", "ann@example.com")
    assert decisions(scene, write=False) == {"a": ("create", "")}
    assert decisions(scene) == {"a": ("create", "")}


def test_what_is_imported_is_found_linked_and_not_delivered_back(scene: Scene) -> None:
    scene.plant("a", "ann@example.com")
    before = dict(scene.shelf.rows)
    _, (proposal,) = scene.bring_in()
    made = scene.find(proposal.resource)
    assert made is not None
    assert made.attributes["userName"] == "ann@example.com"
    assert scene.link(proposal.resource).target_id == "a"
    assert pending(scene) == []
    scene.deliver()
    assert scene.shelf.rows == before
    (audit,) = scene.journal.read_now(
        lambda r: [one for one in tenants.list_audit(r, ACME) if one.action == "link.imported"]
    )
    assert audit.target == f"User/{proposal.resource}"


def test_what_is_imported_already_is_passed_over(scene: Scene) -> None:
    scene.plant("a", "ann@example.com")
    scene.bring_in()
    assert decisions(scene) == {"a": ("known", "")}


def test_names_that_several_have_are_nobody_s(scene: Scene) -> None:
    scene.plant("a", "ann@example.com")
    scene.plant("b", "bob@example.com")
    scene.plant("c", "ANN@example.com")
    reason = '2 entries have the userName "ann@example.com"'
    assert decisions(scene) == {
        "a": ("conflict", reason),
        "b": ("create", ""),
        "c": ("conflict", reason),
    }


def test_what_cannot_be_a_resource_is_told(scene: Scene) -> None:
    scene.plant("a", "")
    ((decision, reason),) = decisions(scene).values()
    assert decision == "conflict"
    assert "userName" in reason


def test_a_resource_of_the_same_name_is_not_taken_for_the_same(scene: Scene) -> None:
    scene.user("ann@example.com")
    scene.plant("a", "ann@example.com")
    (found,) = decisions(scene).values()
    assert found == (
        "conflict",
        'a resource has the userName "ann@example.com", and no rule says that it is this one',
    )
    scene.deliver()
    _, proposals = scene.bring_in()
    told = {one.found.target_id: one.reason for one in proposals}
    assert "2 entries have the userName" in told["a"]


def test_members_that_come_later_are_joined_and_strangers_told(scene: Scene) -> None:
    scene.plant("g1", "outer", "Group", "u1", "g2", "nobody")
    scene.plant("g2", "inner", "Group", "u2")
    scene.plant("u1", "ann@example.com")
    scene.plant("u2", "bob@example.com")
    run, proposals = scene.bring_in()
    ids = {one.found.target_id: one.resource for one in proposals}
    assert sum(run.outside.values()) == 1
    held = scene.journal.read_now(lambda r: members.of(r, ACME, ids["g1"]))
    assert {member.id for member in held} == {ids["u1"], ids["g2"]}
    assert scene.find(ids["g1"], GROUP) is not None
    assert pending(scene) == []
    assert scene.journal.read_now(lambda r: deliveries.lag(r, NAME)).pending == 0


def test_a_group_whose_import_was_cut_off_is_taken_up_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.plant("g1", "outer", "Group", "g2")
    scene.plant("g2", "inner", "Group")
    with monkeypatch.context() as dying:
        dying.setattr("bridge.engine.importer.Importer._join_late", lambda _: None)
        scene.bring_in()
    _, proposals = scene.bring_in()
    assert [one.decision for one in proposals] == [Decision.KNOWN, Decision.KNOWN]
    ids = {one.found.target_id: one.resource for one in proposals}
    held = scene.journal.read_now(lambda r: members.of(r, ACME, ids["g1"]))
    assert [member.id for member in held] == [ids["g2"]]


def test_what_a_deleted_resource_left_is_not_imported(scene: Scene) -> None:
    scene.user("ann")
    scene.deliver()
    row = scene.row("ann")
    scene.delete("ann")
    scene.deliver()
    scene.shelf.rows[row.number] = row
    ((decision, reason),) = decisions(scene).values()
    assert decision == "skip"
    assert "was deleted" in reason
