"""What a connection's profile tolerated: counted always, and written into the audit.

The audit row of a change names what was tolerated in it. A search leaves no row; the first one of
a connection that departs from the standard in some way gets one, and then one an hour.

Rule: names of departures and nothing else; no filter, which may hold a person's name.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from bridge.core.changes import Cause
from bridge.core.schema import Quirk, Tolerance
from bridge.journal import tenants
from bridge.journal.store import Journal
from bridge.scim.exchange import Request

MetQuirks = Callable[[str, Iterable[Quirk]], None]
"""Is told, from any thread, which departures from the RFCs were accepted under which profile."""

AUDITED_SECONDS = 3600
"""How often at most a connection's searches leave an audit row about the same departure."""

REMEMBERED = 10_000
"""Pairs of connection and departure that a process remembers to have written down."""


class Tolerated:
    """Notes which departures from the standard were accepted, and whose they were."""

    def __init__(self, journal: Journal, met: MetQuirks) -> None:
        self._journal = journal
        self._met = met
        self._audited: dict[tuple[str, Quirk], float] = {}

    def in_change(self, tolerance: Tolerance, quirks: Iterable[Quirk]) -> None:
        """Note what a change had that was tolerated; its own audit row names it."""
        self._met(tolerance.name, quirks)

    def in_search(self, request: Request, tolerance: Tolerance, quirks: Iterable[Quirk]) -> None:
        """Note what a search had that was tolerated."""
        self._met(tolerance.name, quirks)
        now, caller = time.monotonic(), request.caller
        fresh = sorted(q for q in quirks if self._is_due((caller.connection, q), now))
        if not fresh:
            return
        if len(self._audited) > REMEMBERED:
            self._audited.clear()
        self._audited |= {(caller.connection, quirk): now for quirk in fresh}
        cause = Cause(caller.actor, request.id, datetime.now(UTC))
        target, detail = f"connection/{caller.connection}", {"tolerated": fresh}
        self._journal.write_soon(
            lambda tx: tenants.audit(
                tx, caller.organization, cause, "search.tolerated", target, detail
            )
        )

    def _is_due(self, key: tuple[str, Quirk], now: float) -> bool:
        at = self._audited.get(key)
        return at is None or now - at >= AUDITED_SECONDS
