"""Backends with one defect each, and the laws that find it.

Rule: every law of the contract finds some defect; `test_defects` holds the table to that.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from bridge.plugin import (
    BackendDown,
    ChangeRecord,
    Entity,
    Finding,
    Found,
    Link,
    Observed,
    Operation,
    Park,
    Plan,
    Receipt,
    RetryLater,
    ScanPage,
)
from tests.contract.memory import Drop, Edit, Memory, Put, Row, Settings

CALLS = itertools.count()


class ForgetsDeactivation(Memory):
    """Never writes that somebody is inactive."""

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        if change.after is not None and change.entity.type == "User":
            change = attrs.evolve(change, after={**change.after, "active": True})
        return super().trusting(change, links)


class TakesTheLastOfMany(Memory):
    """Looks only at the newest of the pending changes."""

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        return super().plan(changes[-1:], links, observed)


class IsNeverInStep(Memory):
    """Writes again what it has just seen to be right."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        yield from super().converging(change, links, row)
        if change.operation is not Operation.DELETE:
            yield Put(change.entity, change.after or {}, must_exist=False)


class MixesOrganizations(Memory):
    """Keeps everything under one organization."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        super().add(attrs.evolve(entity, organization="acme"), document)


class TakesAnythingForAUser(Memory):
    """Does not look at the resource type."""

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        if changes[-1].entity.type == "Device":
            return Plan(changes[-1].entity, 1, tuple(self.trusting(changes[-1], links)))
        return super().plan(changes, links, observed)


class PlansByChance(Memory):
    """Puts something into a plan that is not in the changes."""

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        yield from super().trusting(change, links)
        if change.operation is not Operation.DELETE:
            yield Edit(change.entity, remove=frozenset({f"call {next(CALLS)}"}))


class WritesWhilePlanning(Memory):
    """Does what it plans at once."""

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        steps = list(super().trusting(change, links))
        for step in steps:
            self.do(step)
        return iter(steps)


@attrs.frozen
class SilentPut(Put):
    def __str__(self) -> str:
        return ""


class SaysNothing(Memory):
    """Has steps that print as nothing."""

    put = SilentPut


class ParksAtOnce(Memory):
    """Gives up where it should wait for a member."""

    def numbers(self, ids: Sequence[str], links: Mapping[str, Link]) -> frozenset[str]:
        if any(key not in links for key in ids):
            raise Park("a member is missing")
        return super().numbers(ids, links)


class AddsTwice(Memory):
    """Makes a second row when told again."""

    def do(self, step: Any) -> None:
        if isinstance(step, Put) and not step.must_exist:
            self.add(step.entity, step.document)
        else:
            super().do(step)


class NeedsOneSitting(Memory):
    """Edits members only where the group was written in the same breath."""

    def execute(self, plan: Plan) -> Receipt:
        first = plan.steps[:1]
        if len(plan.steps) > 1 and self.shelf.find(plan.entity):
            return super().execute(attrs.evolve(plan, steps=first))
        return super().execute(plan)

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        steps = list(super().converging(change, links, row))
        return iter(steps if row is None else steps[:0])


class CannotDeleteTwice(Memory):
    """Takes an absent row for an error."""

    def do(self, step: Any) -> None:
        if isinstance(step, Drop) and self.shelf.find(step.entity) is None:
            raise KeyError(step.entity.id)
        super().do(step)

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        if change.operation is Operation.DELETE:
            return iter([Drop(change.entity)])
        return super().converging(change, links, row)


class LooksInItsOwnOrder(Memory):
    """Answers in reverse."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        return super().observe(snapshots[::-1], links)


class LooksByLinkOnly(Memory):
    """Finds nothing whose link it does not have."""

    def seen(self, snapshot: ChangeRecord, links: Mapping[str, Link]) -> Observed:
        if snapshot.entity.id not in links:
            return Observed(snapshot.entity.id)
        return super().seen(snapshot, links)


class ForgetsWhatItAdded(LooksByLinkOnly, AddsTwice):
    """Neither finds what it made nor minds making it again."""


class RenamesByNewRow(Memory):
    """Writes a new row for a new name."""

    def do(self, step: Any) -> None:
        row = self.shelf.find(step.entity)
        if isinstance(step, Put) and row and row.document["userName"] != step.document["userName"]:
            super().do(Drop(step.entity))
            self.add(step.entity, step.document)
            return
        super().do(step)


class IsBlindForDrift(Memory):
    """Believes that what is there is right."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        return iter(()) if row else super().converging(change, links, row)


class DoesNotMissAnything(Memory):
    """Takes a change on something that is not there for done."""

    def do(self, step: Any) -> None:
        if self.shelf.find(step.entity) or (isinstance(step, Put) and not step.must_exist):
            super().do(step)


class LetsTheDeadRise(Memory):
    """Leaves what it finds of a deleted resource."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        if change.operation is Operation.DELETE:
            return iter(())
        return super().converging(change, links, row)


class ListsEveryMember(Memory):
    """Plans the whole membership for one member more."""

    members: ClassVar[dict[Entity, frozenset[str]]] = {}

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        for step in super().trusting(change, links):
            if isinstance(step, Edit):
                known = self.members.get(step.entity, frozenset())
                self.members[step.entity] = (known | step.add) - step.remove
                yield attrs.evolve(step, add=self.members[step.entity])
            else:
                yield step


class CutsTextShort(Memory):
    """Keeps 100 characters without the spaces around."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        kept = {k: v.strip()[:100] if isinstance(v, str) else v for k, v in document.items()}
        super().add(entity, kept)


class ShowsItsSecret(Memory):
    """Prints the settings' secret."""

    def __repr__(self) -> str:
        return f"Memory({self.settings.secret.reveal()})"


@attrs.frozen
class TalkativePut(Put):
    def __str__(self) -> str:
        return f"PUT {self.document} {self.password.reveal() if self.password else None}"


class ShowsPasswords(Memory):
    """Prints the password that it sets."""

    put = TalkativePut


class FindsFaultWithEverything(Memory):
    """Reports a good target as bad."""

    def check(self) -> Sequence[Finding]:
        return [Finding(False, "BRG-SHELF-BAD", "It is bad.", "Mend it.")]


class WritesWhileChecking(Memory):
    """Leaves a trial row behind."""

    def check(self) -> Sequence[Finding]:
        self.add(Entity("acme", "Group", "trial"), {"displayName": "trial"})
        return super().check()


class BlamesTheChange(Memory):
    """Takes an absent target for the change's trouble."""

    def execute(self, plan: Plan) -> Receipt:
        try:
            return super().execute(plan)
        except BackendDown as error:
            raise RetryLater(error.reason) from error


class WaitsTooLong(Memory):
    """Gives an unanswering target more time than there is."""

    def execute(self, plan: Plan) -> Receipt:
        if self.settings.shelf is not None:
            self.settings.shelf.answering.wait(0.6)
        return super().execute(plan)


class DoesNotClose(Memory):
    """Raises when closed twice."""

    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class WorksAlone(Memory):
    """Refuses to share its target with another slot."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.me = object()

    def execute(self, plan: Plan) -> Receipt:
        shelf = self.shelf
        if shelf.owner not in (None, self.me) and shelf.owner is not self.me:
            raise RuntimeError("somebody else is at the shelf")
        shelf.owner = self.me
        return super().execute(plan)


class ListsGroupsFirst(Memory):
    """Lists what it has in the wrong order."""

    def scan(self, cursor: str | None) -> ScanPage:
        page = super().scan(cursor)
        return attrs.evolve(page, entries=page.entries[::-1])


class LosesItsPlace(Memory):
    """Goes on where it was only in one instance, and elsewhere says that nothing is left."""

    place: str | None = None

    def scan(self, cursor: str | None) -> ScanPage:
        if cursor != self.place:
            return ScanPage(())
        page = super().scan(cursor)
        self.place = page.next_cursor
        return page


class SaysLittle(Memory):
    """Lists groups without their members."""

    def found(self, row: Row) -> Found:
        return attrs.evolve(super().found(row), members=())


class MendsWhileListing(Memory):
    """Puts right what it lists."""

    def scan(self, cursor: str | None) -> ScanPage:
        for row in self.shelf.rows.values():
            row.document = {**row.document, "userName": "mended", "displayName": "mended"}
        return super().scan(cursor)


class ListsAnOldState(Memory):
    """Lists nothing of what the target has to say for a plan."""

    def found(self, row: Row) -> Found:
        return attrs.evolve(super().found(row), state=None)


class ListsItsOwnOnly(Memory):
    """Leaves out what it did not make."""

    def scan(self, cursor: str | None) -> ScanPage:
        page = super().scan(cursor)
        return attrs.evolve(page, entries=tuple(e for e in page.entries if e.key != "planted"))


DEFECTS: Mapping[type[Memory], tuple[str, ...]] = {
    ForgetsDeactivation: ("test_target_holds_what_the_changes_lead_to",),
    TakesTheLastOfMany: ("test_pending_versions_together_equal_one_by_one",),
    IsNeverInStep: ("test_looking_afterwards_finds_nothing_to_do",),
    MixesOrganizations: ("test_organizations_do_not_meet",),
    TakesAnythingForAUser: ("test_unknown_resource_type_disturbs_nothing",),
    PlansByChance: ("test_plan_is_pure",),
    WritesWhilePlanning: ("test_plan_is_pure",),
    SaysNothing: ("test_every_step_says_what_it_does",),
    ParksAtOnce: ("test_member_that_is_not_there_yet_is_waited_for",),
    AddsTwice: ("test_a_plan_executed_twice_equals_once",),
    NeedsOneSitting: ("test_crash_between_two_steps_is_made_up_for",),
    CannotDeleteTwice: ("test_deleting_what_is_not_there_succeeds",),
    LooksInItsOwnOrder: ("test_looking_answers_in_order_and_says_what_is_absent",),
    LooksByLinkOnly: ("test_looking_finds_a_resource_whose_link_was_lost",),
    ForgetsWhatItAdded: ("test_lost_acknowledgement_is_made_up_for",),
    RenamesByNewRow: ("test_a_rename_keeps_the_identity",),
    IsBlindForDrift: ("test_drift_is_seen_and_repaired",),
    DoesNotMissAnything: ("test_change_on_something_that_vanished_puts_it_right",),
    ListsGroupsFirst: ("test_scan_lists_everything_with_people_first",),
    LosesItsPlace: ("test_scan_goes_on_in_another_instance",),
    SaysLittle: ("test_scan_says_what_is_there",),
    MendsWhileListing: ("test_scan_writes_nothing",),
    ListsAnOldState: ("test_scan_shows_drift_and_its_end",),
    ListsItsOwnOnly: ("test_scan_lists_what_others_made",),
    LetsTheDeadRise: ("test_late_repetition_of_an_older_plan_is_put_right",),
    ListsEveryMember: (
        "test_big_group_costs_its_change_only",
        "test_very_big_group_costs_its_change_only",
    ),
    CutsTextShort: ("test_hostile_text_arrives_as_it_is_or_is_refused",),
    ShowsItsSecret: ("test_no_secret_is_ever_shown",),
    ShowsPasswords: ("test_password_is_never_shown",),
    FindsFaultWithEverything: ("test_check_of_a_good_target_finds_nothing_wrong",),
    WritesWhileChecking: ("test_check_of_a_good_target_finds_nothing_wrong",),
    BlamesTheChange: ("test_unreachable_target_is_reported_as_down",),
    WaitsTooLong: ("test_target_that_does_not_answer_is_given_up_in_time",),
    DoesNotClose: ("test_close_never_raises_and_a_new_backend_goes_on",),
    WorksAlone: ("test_slots_work_side_by_side",),
}
"""Defect to the laws that must find it."""
