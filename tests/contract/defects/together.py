"""Defects that the laws of plans done together find."""

from collections.abc import Sequence
from typing import ClassVar

from bridge.plugin import InDoubt, NotApplied, Park, Plan, Receipt
from tests.contract.defect import found_by
from tests.contract.memory import Memory


@found_by("test_plans_together_equal_one_by_one")
class ForgetsTheLast(Memory):
    """Says that all is done and leaves the last one out."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        done = super().execute_many(plans[:-1])
        return [*done, Receipt()]


@found_by("test_refused_plan_takes_no_other_one_with_it")
class RefusesAllForOne(Memory):
    """Undoes nothing, and says of everybody what is true of one."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        outcomes = super().execute_many(plans)
        refusal = next((one for one in outcomes if isinstance(one, NotApplied)), None)
        return [refusal] * len(outcomes) if refusal else outcomes


@found_by("test_plans_done_together_twice_equal_once")
class DoesNothingTwice(Memory):
    """Parks what it has done before."""

    known: ClassVar[set[str]] = set()

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        if any(str(plan) in self.known for plan in plans):
            return [Park("it was done before", "Do nothing.")] * len(plans)
        self.known.update(map(str, plans))
        return super().execute_many(plans)


@found_by("test_each_plan_done_together_has_its_own_outcome")
class AnswersInReverse(Memory):
    """Tells the first what became of the last."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        return list(reversed(super().execute_many(plans)))


@found_by("test_each_plan_done_together_has_its_own_outcome")
class AnswersNobody(Memory):
    """Does what it is given and tells nobody."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        super().execute_many(plans)
        return ()


@found_by("test_lost_answer_of_plans_done_together_is_told_and_made_up_for")
class TakesSilenceForAllDone(Memory):
    """Takes a lost answer to many plans for a good one."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        outcomes = super().execute_many(plans)
        return [Receipt() if isinstance(one, InDoubt) else one for one in outcomes]
