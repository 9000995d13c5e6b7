"""Defects that the laws of looking find."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.plugin import ChangeRecord, Link, Observed
from tests.contract.defect import found_by
from tests.contract.defects.following import AddsTwice
from tests.contract.memory import Drop, Memory, Put, Row


@found_by("test_looking_answers_in_order_and_says_what_is_absent")
class LooksInItsOwnOrder(Memory):
    """Answers in reverse."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        return super().observe(snapshots[::-1], links)


@found_by("test_looking_finds_a_resource_whose_link_was_lost")
class LooksByLinkOnly(Memory):
    """Finds nothing whose link it does not have."""

    def seen(self, snapshot: ChangeRecord, links: Mapping[str, Link]) -> Observed:
        if snapshot.entity.id not in links:
            return Observed(snapshot.entity.id)
        return super().seen(snapshot, links)


@found_by("test_lost_acknowledgement_is_made_up_for")
class ForgetsWhatItAdded(LooksByLinkOnly, AddsTwice):
    """Neither finds what it made nor minds making it again."""


@found_by("test_a_rename_keeps_the_identity")
class RenamesByNewRow(Memory):
    """Writes a new row for a new name."""

    def do(self, step: Any) -> None:
        row = self.shelf.find(step.entity)
        if isinstance(step, Put) and row and row.document["userName"] != step.document["userName"]:
            super().do(Drop(step.entity))
            self.add(step.entity, step.document)
            return
        super().do(step)


@found_by("test_drift_is_seen_and_repaired")
class IsBlindForDrift(Memory):
    """Believes that what is there is right."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        return iter(()) if row else super().converging(change, links, row)


@found_by("test_change_on_something_that_vanished_puts_it_right")
class DoesNotMissAnything(Memory):
    """Takes a change on something that is not there for done."""

    def do(self, step: Any) -> None:
        if self.shelf.find(step.entity) or (isinstance(step, Put) and not step.must_exist):
            super().do(step)


@found_by("test_looking_at_nothing_sees_nothing")
class NeedsSomethingToLookAt(Memory):
    """Cannot be asked about nothing."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        first, *rest = snapshots
        return super().observe([first, *rest], links)


@found_by("test_looking_writes_nothing")
class MendsWhileLooking(Memory):
    """Puts right what it looks at."""

    def seen(self, snapshot: ChangeRecord, links: Mapping[str, Link]) -> Observed:
        if (row := self.shelf.find(snapshot.entity)) and snapshot.after is not None:
            row.document = snapshot.after
        return super().seen(snapshot, links)
