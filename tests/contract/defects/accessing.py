"""Defects that the laws of access find."""

from typing import Any

import attrs

from bridge.plugin import WORKSPACE
from tests.contract.defect import found_by
from tests.contract.memory import Edit, Memory


@found_by("test_access_of_many_users_arrives_in_pieces")
class KeepsAThousand(Memory):
    """Has room for a thousand users of a place."""

    def do(self, step: Any) -> None:
        super().do(step)
        row = self.shelf.find(step.entity)
        if isinstance(step, Edit) and row and row.entity.type == WORKSPACE:
            row.members = set(sorted(row.members)[:1000])


@found_by("test_target_holds_what_the_changes_lead_to")
class NeverRevokes(Memory):
    """Leaves everybody the access that they had."""

    def do(self, step: Any) -> None:
        if isinstance(step, Edit) and step.entity.type == WORKSPACE:
            step = attrs.evolve(step, remove=frozenset())
        super().do(step)
