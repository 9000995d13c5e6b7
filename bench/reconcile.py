"""Reconcile of 100,000 people: how much memory it takes, and how long.

The target is a generator, so that all the memory there is to see is the bridge's own.

    python -m bench.reconcile [PEOPLE]

Rule: figures are printed, nothing is asserted.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.core.changes import Cause
from bridge.core.schema import STANDARD, USER
from bridge.engine.reconciler import Reconciler
from bridge.hosting import HostedBackend
from bridge.journal import backends, record, standing
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.plugin import (
    BackendType,
    ChangeRecord,
    Finding,
    Found,
    Link,
    Observed,
    Plan,
    Receipt,
    ScanPage,
)

PEOPLE, PAGE, MISSING = 100_000, 500, 100
CAUSE = Cause("bench", "", datetime(2026, 1, 1, tzinfo=UTC))


def document(number: int) -> dict[str, Any]:
    return {
        "userName": f"person{number:06}@example.com",
        "displayName": f"Person {number}",
        "emails": [{"value": f"person{number:06}@example.com", "primary": True}],
    }


def key(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


class Everybody:
    """Holds every person but the last few, as they should be."""

    def __init__(self, people: int) -> None:
        self.there = people - MISSING

    def check(self) -> Sequence[Finding]:
        return ()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],  # noqa: ARG002
        observed: Observed | None = None,
    ) -> Plan:
        last = changes[-1]
        same = observed is not None and observed.state == last.after
        return Plan(last.entity, last.version, () if same else ("write",))

    def execute(self, plan: Plan) -> Receipt:
        raise NotImplementedError(plan)

    def observe(
        self,
        snapshots: Sequence[ChangeRecord],
        links: Mapping[str, Link],  # noqa: ARG002
    ) -> Sequence[Observed]:
        return [Observed(one.entity.id) for one in snapshots]

    def scan(self, cursor: str | None) -> ScanPage:
        start = int(cursor or 0)
        end = min(start + PAGE, self.there)
        return ScanPage(tuple(self.found(start, end)), str(end) if end < self.there else None)

    def found(self, start: int, end: int) -> Iterator[Found]:
        for number in range(start, end):
            said = document(number)
            yield Found("User", f"t{number}", f"uid={number}", str(number), said, state=said)

    def close(self) -> None:
        pass


def populate(journal: Journal, people: int) -> None:
    journal.write_now(lambda tx: backends.add(tx, "corp", "bench"))

    def some(tx: Transaction, start: int, end: int) -> None:
        for number in range(start, end):
            made = record.create(tx, USER, "acme", key(number), document(number), (), CAUSE)
            standing.settle(tx, "corp", made.entity, Link(key(number), f"t{number}", "uid"))

    for start in range(0, people, 1000):
        end = min(start + 1000, people)
        journal.write_now(lambda tx, start=start, end=end: some(tx, start, end))  # type: ignore[misc]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(people: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'journal.db'}"
        # In a process of its own, so that its memory does not count.
        if (child := os.fork()) == 0:
            journal = open_journal(url)
            populate(journal, people)
            journal.close()
            os._exit(0)
        os.waitpid(child, 0)
        journal = open_journal(url)
        kind = BackendType("bench", "", dict, lambda _: Everybody(people))
        hosted = HostedBackend("corp", kind, lambda: Everybody(people))
        before, began = peak_mb(), time.monotonic()
        run = Reconciler(journal, hosted, STANDARD, lambda: CAUSE)
        differences = sum(1 for _ in run.run())
        seconds = time.monotonic() - began
        journal.close()
        print(f"{run.seen:,} entries, {differences} differ, {run.inconclusive or 'complete'}")
        print(f"{run.seen / seconds:,.0f} entries/s, {peak_mb() - before:.0f} MB more at the peak")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE)
