"""Attempts at several entities at once, for a backend that does many plans in one go.

Rule: each entity's attempt ends as it would have ended alone; only what they cost is shared.
"""

from collections.abc import Sequence

import attrs

from bridge.core.backend import Batcher, Plan, Receipt
from bridge.core.errors import NotApplied, RetryLater, Unavailable
from bridge.engine.attempt import (
    Attempt,
    Disclose,
    Progress,
    Undone,
    Work,
    applied,
    gather,
    not_applied,
    unexpected,
)
from bridge.journal.claims import Claim
from bridge.journal.store import Journal


@attrs.frozen
class _Planned:
    """One entity's plan and what it was made from."""

    work: Work
    plan: Plan


def attempt_together(
    backend: Batcher,
    journal: Journal,
    claims: Sequence[Claim],
    *,
    single: bool,
    disclose: Disclose | None,
) -> list[Attempt]:
    """Try once to bring entities up to date whose changes are trusted; never raises.

    Without passwords, and without looking: such claims are attempted alone.
    """
    begun = [_planned(backend, journal, one, single=single, disclose=disclose) for one in claims]
    planned = [one for one in begun if isinstance(one, _Planned)]
    done = iter(_done(backend, planned))
    return [next(done) if isinstance(one, _Planned) else one for one in begun]


def _planned(
    backend: Batcher,
    journal: Journal,
    claim: Claim,
    *,
    single: bool,
    disclose: Disclose | None,
) -> _Planned | Attempt:
    try:
        work = gather(journal, claim, disclose, whole=False, single=single)
    except Unavailable:
        return Attempt(Undone())
    progress = Progress()
    try:
        try:
            plan = backend.plan(work.changes, work.links)
            return _Planned(work, plan) if plan.steps else applied(Receipt(), work, progress)
        except NotApplied as error:
            return not_applied(error, work, progress)
    except BaseException as error:  # noqa: BLE001 - SystemExit of a plugin is not ours either
        return Attempt(RetryLater(unexpected(error)), broke=True)


def _done(backend: Batcher, planned: Sequence[_Planned]) -> list[Attempt]:
    if not planned:
        return []
    try:
        outcomes = list(backend.execute_many([one.plan for one in planned]))
    except NotApplied as error:
        outcomes = [error] * len(planned)
    except BaseException as error:  # noqa: BLE001 - SystemExit of a plugin is not ours either
        return [_broken(error)] * len(planned)
    if not 0 < len(outcomes) <= len(planned):
        return [_broken(ValueError("not as many outcomes as plans"))] * len(planned)
    ended = [_ended(*pair) for pair in zip(planned, outcomes, strict=False)]
    return ended + [Attempt(Undone())] * (len(planned) - len(outcomes))


def _ended(one: _Planned, outcome: Receipt | NotApplied) -> Attempt:
    progress = Progress(reached=True, wrote=True)
    try:
        if isinstance(outcome, NotApplied):
            return not_applied(outcome, one.work, progress)
        return applied(outcome, one.work, progress)
    except BaseException as error:  # noqa: BLE001 - what cannot be stored ends alone
        return _broken(error)


def _broken(error: BaseException) -> Attempt:
    return Attempt(RetryLater(unexpected(error)), wrote=True, broke=True)
