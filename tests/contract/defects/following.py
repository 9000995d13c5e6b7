"""Defects that the laws of following find."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from bridge.plugin import ChangeRecord, Entity, Link, Observed, Operation, Park, Plan, Receipt
from tests.contract.defect import found_by
from tests.contract.memory import Drop, Edit, Memory, Put, Row

CALLS = itertools.count()


@found_by("test_target_holds_what_the_changes_lead_to")
class ForgetsDeactivation(Memory):
    """Never writes that somebody is inactive."""

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        if change.after is not None and change.entity.type == "User":
            change = attrs.evolve(change, after={**change.after, "active": True})
        return super().trusting(change, links)


@found_by("test_pending_versions_together_equal_one_by_one")
class TakesTheLastOfMany(Memory):
    """Looks only at the newest of the pending changes."""

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        return super().plan(changes[-1:], links, observed)


@found_by("test_looking_afterwards_finds_nothing_to_do")
class IsNeverInStep(Memory):
    """Writes again what it has just seen to be right."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        yield from super().converging(change, links, row)
        if change.operation is not Operation.DELETE:
            yield Put(change.entity, change.after or {}, must_exist=False)


@found_by("test_organizations_do_not_meet")
class MixesOrganizations(Memory):
    """Keeps everything under one organization."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        super().add(attrs.evolve(entity, organization="acme"), document)


@found_by("test_unknown_resource_type_disturbs_nothing")
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


@found_by("test_plan_is_pure")
class PlansByChance(Memory):
    """Puts something into a plan that is not in the changes."""

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        yield from super().trusting(change, links)
        if change.operation is not Operation.DELETE:
            yield Edit(change.entity, remove=frozenset({f"call {next(CALLS)}"}))


@found_by("test_plan_is_pure")
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


@found_by("test_every_step_says_what_it_does")
class SaysNothing(Memory):
    """Has steps that print as nothing."""

    put = SilentPut


@found_by(
    "test_member_that_is_not_there_yet_is_waited_for",
    "test_access_of_somebody_who_is_not_there_yet_is_waited_for",
)
class ParksAtOnce(Memory):
    """Gives up where it should wait for a member."""

    def number(self, key: str, links: Mapping[str, Link]) -> str:
        if key not in links:
            raise Park("a member is missing")
        return super().number(key, links)


@found_by(
    "test_a_plan_executed_twice_equals_once", "test_delivering_everything_again_changes_nothing"
)
class AddsTwice(Memory):
    """Makes a second row when told again."""

    def do(self, step: Any) -> None:
        if isinstance(step, Put) and not step.must_exist:
            self.add(step.entity, step.document)
        else:
            super().do(step)


@found_by("test_crash_between_two_steps_is_made_up_for")
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


@found_by("test_deleting_what_is_not_there_succeeds")
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


@found_by("test_late_repetition_of_an_older_plan_is_put_right")
class LetsTheDeadRise(Memory):
    """Leaves what it finds of a deleted resource."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        if change.operation is Operation.DELETE:
            return iter(())
        return super().converging(change, links, row)
