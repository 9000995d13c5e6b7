"""A turn: the one transaction in which a lane writes down what is done and claims what is due.

Rule: a receipt's links, the cursor, the circuit and the next claims are committed together or not
at all; what a lane holds in memory follows the commit, never the reverse.
"""

import random
from collections.abc import Sequence

import attrs

from bridge.core.backend import Link
from bridge.core.delivery import (
    DEFER_LIMIT_SECONDS,
    SETTLED_SECONDS,
    Applied,
    Look,
    NextState,
    Outcome,
    Standing,
    next_state,
)
from bridge.core.errors import BackendDown, Defer
from bridge.engine.attempt import Attempt, Moving, Undone
from bridge.engine.slot import Job
from bridge.hosting import HostedBackend
from bridge.journal import backends, claims, links, passwords
from bridge.journal.claims import Claim
from bridge.journal.store import Transaction


@attrs.frozen
class Report:
    """An attempt that has ended.

    `silent`: the backend has answered nobody since this began, and others have tried. `evidence`:
    it tells something about the circuit as it is now, being neither late nor of an earlier round.
    """

    job: Job
    attempt: Attempt
    silent: bool
    evidence: bool


@attrs.frozen
class Request:
    """What a lane wants of a turn.

    `room` is how many entities it can take; `proven` False, that the backend has not answered
    since it started or since its circuit opened; `stopping`, that no claim may go on.
    """

    hosted: HostedBackend
    worker: str
    reports: Sequence[Report]
    room: int
    proven: bool
    stopping: bool


@attrs.frozen
class Settled:
    """What became of one report: its cursor's next `state`, or none where the claim was released.

    `goes_on` is the claim that is still ours, or None.
    """

    report: Report
    state: NextState | None = None
    goes_on: Claim | None = None


@attrs.frozen
class Turn:
    """What a turn has done. `due_seconds` is how long until something more is due, if anything is.

    `down` is why the circuit opened or stays open; `opened` and `closed` say that it changed.
    """

    settled: Sequence[Settled]
    claims: Sequence[Claim] = ()
    due_seconds: float | None = None
    proven: bool = True
    down: str | None = None
    opened: bool = False
    closed: bool = False


def take_turn(tx: Transaction, request: Request) -> Turn:
    """Settle what is reported, open or close the circuit, and claim what is due."""
    name, lease_seconds = request.hosted.name, request.hosted.lease_seconds
    turn = _circuit(tx, request, [_settle(tx, request, report) for report in request.reports])
    row = backends.get(tx, name)
    if row is None or request.stopping or request.room <= 0:
        return turn
    found: Sequence[Claim] = ()
    if admitted := backends.admitted(tx, row, request.room, lease_seconds):
        found = claims.claim(
            tx, name, room=admitted, worker=request.worker, lease_seconds=lease_seconds
        )
    due_at = None
    if row.state == backends.OPEN and not admitted:
        due_at = row.retry_at
    elif row.state != backends.PAUSED and len(found) < request.room:
        due_at = claims.next_due(tx, name)
    due_seconds = None if due_at is None else max(0.0, (due_at - tx.now) / 1e6)
    return attrs.evolve(turn, claims=found, due_seconds=due_seconds)


def _settle(tx: Transaction, request: Request, report: Report) -> Settled:
    job, attempt = report.job, report.attempt
    match attempt.outcome:
        case Undone():
            claims.release(tx, [job.claim])
            return Settled(report)
        case Moving():
            lease_seconds = request.hosted.lease_seconds + SETTLED_SECONDS
            kept = claims.renew(tx, job.claim, lease_seconds)
            return Settled(report, goes_on=job.claim if kept else None)
        case Applied() as done:
            return _applied(tx, request, report, done)
        case outcome:
            state = _next_state(tx, request, report, outcome)
            kept = claims.settle(tx, job.claim, state, wrote=attempt.wrote)
            _note_links(tx, request, report, kept=kept)
            return Settled(report, state)


def _applied(tx: Transaction, request: Request, report: Report, done: Applied) -> Settled:
    job, attempt, name = report.job, report.attempt, request.hosted.name
    left = None if request.stopping or done.awaits else job.claim.after(done.version)
    if left is not None:
        state = None
        kept = claims.progress(tx, job.claim, done.version, request.hosted.lease_seconds)
    else:
        state = _next_state(tx, request, report, done)
        kept = claims.settle(tx, job.claim, state, wrote=attempt.wrote)
    entity = job.claim.entity
    if request.hosted.sealer is not None:
        passwords.drop_applied(tx, name, entity.organization, entity.id)
    new = _note_links(tx, request, report, kept=kept)
    if attempt.ended:
        links.mark_gone(tx, entity.organization, name, entity.id)
    if left is not None:
        own = next((link for link in new if link.resource_id == entity.id), job.claim.link)
        left = attrs.evolve(left, link=own)
    return Settled(report, state, goes_on=left if kept else None)


def _note_links(
    tx: Transaction, request: Request, report: Report, *, kept: bool
) -> tuple[Link, ...]:
    """Store what an attempt found out about links and return them."""
    name, entity, new = request.hosted.name, report.job.claim.entity, report.attempt.links
    if new and not kept:  # late: what others have found out since is worth more, except for nothing
        known = links.get_many(tx, entity.organization, name, [link.resource_id for link in new])
        new = tuple(link for link in new if link.resource_id not in known)
    if new:
        moved = links.put(tx, entity.organization, name, new)
        if moved:
            since = report.job.claim.at
            claims.revisit_groups(tx, name, entity.organization, moved, since=since)
    return new


def _next_state(tx: Transaction, request: Request, report: Report, outcome: Outcome) -> NextState:
    claim, attempt = report.job.claim, report.attempt
    look = claim.look
    if isinstance(outcome, Applied) and not attempt.looked:
        look = Look.TRUST  # it cannot look, so there is nothing to verify either
    elif attempt.unsure:
        look = max(look, Look.ONCE)
    waits = isinstance(outcome, Defer) or (isinstance(outcome, Applied) and outcome.awaits)
    overdue = waits and claim.deferred_seconds >= DEFER_LIMIT_SECONDS
    standing = Standing(
        applied=claim.applied,
        attempts=claim.attempts,
        look=look,
        deferred_seconds=claim.deferred_seconds,
        dependency_coming=overdue
        and claims.coming(tx, claim.backend, claim.entity.organization, attempt.missing),
        silent=report.silent,
    )
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    return next_state(standing, outcome, request.hosted.type.schedule, jitter)


def _circuit(tx: Transaction, request: Request, settled: Sequence[Settled]) -> Turn:
    name = request.hosted.name
    telling = [one for one in settled if one.report.evidence]
    for one in telling:
        if one.state is not None and one.state.opens_circuit:
            outcome = one.report.attempt.outcome
            asked = outcome.delay_seconds if isinstance(outcome, BackendDown) else None
            reason = one.state.error or ""
            opened = backends.open_circuit(tx, name, reason, asked)
            return Turn(settled, proven=False, down=reason, opened=opened)
    if any(one.report.attempt.answered for one in telling):
        return Turn(settled, closed=backends.close_circuit(tx, name))
    if telling and not request.proven:
        backends.give_back_probe(tx, name)
    return Turn(settled, proven=request.proven)
