"""The serving process, as it is or deliberately broken.

    python -m tests.faults.serving MUTATION serve --config FILE

Rule: a test that cannot fail proves nothing; each mutation is a mistake that a fault must uncover.
"""

import sys
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, update

from bridge.cli import main
from bridge.engine import lane
from bridge.engine.attempt import Attempt
from bridge.engine.inbox import Job
from bridge.engine.slot import Slot
from bridge.journal import claims
from bridge.journal.claims import Claim
from bridge.journal.statements import prepared
from bridge.journal.store import Transaction
from bridge.journal.tables import cursor

_ONE = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
    cursor.c.entity == bindparam("entity"),
)
_TOO_EARLY = prepared(update(cursor).where(*_ONE).values(applied=cursor.c.target, pending=0))
_NO_LEASE = prepared(update(cursor).where(*_ONE).values(next_at=0))


def _after_claiming(statement: Any) -> Callable[[], None]:
    claim = claims.claim

    def claim_and_break(tx: Transaction, backend: str, **wanted: Any) -> list[Claim]:
        found = claim(tx, backend, **wanted)
        for one in found:
            tx.run(statement, **one.key)
        return found

    def install() -> None:
        claims.claim = claim_and_break

    return install


def _one_at_a_time() -> None:
    together = threading.Lock()
    tried = Slot._tried

    def wait_and_try(self: Slot, jobs: list[Job]) -> list[Attempt]:
        with together:
            return tried(self, jobs)

    Slot._tried = wait_and_try  # type: ignore[method-assign]


def _never_gives_up() -> None:
    def go_on_waiting(_slot: Slot, _before: float) -> list[Job]:
        return []

    Slot.abandon = go_on_waiting  # type: ignore[method-assign, assignment]


def _never_counts_breaks() -> None:
    lane.BROKEN_LIMIT = sys.maxsize


def _lets_exits_through() -> None:
    tried = Slot._tried

    def try_or_exit(self: Slot, jobs: list[Job]) -> list[Attempt]:
        results = tried(self, jobs)
        if any("SystemExit" in str(result.outcome) for result in results):
            sys.exit(1)
        return results

    Slot._tried = try_or_exit  # type: ignore[method-assign]


def _never_heals() -> None:
    def believes_itself(tx: Transaction, claim: Claim, touched: int, *, wrote: bool) -> bool:
        del tx, claim, wrote
        return bool(touched)

    claims._kept = believes_itself


MUTATIONS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "never-heals": _never_heals,
    "acknowledged-too-early": _after_claiming(_TOO_EARLY),
    "no-lease": _after_claiming(_NO_LEASE),
    "one-at-a-time": _one_at_a_time,
    "never-gives-up": _never_gives_up,
    "never-counts-breaks": _never_counts_breaks,
    "lets-exits-through": _lets_exits_through,
}

if __name__ == "__main__":
    MUTATIONS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
