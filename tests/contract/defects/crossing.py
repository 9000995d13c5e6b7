"""Defects that the laws of crossing find."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from bridge.plugin import (
    Access,
    ChangeRecord,
    Entity,
    Link,
    Member,
    Observed,
    Operation,
    Plan,
    Receipt,
)
from tests.contract.defect import found_by
from tests.contract.memory import Edit, Memory, Row, Settings


@found_by("test_slots_work_side_by_side")
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


@found_by("test_resources_may_overtake_each_other")
class LeavesOutWhoIsNotThereYet(Memory):
    """Leaves a member out that has no number yet."""

    def part(
        self, members: Sequence[Member], access: Sequence[Access], links: Mapping[str, Link]
    ) -> frozenset[Any]:
        there = [member for member in members if member.id in links]
        return super().part(there, [one for one in access if one.user in links], links)


@found_by("test_snapshots_bring_everything")
class CreatesOnlyWhatIsNew(Memory):
    """Does not make what is not at its first version."""

    def trusting(self, change: ChangeRecord, links: Mapping[str, Link]) -> Iterator[Any]:
        late = change.operation is Operation.CREATE and change.version > 1
        return iter(()) if late else super().trusting(change, links)


@found_by("test_a_plan_may_be_executed_by_another_slot")
class ExecutesItsOwnPlansOnly(Memory):
    """Does nothing about a plan that another slot has made."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.made: list[Plan] = []

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        self.made.append(super().plan(changes, links, observed))
        return self.made[-1]

    def execute(self, plan: Plan) -> Receipt:
        return super().execute(plan if plan in self.made else attrs.evolve(plan, steps=()))


@found_by("test_slots_take_turns_with_one_resource")
class RemembersMembers(Memory):
    """Believes that nobody else writes to its groups."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.known: dict[Entity, set[Any]] = {}

    def do(self, step: Any) -> None:
        row = self.shelf.find(step.entity)
        if isinstance(step, Edit) and row is not None:
            row.members = set(self.known.get(step.entity, row.members))
        super().do(step)
        if isinstance(step, Edit) and row is not None:
            self.known[step.entity] = set(row.members)


@found_by("test_many_pending_changes_become_few_steps")
class PlansEachOnItsOwn(Memory):
    """Makes of many pending changes as many steps."""

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        plans = [super(PlansEachOnItsOwn, self).plan([c], links, observed) for c in changes]
        return attrs.evolve(plans[-1], steps=tuple(s for plan in plans for s in plan.steps))


@found_by("test_a_name_used_again_is_somebody_else")
class KnowsPeopleByName(Memory):
    """Has people's names for their identity."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        if entity.type == "User":
            number = f"called {document['userName']}"
            self.shelf.rows[number] = Row(number, entity, document)
        else:
            super().add(entity, document)


@found_by("test_two_groups_of_one_name_stay_two")
class MergesByName(Memory):
    """Takes a group of the same name for the one that it is told to make."""

    def add(self, entity: Entity, document: Mapping[str, Any]) -> None:
        named = (row for row in self.shelf.rows.values() if row.entity.type == "Group")
        for row in named:
            if entity.type == "Group" and row.document["displayName"] == document["displayName"]:
                row.entity = entity
                return
        super().add(entity, document)
