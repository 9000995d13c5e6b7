"""A slot: one thread and the one backend instance that only this thread touches.

Rule: a thread cannot be stopped. One that overran is left behind with its backend and replaced;
what it reports later is still a report, and its lost lease tells that it is late.
"""

import contextlib
import threading
import time
from collections.abc import Callable

import attrs

from bridge.core.backend import Backend, Batcher, Observer
from bridge.core.errors import BackendDown, InDoubt
from bridge.engine.attempt import Attempt, Undone, attempt, outcome_of, unexpected
from bridge.engine.inbox import TOGETHER, Inbox, Job
from bridge.engine.together import attempt_together
from bridge.hosting import HostedBackend
from bridge.journal.store import Journal


@attrs.define
class Shared:
    """What a lane and its slots share. `report` is called in the slot's thread.

    `together` is how many plans the backend is given at once; a slot that has opened it knows.
    """

    journal: Journal
    hosted: HostedBackend
    report: Callable[[Job, Attempt], None]
    inbox: Inbox = attrs.field(factory=Inbox)
    round: int = 0
    together: int = 1
    stopping: bool = False

    @property
    def deadline_seconds(self) -> float:
        """How long one attempt may take."""
        return self.hosted.lease_seconds / 3


class Slot:
    """One thread that takes jobs from the lane's inbox until it is to end or is abandoned."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._backend: Backend | None = None
        self._observer: Observer | None = None
        self._round = 0
        self._gate = threading.Lock()
        self._jobs: list[Job] = []
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
        jobs = self._jobs
        return jobs[0].started if jobs else None

    def abandon(self, before: float) -> list[Job]:
        """Give up on an attempt that began before then; return its jobs, none where there is none.

        What is attempted together has one deadline together.
        """
        with self._gate:
            jobs = self._jobs
            if self._abandoned or not jobs or jobs[0].started >= before:
                return []
            self._abandoned = True
            return jobs

    def _work(self) -> None:
        shared = self._shared
        while not self._abandoned and (
            jobs := shared.inbox.take(shared.hosted.slots, shared.together)
        ):
            started = time.monotonic()
            for job in jobs:
                job.started, job.lead = started, jobs[0].claim.entity
            with self._gate:
                self._jobs = jobs
            results = self._attempts(jobs)
            seconds = time.monotonic() - started
            with self._gate:
                self._jobs = []
            for job, result in zip(jobs, results, strict=True):
                shared.report(job, attrs.evolve(result, seconds=seconds))
        self._drop()

    def _attempts(self, jobs: list[Job]) -> list[Attempt]:
        shared = self._shared
        least = jobs[0].started + shared.deadline_seconds
        good = [job for job in jobs if job.ends >= least and job.round == shared.round]
        if shared.stopping or not good:
            return [Attempt(Undone())] * len(jobs)
        if self._round != shared.round:  # the circuit was open: what is left of it proves nothing
            self._drop()
        self._round = shared.round
        if (failed := self._opened()) is not None:
            results = [failed] * len(good)
        else:
            results = self._tried(good)
        if any(isinstance(r.outcome, BackendDown | InDoubt) or r.unsure for r in results):
            self._drop()
        tried = dict(zip(map(id, good), results, strict=True))
        return [tried.get(id(job), Attempt(Undone())) for job in jobs]

    def _opened(self) -> Attempt | None:
        """Open the backend unless it is; return how the attempt ended where that fails."""
        shared = self._shared
        if self._backend is not None:
            return None
        try:
            backend = self._backend = shared.hosted.open()
        except BackendDown as error:
            return Attempt(outcome_of(error))
        except BaseException as error:  # noqa: BLE001 - a plugin's SystemExit is not ours
            return Attempt(BackendDown(unexpected(error)))
        self._observer = backend if isinstance(backend, Observer) else None
        shared.together = TOGETHER if isinstance(backend, Batcher) else 1
        return None

    def _tried(self, jobs: list[Job]) -> list[Attempt]:
        shared, backend = self._shared, self._backend
        if backend is None:
            return []
        single = not shared.hosted.type.coalesces
        sealer, disclose = shared.hosted.sealer, shared.hosted.disclose
        if len(jobs) > 1 and isinstance(backend, Batcher):
            claims = [job.claim for job in jobs]
            return attempt_together(
                backend, shared.journal, claims, single=single, disclose=disclose
            )
        return [
            attempt(
                backend,
                self._observer,
                shared.journal,
                job.claim,
                single=single,
                seen=job.seen,
                sealer=sealer,
                disclose=disclose,
            )
            for job in jobs
        ]

    def _drop(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            with contextlib.suppress(BaseException):  # it is gone either way
                backend.close()
