"""A turn: the one transaction in which a lane writes down what is done and claims what is due.

Rule: a receipt's links, the cursor, the circuit and the next claims are committed together or not
at all; what a lane holds in memory follows the commit, never the reverse.
"""

import random
import time
from collections.abc import Sequence

import attrs

from bridge.codec import from_micros
from bridge.core.backend import Link
from bridge.core.changes import Cause
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
from bridge.core.errors import BackendDown, Defer, InDoubt, Park, RetryLater
from bridge.core.resources import Entity
from bridge.engine.attempt import Attempt, Moving, Undone
from bridge.engine.inbox import Job
from bridge.hosting import HostedBackend
from bridge.journal import attempts, backends, claims, dependents, links, passwords, tenants
from bridge.journal.attempts import Tried
from bridge.journal.backends import BackendRow
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
    since it started or since its circuit opened; `stopping`, that no claim may go on; `sweeping`,
    that it is time to delete attempts that have expired.
    """

    hosted: HostedBackend
    worker: str
    reports: Sequence[Report]
    room: int
    proven: bool
    stopping: bool
    sweeping: bool = False


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
    `disabled` is why the backend has been given up until a person resumes it.
    """

    settled: Sequence[Settled]
    claims: Sequence[Claim] = ()
    due_seconds: float | None = None
    proven: bool = True
    down: str | None = None
    opened: bool = False
    closed: bool = False
    disabled: str | None = None


def take_turn(tx: Transaction, request: Request) -> Turn:
    """Settle what is reported, open or close the circuit, and claim what is due."""
    name, lease_seconds = request.hosted.name, request.hosted.lease_seconds
    if request.sweeping:
        attempts.sweep(tx)
    in_order = sorted(request.reports, key=_place)  # locks are taken as every writer takes them
    settled = [_settle(tx, request, report) for report in in_order]
    attempts.keep(tx, _tried(tx, request, settled))
    row = backends.get(tx, name)
    turn = _disabling(tx, request, row, settled) or _circuit(tx, request, settled)
    if turn.closed or not turn.proven:  # then it is not what it was
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
    elif row.state not in (backends.PAUSED, backends.DISABLED) and len(found) < request.room:
        due_at = claims.next_due(tx, name)
    due_seconds = None if due_at is None else max(0.0, (due_at - tx.now) / 1e6)
    return attrs.evolve(turn, claims=found, due_seconds=due_seconds)


def _place(report: Report) -> tuple[str, str]:
    entity = report.job.claim.entity
    return entity.organization, entity.id


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
    if attempt.adopted and kept:
        _tell_adopted(tx, name, entity, new)
    if attempt.ended:
        links.mark_gone(tx, entity.organization, name, entity.id)
    if left is not None:
        own = next((link for link in new if link.resource_id == entity.id), job.claim.link)
        left = attrs.evolve(left, link=own)
    return Settled(report, state, goes_on=left if kept else None)


def _tell_adopted(tx: Transaction, name: str, entity: Entity, found: Sequence[Link]) -> None:
    cause = Cause(f"backend:{name}", "", from_micros(tx.now))
    for link in found:
        detail = {"backend": name, "target_id": link.target_id, "name": link.name}
        target = f"{entity.type}/{entity.id}"
        tenants.audit(tx, entity.organization, cause, "link.adopted", target, detail)


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
            dependents.revisit_groups(tx, name, entity.organization, moved, since=since)
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
        and dependents.coming(tx, claim.backend, claim.entity.organization, attempt.missing),
        silent=report.silent,
    )
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    return next_state(standing, outcome, request.hosted.type.schedule, jitter)


def _tried(tx: Transaction, request: Request, settled: Sequence[Settled]) -> list[Tried]:
    """Return the attempts that are to be kept: those that failed, or were answered in words."""
    kept = []
    for one in settled:
        job, attempt, outcome = one.report.job, one.report.attempt, one.report.attempt.outcome
        if isinstance(outcome, Undone | Moving | Defer):
            continue
        if isinstance(outcome, Applied) and not attempt.answer:
            continue
        kept.append(
            Tried(
                backend=request.hosted.name,
                entity=job.claim.entity,
                version=outcome.version if isinstance(outcome, Applied) else job.claim.applied + 1,
                at=tx.now - round((time.monotonic() - job.started) * 1e6),
                micros=round(attempt.seconds * 1e6),
                outcome=type(outcome).__name__,
                reason=None if isinstance(outcome, Applied) else outcome.reason,
                answer=attempt.answer or None,
            )
        )
    return kept


def _disabling(
    tx: Transaction, request: Request, row: BackendRow | None, settled: Sequence[Settled]
) -> Turn | None:
    """Disable a backend that wants nothing more, or has taken nothing for too long."""
    limit = request.hosted.type.schedule.disables_after_seconds
    asked = [one.state.error for one in settled if one.state is not None and one.state.disables]
    if row is None or row.state == backends.DISABLED or not (asked or limit is not None):
        return None
    reason = asked[0] if asked else None
    if limit is not None and reason is None:
        outcomes = [
            one.report.attempt.outcome
            for one in settled
            if one.report.evidence and _was_sent(one.report.attempt)
        ]
        if any(isinstance(outcome, Applied) for outcome in outcomes):
            backends.note_failing(tx, row, failing=False)
        elif outcomes and backends.note_failing(tx, row, failing=True) >= limit:
            reason = f"Nothing was taken for {limit / 86_400:g} days."
    if reason is None:
        return None
    backends.disable(tx, row.name, reason)
    cause = Cause("engine", "", from_micros(tx.now))
    for organization in tenants.list_organizations(tx):
        tenants.audit(tx, organization.id, cause, "backend.disable", f"backend/{row.name}", {})
    return Turn(settled, proven=False, down=reason, disabled=reason)


def _was_sent(attempt: Attempt) -> bool:
    if isinstance(attempt.outcome, BackendDown):
        return True
    counted = isinstance(attempt.outcome, Applied | RetryLater | InDoubt | Park)
    return counted and attempt.wrote


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
