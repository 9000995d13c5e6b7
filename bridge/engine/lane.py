"""A lane: everything that is on its way to one backend.

    turn (one transaction: settle, claim) ─▶ inbox ─▶ slots ─▶ reports ─▶ turn …

One coroutine takes turns as long as something is reported or due, and rests otherwise. Nothing is
kept here beyond three claims per slot: the journal is the buffer.

Rule: an entity is in the lane at most once, from its claim to its settling; that is its order.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from functools import partial

import attrs
import structlog

from bridge.core.delivery import SETTLED_SECONDS, Applied
from bridge.core.errors import BackendDown, InDoubt, RetryLater, Unavailable
from bridge.core.resources import Entity
from bridge.engine.attempt import Attempt, Moving, unexpected
from bridge.engine.inbox import TOGETHER, Job
from bridge.engine.slot import Shared, Slot
from bridge.engine.turn import Report, Request, Settled, Turn, take_turn
from bridge.hosting import HostedBackend
from bridge.journal.store import Journal

CLAIMS_PER_SLOT = 3
"""Claims in a lane for each slot: one at work, two that wait so that no slot does."""

POLL_SECONDS = 0.5
"""How long a lane rests at most: what another process writes wakes nobody."""

LEAST_REST_SECONDS = 0.001
"""How long a lane rests at least when nothing is reported: what is due may be locked elsewhere."""

JOURNAL_REST_SECONDS = 1.0
"""How long a lane rests when the journal cannot be written."""

GATHER_SECONDS = 0.005
"""How long a success waits at most for others to be settled with it, while every slot has work."""

SWEEP_SECONDS = 600.0
"""How often a lane deletes attempts that have expired."""

ABANDONED_LIMIT = 32
"""Threads that a backend may leave hanging before it gets no more work."""

BROKEN_LIMIT = 5
"""Resources that a plugin breaks on, with no answer in between, before its circuit opens."""

log = structlog.get_logger("bridge.engine")


@attrs.frozen
class Figures:
    """A lane now and since it started: `outcomes` counts attempts by how they ended."""

    slots: int
    busy: int
    in_flight: int
    capacity: int
    abandoned: int
    circuit_opened: int
    outcomes: dict[str, int]


class Lane:
    """Delivers to one backend until it is stopped."""

    def __init__(self, journal: Journal, hosted: HostedBackend, worker: str) -> None:
        self._journal = journal
        self._hosted = hosted
        self._worker = worker
        self._shared = Shared(journal, hosted, self._report)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._reports: deque[tuple[Job, Attempt]] = deque()
        self._reported = False
        self._in_flight: set[Job] = set()
        self._slots: list[Slot] = []
        self._abandoned: list[Slot] = []
        self._proven = False
        self._down = False
        self._answered_at = 0.0
        self._unanswered: set[Entity] = set()  # leads of what is in doubt since the last answer
        self._broken: set[Entity] = set()  # leads of what the plugin broke on since then
        self._opened = 0
        self._sweeps_at = 0.0
        self._outcomes: Counter[str] = Counter()

    def figures(self) -> Figures:
        """Return the lane's figures, for metrics."""
        return Figures(
            slots=self._hosted.slots,
            busy=sum(slot.busy_since is not None for slot in self._slots),
            in_flight=len(self._in_flight),
            capacity=self._capacity(),
            abandoned=sum(slot.alive for slot in self._abandoned),
            circuit_opened=self._opened,
            outcomes=dict(self._outcomes),
        )

    def wake(self) -> None:
        """Look for work now, if there is room for it; called in the loop's thread."""
        if self._room() > 0:
            self._awake.set()

    def stop(self) -> None:
        """Take nothing new, hand back what waits, and finish what is under way."""
        self._shared.stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Deliver until `stop` was called and nothing is in flight."""
        self._loop = asyncio.get_running_loop()
        self._slots = [Slot(self._shared) for _ in range(self._hosted.slots)]
        try:
            while not self._shared.stopping or self._in_flight:
                await self._rest(await self._turn())
        finally:
            for _ in self._slots:
                self._shared.inbox.put(None)

    async def closed(self) -> None:
        """Wait until every slot has closed its backend."""
        # Joining in an executor would leave the process hanging on a thread that never ends.
        while any(slot.alive for slot in self._slots):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def _report(self, job: Job, attempt: Attempt) -> None:
        # In a slot's thread. Waking the loop costs a system call, so only the first one does that
        # cannot wait; the others are found by the rest that is short while something is in flight.
        self._reports.append((job, attempt))
        busy = self._shared.inbox.qsize() >= self._hosted.slots
        if busy and isinstance(attempt.outcome, Applied):
            return
        if not self._reported and self._loop is not None:
            self._reported = True
            with contextlib.suppress(RuntimeError):  # the loop is gone: so is who would read it
                self._loop.call_soon_threadsafe(self._awake.set)

    async def _rest(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._reports and (left := ends - time.monotonic()) > 0:
            pause = min(left, GATHER_SECONDS) if self._in_flight else left
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._awake.wait()
                    break
        self._awake.clear()

    async def _turn(self) -> float:
        """Take one turn and return how many seconds to rest."""
        self._abandon_overrun()
        reports = self._collect()
        request = Request(
            hosted=self._hosted,
            worker=self._worker,
            reports=reports,
            room=self._room() + len(reports),
            proven=self._proven,
            stopping=self._shared.stopping,
            sweeping=time.monotonic() >= self._sweeps_at,
        )
        began = time.monotonic()
        try:
            turn = await self._journal.write(partial(take_turn, request=request))
        except Exception as error:  # noqa: BLE001 - a lane that ends delivers nothing any more
            self._put_back(reports, error)
            await asyncio.sleep(JOURNAL_REST_SECONDS)
            return 0.0
        if request.sweeping:
            self._sweeps_at = began + SWEEP_SECONDS
        was_proven, ends = self._proven, began + self._hosted.lease_seconds
        self._follow(turn, ends)
        for claim in turn.claims:
            job = Job(claim, ends, self._shared.round)
            self._in_flight.add(job)
            self._shared.inbox.put(job)
        if turn.proven and not was_proven:
            return 0.0  # there is room for more now
        due = POLL_SECONDS if turn.due_seconds is None else turn.due_seconds
        return max(min(due, POLL_SECONDS), LEAST_REST_SECONDS)

    def _room(self) -> int:
        if sum(slot.alive for slot in self._abandoned) >= ABANDONED_LIMIT:
            return 0
        room = (self._capacity() if self._proven else 1) - len(self._in_flight)
        return min(room, self._hosted.slots * CLAIMS_PER_SLOT + TOGETHER)

    def _capacity(self) -> int:
        """Claims that the lane takes: more for what goes together, while all of it is light."""
        slots, together = self._hosted.slots, self._shared.together
        if together > 1 and all(job.light for job in self._in_flight):
            return slots * (CLAIMS_PER_SLOT + together)
        return slots * CLAIMS_PER_SLOT

    def _collect(self) -> list[Report]:
        self._reported = False  # first, so that a report from now on wakes the loop
        found: list[Report] = []
        told: set[Job] = set()
        while self._reports:
            job, attempt = self._reports.popleft()
            late = job in told or job not in self._in_flight
            told.add(job)
            evidence = not late and job.round == self._shared.round
            if evidence:
                attempt = self._judged(job, attempt)
            silent = self._is_silent(job, attempt)
            found.append(Report(job, attempt, silent=silent, evidence=evidence))
        return found

    def _judged(self, job: Job, attempt: Attempt) -> Attempt:
        """Return the attempt, ended as BackendDown where the plugin breaks on all it is given.

        What was attempted together counts once: one change may have broken all of it.
        """
        if attempt.answered:
            self._broken.clear()
        if not attempt.broke or not isinstance(attempt.outcome, RetryLater):
            return attempt
        if len(self._broken) < BROKEN_LIMIT:
            self._broken.add(job.lead or job.claim.entity)
        if len(self._broken) < BROKEN_LIMIT:
            return attempt
        return attrs.evolve(attempt, outcome=BackendDown(attempt.outcome.reason))

    def _is_silent(self, job: Job, attempt: Attempt) -> bool:
        if not isinstance(attempt.outcome, InDoubt) or self._answered_at > job.started:
            return False
        self._unanswered.add(job.lead or job.claim.entity)
        return self._down or len(self._unanswered) > 1

    def _put_back(self, reports: list[Report], error: Exception) -> None:
        unavailable = isinstance(error, Unavailable)
        log.error("turn_failed", backend=self._hosted.name, exc_info=None if unavailable else error)
        for report in reversed(reports):
            attempt = report.attempt
            if not unavailable:  # one of them cannot be stored as it is
                kind = InDoubt if attempt.wrote else RetryLater
                attempt = Attempt(kind(unexpected(error)), wrote=attempt.wrote)
            self._reports.appendleft((report.job, attempt))

    def _follow(self, turn: Turn, ends: float) -> None:
        """Do in memory what the turn has committed."""
        self._proven = turn.proven
        for one in turn.settled:
            self._follow_one(one, ends)
        self._down = not turn.proven and (self._down or turn.down is not None)
        if turn.down is not None:
            self._shared.round += 1
        if turn.disabled is not None:
            log.error(
                "backend_disabled",
                backend=self._hosted.name,
                reason=turn.disabled,
                next_step=f"bridge backend resume {self._hosted.name}",
            )
        if turn.opened:
            self._opened += 1
            log.error("circuit_opened", backend=self._hosted.name, reason=turn.down)
        if turn.closed:
            log.info("circuit_closed", backend=self._hosted.name)

    def _follow_one(self, settled: Settled, ends: float) -> None:
        job, attempt = settled.report.job, settled.report.attempt
        self._outcomes[type(attempt.outcome).__name__] += 1
        if settled.report.evidence and attempt.answered:
            self._answered_at = time.monotonic()
            self._unanswered.clear()
        if settled.goes_on is None:
            self._in_flight.discard(job)
        elif isinstance(attempt.outcome, Moving):
            job.ends, job.seen = ends + SETTLED_SECONDS, attempt.outcome.observed
            asyncio.get_running_loop().call_later(SETTLED_SECONDS, self._shared.inbox.put, job)
        else:
            job.claim, job.ends, job.seen = settled.goes_on, ends, None
            self._shared.inbox.put(job)
        if settled.state is not None and settled.state.parked:
            log.warning(
                "delivery_parked",
                backend=self._hosted.name,
                entity=f"{job.claim.entity.type}/{job.claim.entity.id}",
                reason=settled.state.error,
            )

    def _abandon_overrun(self) -> None:
        deadline = self._shared.deadline_seconds
        before = time.monotonic() - deadline
        for position, slot in enumerate(self._slots):
            jobs = slot.abandon(before)
            if jobs:
                log.warning("slot_abandoned", backend=self._hosted.name, seconds=deadline)
                self._slots[position] = Slot(self._shared)
                self._abandoned = [*(old for old in self._abandoned if old.alive), slot]
                reason = f"No answer within {deadline:g} s."
                in_doubt = Attempt(InDoubt(reason), wrote=True, seconds=deadline)
                self._reports.extend((job, in_doubt) for job in jobs)
