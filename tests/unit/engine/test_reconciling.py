"""Reconcile: what it calls drift, what it does not, and what it concludes from an absence."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from bridge.core.errors import BackendDown, OperatorError, RetryLater
from bridge.engine import listing
from bridge.journal import deliveries, holds
from bridge.journal.holds import Limits
from bridge.plugin import ChangeRecord, Found, Link, Observed, ScanPage
from tests.contract.memory import Memory, Row
from tests.unit.engine.shelves import ACME, NAME, Scene, cause

PEOPLE = [f"p{n:02}" for n in range(12)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    populate(scene)
    yield scene
    scene.journal.close()


def populate(scene: Scene) -> None:
    for name in PEOPLE:
        scene.user(name)
    scene.group("team", *PEOPLE)
    scene.deliver()


def remove(scene: Scene, id_: str) -> Row:
    return scene.shelf.rows.pop(scene.link(id_).target_id)


def spoil(scene: Scene) -> dict[str, str]:
    """Change, delete and add behind the bridge's back; return what is to be told."""
    scene.row("p01").document = {**scene.row("p01").document, "displayName": "else"}
    scene.row("team").members.discard(scene.link("p02").target_id)
    remove(scene, "p03")
    gone = scene.row("p04")
    scene.delete("p04")
    scene.deliver()
    scene.shelf.rows[gone.number] = gone
    scene.plant("x1", "stranger")
    return {"p01": "changed", "team": "members", "p03": "deleted", "p04": "extra", "": "foreign"}


def test_where_nothing_differs_nothing_is_told(scene: Scene) -> None:
    run, found = scene.reconcile()
    assert (found, run.inconclusive, run.seen, run.judged) == ([], [], 13, 13)


def test_every_kind_of_drift_is_told_and_repaired(scene: Scene) -> None:
    expected = spoil(scene)
    assert scene.drift() == expected
    assert scene.drift() == expected, "a report has changed something"
    _, found = scene.reconcile(repair=True)
    assert {one.entity.id for one in found if one.entity and one.repaired} == {
        *("p01", "team", "p03", "p04")
    }
    scene.deliver()
    # What was added again is another row here, which its group does not know yet.
    assert scene.drift(repair=True) == {"": "foreign", "team": "members"}
    scene.deliver()
    assert scene.drift() == {"": "foreign"}
    assert scene.row("p01").document["displayName"] == "p01"


def test_what_is_under_way_is_no_drift(scene: Scene) -> None:
    spoil(scene)
    scene.journal.write_now(lambda tx: deliveries.resync(tx, NAME))
    run, found = scene.reconcile(repair=True)
    assert [one for one in found if one.entity] == []
    assert run.under_way > 0


class ListsThePast(Memory):
    """Lists what was there a moment ago."""

    def found(self, row: Row) -> Found:
        now = super().found(row)
        return attrs.evolve(now, state=attrs.evolve(row, document={"userName": "long ago"}))


def test_a_difference_counts_only_if_a_second_look_confirms_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ListsThePast)
    populate(scene)
    run, found = scene.reconcile()
    assert (found, run.judged) == ([], 13)
    scene.journal.close()


class HoldsBack(Memory):
    """Shows the first page only, and says so."""

    def scan(self, cursor: str | None) -> ScanPage:
        return attrs.evolve(super().scan(cursor), next_cursor=None, incomplete="size limit")


class BreaksOff(Memory):
    """Loses the connection after the first page."""

    def scan(self, cursor: str | None) -> ScanPage:
        if cursor is not None:
            raise RetryLater("connection reset")
        return super().scan(cursor)


class ShowsNothing(Memory):
    """Answers as if there were nothing."""

    def scan(self, cursor: str | None) -> ScanPage:  # noqa: ARG002
        return ScanPage(())


@pytest.mark.parametrize("kind", [HoldsBack, BreaksOff, ShowsNothing])
def test_nothing_is_concluded_from_a_listing_that_is_not_complete(
    tmp_path: Path, kind: type[Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0.0)
    scene = Scene(tmp_path, kind)
    populate(scene)
    remove(scene, "p11")
    scene.row("p00").document = {**scene.row("p00").document, "displayName": "else"}
    run, found = scene.reconcile(repair=True)
    assert run.inconclusive
    told = {one.entity.id for one in found if one.entity}
    assert told == (set() if kind is ShowsNothing else {"p00"}), "what was seen is still told"
    scene.deliver()
    assert len(scene.shelf.rows) == 12, "something was written for what was not seen"
    scene.journal.close()


class ForgetsItsPlace(Memory):
    """Forgets how far it has come when it is asked something else, as paged searches do."""

    place: str | None = None
    asked: ClassVar[list[str | None]] = []

    def scan(self, cursor: str | None) -> ScanPage:
        self.asked.append(cursor)
        if cursor is not None and cursor != self.place:
            cursor = None
        page = super().scan(cursor)
        self.place = page.next_cursor
        return page

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        self.place = None
        return super().observe(snapshots, links)


def test_looking_at_one_entry_does_not_disturb_the_listing(tmp_path: Path) -> None:
    ForgetsItsPlace.asked.clear()
    scene = Scene(tmp_path, ForgetsItsPlace)
    populate(scene)
    for name in ("p00", "p06"):
        scene.row(name).document = {**scene.row(name).document, "displayName": "else"}
    run, found = scene.reconcile()
    assert [one.entity.id for one in found if one.entity] == ["p00", "p06"]
    assert (run.seen, run.inconclusive) == (13, [])
    assert ForgetsItsPlace.asked == [None, "5", "10"]
    scene.journal.close()


class NeverGetsThere(Memory):
    """Begins again on every second page, for ever."""

    def scan(self, cursor: str | None) -> ScanPage:
        if cursor is not None:
            self.shelf.made += 1
            if self.shelf.made % 2:
                raise RetryLater("connection reset")
        return super().scan(None)


def test_a_listing_that_is_begun_again_and_again_comes_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0.0)
    scene = Scene(tmp_path, NeverGetsThere)
    populate(scene)
    run, found = scene.reconcile()
    assert (found, run.inconclusive) == ([], ["connection reset"])
    assert run.seen == 5, "what comes again is not counted again"
    scene.journal.close()


class BreaksOffOnce(Memory):
    """Loses the connection once, on the second page."""

    def scan(self, cursor: str | None) -> ScanPage:
        if cursor is not None and self.shelf.owner is None:
            self.shelf.owner = self
            raise RetryLater("connection reset")
        return super().scan(cursor)


def test_a_page_is_tried_again_on_a_new_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0.0)
    scene = Scene(tmp_path, BreaksOffOnce)
    populate(scene)
    remove(scene, "p11")
    run, found = scene.reconcile()
    assert run.inconclusive == []
    assert {one.entity.id for one in found if one.entity} >= {"p11"}
    scene.journal.close()


def test_a_target_that_cannot_be_reached_is_an_error(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAUSE_SECONDS", 0.0)
    scene.hosted = attrs.evolve(scene.hosted, open=lambda: ClosedDoor(None))  # type: ignore[arg-type]
    with pytest.raises(BackendDown, match="nobody"):
        scene.reconcile()


class ClosedDoor(Memory):
    def scan(self, cursor: str | None) -> ScanPage:  # noqa: ARG002
        raise BackendDown("nobody answers")


def test_a_backend_that_cannot_list_is_an_error(scene: Scene) -> None:
    class Blind:
        def close(self) -> None:
            pass

    scene.hosted = attrs.evolve(scene.hosted, open=Blind)  # type: ignore[arg-type]
    with pytest.raises(OperatorError, match="cannot list"):
        scene.reconcile()


def test_what_was_changed_by_hand_is_taken_over_on_request(scene: Scene) -> None:
    before = scene.find("p01")
    assert before is not None
    scene.row("p01").document = {**scene.row("p01").document, "displayName": "else"}
    _, (difference,) = scene.reconcile(adopt=True)
    assert difference.adopted
    after = scene.find("p01")
    assert after is not None
    assert after.attributes == {**before.attributes, "displayName": "else"}
    assert scene.drift() == {}
    assert scene.row("p01").document["displayName"] == "else"


def test_nothing_is_deleted_because_it_is_gone(scene: Scene) -> None:
    remove(scene, "p03")
    scene.row("team").members.discard(scene.link("p03").target_id)
    _, found = scene.reconcile(adopt=True)
    assert not any(one.adopted for one in found)
    assert scene.find("p03") is not None


def test_repairs_that_take_much_away_are_held(scene: Scene) -> None:
    scene.journal.write_now(lambda tx: holds.set_limits(tx, Limits(2, 0, 600)))
    intruders = {f"intruder {n}" for n in range(5)}
    scene.row("team").members |= intruders
    _, (difference,) = scene.reconcile(repair=True)
    assert (difference.removes, difference.repaired) == (5, True)
    scene.deliver()
    assert intruders <= scene.row("team").members
    (hold,) = scene.journal.read_now(holds.every)
    assert hold.held == {NAME: 1}
    scene.journal.write_now(lambda tx: holds.release(tx, ACME, cause()))
    scene.deliver()
    assert not intruders & scene.row("team").members
