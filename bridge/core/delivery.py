"""Delivery: what happens to an entity's cursor after each outcome, as one table.

    outcome                  applied  waits                      attempts  parked   looks next time
    Applied                  forward  no                         0         no       no
    Applied, looked twice    forward  VERIFY_SECONDS             0         no       once
    Applied, awaits another  forward  a quarter of the wait      0         no       once, to limit
    Defer                    stays    a quarter of the wait      stays     at limit as before
    RetryLater               stays    own delay or schedule      +1        at end   as before
    Surprise, trusted        stays    no                         stays     no       once
    Surprise, looked         stays    schedule                   +1        at end   once
    InDoubt                  stays    schedule, IN_DOUBT_SECONDS +1        at end   twice
    InDoubt, all is silent   stays    IN_DOUBT_SECONDS, circuit  stays     no       twice
    Park                     stays    for a person               stays     yes      once
    BackendDown              stays    circuit                    stays     no       as before
    Disable                  stays    until the backend resumes  stays     no       as before

"Circuit": the whole backend waits, longer each time (`circuit_seconds`), and one entity probes it.

Rule: every state change of a cursor after an attempt is decided here and nowhere else.
"""

from enum import IntEnum
from typing import assert_never

import attrs

from bridge.core.errors import (
    BackendDown,
    Defer,
    Disable,
    InDoubt,
    NotApplied,
    Park,
    RetryLater,
    Surprise,
)

DEFER_SECONDS = 0.25
"""How long a change waits for a dependency at first; later a quarter of the wait so far."""

DEFER_CAP_SECONDS = 15.0
"""How long a change waits for a dependency at most before it is looked at again."""

DEFER_LIMIT_SECONDS = 600.0
"""How long a change may defer to a resource that is not on its way before it is parked."""

IN_DOUBT_SECONDS = 2.0
"""How long after a time-out the target is first read back."""

SETTLED_SECONDS = 1.0
"""How far apart two equal readings are that end a doubt: a late write has landed by then."""

VERIFY_SECONDS = 30.0
"""How long after a doubt was settled the target is read once more."""

OWN_DELAY_CAP_SECONDS = 86_400.0
"""How long a change waits at most because its target asked for it (Retry-After)."""

CIRCUIT_SECONDS = 1.0
"""How long an open circuit waits before the first probe; each further failure doubles it."""

CIRCUIT_CAP_SECONDS = 15.0
"""How long an open circuit waits at most, unless the backend asks for more."""


class Look(IntEnum):
    """What to read of the target before the next plan; the highest of two wins.

    TRUST: nothing, the changes' own before and after hold. ONCE: what is there now.
    TWICE: what is there once it stopped moving, because an older write may still be under way.
    """

    TRUST = 0
    ONCE = 1
    TWICE = 2


@attrs.frozen
class Schedule:
    """A named list of delays in seconds; after the last one a change is parked.

    A target that has taken nothing for `disables_after_seconds`, though it was tried, is disabled.
    """

    name: str
    delays_seconds: tuple[float, ...]
    disables_after_seconds: float | None = None


DIRECTORY = Schedule("directory", (1, 2, 5, 15, 60, 300, 900, 1800, 3600, 3600, 3600))
"""For LDAP and SQL targets: about four hours."""

WEBHOOK = Schedule(
    "webhook",
    (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
    disables_after_seconds=432_000,
)
"""For HTTP receivers: three days (Standard Webhooks 1.0, "Retry schedule"); disabled after five."""


@attrs.frozen
class Applied:
    """The target now holds `version`; nothing was lost on the way.

    `awaits`: except for what needs a resource that is not there yet (`Receipt.awaited`).
    """

    version: int
    awaits: bool = False


Outcome = Applied | Defer | RetryLater | Surprise | InDoubt | Park | BackendDown | Disable


@attrs.frozen
class Standing:
    """Where a cursor stands when an attempt ends, and what is known around it.

    `deferred_seconds` is how long the entity has been deferring without a break,
    `dependency_coming` that what it defers to is still pending itself, and `silent` that the
    backend has answered nobody since this attempt began, and others have tried.
    """

    applied: int
    attempts: int = 0
    look: Look = Look.TRUST
    deferred_seconds: float = 0.0
    dependency_coming: bool = False
    silent: bool = False


@attrs.frozen
class NextState:
    """What to write to the cursor: `delay_seconds` from now, by the database's clock.

    `settled` False keeps the entity due even where `applied` has reached its newest version.
    """

    applied: int
    attempts: int
    delay_seconds: float = 0.0
    look: Look = Look.TRUST
    settled: bool = False
    parked: bool = False
    deferring: bool = False
    opens_circuit: bool = False
    disables: bool = False
    error: str | None = None
    next_step: str | None = None


def next_state(
    standing: Standing, outcome: Outcome, schedule: Schedule, jitter: float = 0.0
) -> NextState:
    """Return the cursor's next state; `jitter` in [0, 1) lengthens the schedule by up to 20 %."""
    match outcome:
        case Applied():
            return _forward(standing, outcome)
        case Defer(reason=reason):
            if _in_vain(standing):
                return _park(standing, reason, "Deliver the missing resource first, then retry.")
            wait = _wait(standing)
            return _stay(standing, outcome, delay_seconds=wait, deferring=True)
        case RetryLater(delay_seconds=delay):
            return _retry(standing, outcome, schedule, jitter, own_delay=delay)
        case Surprise() if standing.look is Look.TRUST:
            return _stay(standing, outcome, look=Look.ONCE)
        case Surprise():
            return _retry(standing, outcome, schedule, jitter)
        case InDoubt() if standing.silent:
            return _stay(
                standing,
                outcome,
                delay_seconds=IN_DOUBT_SECONDS,
                look=Look.TWICE,
                opens_circuit=True,
            )
        case InDoubt():
            return _retry(
                standing, outcome, schedule, jitter, at_least=IN_DOUBT_SECONDS, look=Look.TWICE
            )
        case Park(reason=reason, next_step=next_step):
            return _park(standing, reason, next_step)
        case BackendDown():
            return _stay(standing, outcome, opens_circuit=True)
        case Disable():
            return attrs.evolve(_stay(standing, outcome), disables=True)
    assert_never(outcome)


def circuit_seconds(failures: int, asked_seconds: float | None = None) -> float:
    """Return how long an open circuit waits after `failures` probes in a row have failed.

    `asked_seconds` is the least the backend asked for (refused credentials lock accounts).
    """
    wait = min(CIRCUIT_SECONDS * 2.0 ** min(failures, 16), CIRCUIT_CAP_SECONDS)
    return max(wait, asked_seconds or 0.0)


def _forward(standing: Standing, outcome: Applied) -> NextState:
    applied = max(standing.applied, outcome.version)
    if standing.look is Look.TWICE:
        return NextState(applied, 0, delay_seconds=VERIFY_SECONDS, look=Look.ONCE)
    if outcome.awaits and not _in_vain(standing):
        wait = _wait(standing)
        return NextState(applied, 0, delay_seconds=wait, look=Look.ONCE, deferring=True)
    return NextState(applied, 0, settled=True)


def _in_vain(standing: Standing) -> bool:
    return standing.deferred_seconds >= DEFER_LIMIT_SECONDS and not standing.dependency_coming


def _wait(standing: Standing) -> float:
    return max(DEFER_SECONDS, min(standing.deferred_seconds / 4, DEFER_CAP_SECONDS))


def _stay(
    standing: Standing,
    outcome: NotApplied,
    *,
    delay_seconds: float = 0.0,
    look: Look = Look.TRUST,
    deferring: bool = False,
    opens_circuit: bool = False,
) -> NextState:
    return NextState(
        applied=standing.applied,
        attempts=standing.attempts,
        look=max(standing.look, look),
        delay_seconds=delay_seconds,
        deferring=deferring,
        opens_circuit=opens_circuit,
        error=outcome.reason,
    )


def _retry(
    standing: Standing,
    outcome: NotApplied,
    schedule: Schedule,
    jitter: float,
    *,
    own_delay: float | None = None,
    at_least: float = 0.0,
    look: Look = Look.TRUST,
) -> NextState:
    delays = schedule.delays_seconds
    if standing.attempts >= len(delays):
        return _park(
            standing,
            f"{outcome.reason} (gave up after {standing.attempts + 1} attempts)",
            "Mend the cause, then `bridge deliveries retry`.",
        )
    if own_delay is None:
        delay = delays[standing.attempts] * (1 + 0.2 * jitter)
    else:
        delay = min(max(0.0, own_delay), OWN_DELAY_CAP_SECONDS)
    return NextState(
        applied=standing.applied,
        attempts=standing.attempts + 1,
        delay_seconds=max(delay, at_least),
        look=max(standing.look, look),
        error=outcome.reason,
    )


def _park(standing: Standing, reason: str, next_step: str) -> NextState:
    return NextState(
        applied=standing.applied,
        attempts=standing.attempts,
        look=max(standing.look, Look.ONCE),
        parked=True,
        error=reason,
        next_step=next_step or None,
    )
