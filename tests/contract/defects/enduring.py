"""Defects that the laws of endurance find."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from bridge.plugin import ChangeRecord, Entity, Finding, InDoubt, Link, Observed, Plan, Receipt
from tests.contract.defect import found_by
from tests.contract.memory import Edit, Memory, Row


@found_by(
    "test_big_group_costs_its_change_only",
    "test_very_big_group_costs_its_change_only",
    "test_one_users_access_costs_its_change_only",
)
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


@found_by("test_target_that_does_not_answer_is_given_up_in_time")
class WaitsTooLong(Memory):
    """Gives an unanswering target more time than there is."""

    def execute(self, plan: Plan) -> Receipt:
        self.wait_for_the_shelf()
        return super().execute(plan)


@found_by("test_big_group_is_put_right_by_its_difference")
class WritesGroupsAnew(Memory):
    """Puts a group right by writing all of it."""

    def converging(
        self, change: ChangeRecord, links: Mapping[str, Link], row: Row | None
    ) -> Iterator[Any]:
        for step in super().converging(change, links, row):
            if isinstance(step, Edit):
                wanted = self.part(change.members.added, change.access.granted, links)
                yield Edit(step.entity, wanted, step.remove)
            else:
                yield step


@found_by("test_check_of_a_target_that_does_not_answer_ends_in_time")
class ChecksPatiently(Memory):
    """Gives the check more time than there is."""

    def check(self) -> Sequence[Finding]:
        self.wait_for_the_shelf()
        return super().check()


@found_by("test_looking_at_a_target_that_does_not_answer_ends_in_time")
class TakesSilenceForAbsence(Memory):
    """Takes what could not be read for absent."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        try:
            return super().observe(snapshots, links)
        except InDoubt:
            return [Observed(snapshot.entity.id) for snapshot in snapshots]


@found_by("test_closing_while_the_target_does_not_answer_ends_in_time")
class ClosesPolitely(Memory):
    """Does not close before the target has said goodbye."""

    def close(self) -> None:
        self.wait_for_the_shelf()


@found_by("test_lost_answer_is_told_and_made_up_for")
class TakesSilenceForDone(Memory):
    """Takes a lost answer for a good one."""

    def execute(self, plan: Plan) -> Receipt:
        try:
            return super().execute(plan)
        except InDoubt:
            return Receipt()
