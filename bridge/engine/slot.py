"""A slot: one thread and the one backend instance that only this thread touches.

Rule: a thread cannot be stopped. One that overran is left behind with its backend and replaced;
what it reports later is still a report, and its lost lease tells that it is late.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import attrs

from bridge.core.backend import Backend, Observed, Observer
from bridge.core.errors import BackendDown, InDoubt
from bridge.engine.attempt import Attempt, Undone, attempt, outcome_of, unexpected
from bridge.hosting import HostedBackend
from bridge.journal.claims import Claim
from bridge.journal.store import Journal


@attrs.define(eq=False)
class Job:
    """A claim on its way through a lane.

    `ends` and `started` are seconds of the monotonic clock: when the lease ends, and when a slot
    began. `round` counts how often the lane has opened its circuit: what began in an earlier
    round says nothing about this one. `seen` is the first of two readings.
    """

    claim: Claim
    ends: float
    round: int
    seen: Observed | None = None
    started: float = 0.0
    abandoned: bool = False


@attrs.define
class Shared:
    """What a lane and its slots share. `report` is called in the slot's thread."""

    journal: Journal
    hosted: HostedBackend
    report: Callable[[Job, Attempt], None]
    inbox: "SimpleQueue[Job | None]" = attrs.field(factory=SimpleQueue)
    round: int = 0
    stopping: bool = False

    @property
    def deadline_seconds(self) -> float:
        """How long one attempt may take."""
        return self.hosted.lease_seconds / 3


class Slot:
    """One thread that takes jobs from the lane's inbox until it finds None or is abandoned."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._backend: Backend | None = None
        self._observer: Observer | None = None
        self._round = 0
        self._gate = threading.Lock()
        self._job: Job | None = None
        self._abandoned = False
        self._thread = threading.Thread(
            target=self._work, name=f"deliver-{shared.hosted.name}", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def busy_since(self) -> float | None:
        """When the present attempt began (monotonic seconds), or None."""
        job = self._job
        return job.started if job else None

    def abandon(self, before: float) -> Job | None:
        """Give up on an attempt that began before then; return its job, or None for none."""
        with self._gate:
            job = self._job
            if self._abandoned or job is None or job.started >= before:
                return None
            self._abandoned = job.abandoned = True
            return job

    def _work(self) -> None:
        shared = self._shared
        while not self._abandoned and (job := shared.inbox.get()) is not None:
            job.started = time.monotonic()
            with self._gate:
                self._job = job
            result = self._attempt(job)
            result = attrs.evolve(result, seconds=time.monotonic() - job.started)
            with self._gate:
                self._job = None
            shared.report(job, result)
        self._drop()

    def _attempt(self, job: Job) -> Attempt:
        shared = self._shared
        too_late = job.started + shared.deadline_seconds > job.ends
        if too_late or shared.stopping or job.round != shared.round:
            return Attempt(Undone())
        if self._round != shared.round:  # the circuit was open: what is left of it proves nothing
            self._drop()
        self._round = shared.round
        if self._backend is None:
            try:
                backend = self._backend = shared.hosted.open()
            except BackendDown as error:
                return Attempt(outcome_of(error))
            except BaseException as error:  # noqa: BLE001 - a plugin's SystemExit is not ours
                return Attempt(BackendDown(unexpected(error)))
            self._observer = backend if isinstance(backend, Observer) else None
        result = attempt(
            self._backend,
            self._observer,
            shared.journal,
            job.claim,
            single=not shared.hosted.type.coalesces,
            seen=job.seen,
            sealer=shared.hosted.sealer,
            disclose=shared.hosted.disclose,
        )
        if isinstance(result.outcome, BackendDown | InDoubt) or result.unsure:
            self._drop()
        return result

    def _drop(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            with contextlib.suppress(BaseException):  # it is gone either way
                backend.close()
