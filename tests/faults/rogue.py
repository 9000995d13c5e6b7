"""A plugin in one file that misbehaves as its setting `mood` says.

Rule: it needs nothing but the contract; the tests copy it into a directory of plugins.
"""

import sys
import time
from collections.abc import Mapping, Sequence

import attrs

from bridge.plugin import (
    BackendType,
    ChangeRecord,
    Finding,
    Link,
    Observed,
    Plan,
    Receipt,
    hookimpl,
)

FOR_EVER_SECONDS = 3600
PIECE_BYTES = 4 * 1024 * 1024

LEAKED: list[bytes] = []


@attrs.frozen
class Settings:
    mood: str = attrs.field(metadata={"meaning": "What it does instead of delivering."})


class Rogue:
    def __init__(self, settings: Settings) -> None:
        self.mood = settings.mood
        if self.mood == "exits when opened":
            sys.exit("not today")

    def check(self) -> Sequence[Finding]:
        return [Finding(True, "BRG-ROGUE-FINE", "All is well.")]

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        _links: Mapping[str, Link],
        _observed: Observed | None = None,
    ) -> Plan:
        return Plan(changes[-1].entity, changes[-1].version, (f"be {self.mood}",))

    def execute(self, _plan: Plan) -> Receipt:
        match self.mood:
            case "raises":
                raise ValueError("the text of it is nobody's business")
            case "exits":
                sys.exit("not today")
            case "hangs":
                time.sleep(FOR_EVER_SECONDS)
            case "computes without end":
                while True:
                    pass
            case "leaks":
                LEAKED.append(bytes(PIECE_BYTES))
        return Receipt()

    def close(self) -> None:
        if self.mood == "hangs":
            time.sleep(FOR_EVER_SECONDS)


@hookimpl
def bridge_backend_types() -> Sequence[BackendType]:
    return [BackendType("rogue", "Does what it should not", Settings, Rogue)]
