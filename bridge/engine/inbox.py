"""What waits for a lane's slots, handed out one at a time or, where that is as safe, together.

Rule: what is handed out together is light and has had no trouble yet; all else goes alone, so that
nothing can hold up the same others twice.
"""

import threading
from collections import deque

import attrs

from bridge.core.backend import Observed
from bridge.core.delivery import Look
from bridge.core.resources import Entity
from bridge.journal.claims import Claim

TOGETHER = 64
"""Plans that a backend is given at once, if it takes more than one."""

LIGHT_CHARACTERS = 16_000
"""Stored text of the changes of a claim that goes together with others, at most."""


@attrs.define(eq=False)
class Job:
    """A claim on its way through a lane.

    `ends` and `started` are seconds of the monotonic clock: when the lease ends, and when a slot
    began. `round` counts how often the lane has opened its circuit: what began in an earlier
    round says nothing about this one. `seen` is the first of two readings. `lead` is the first
    entity of those that were attempted together.
    """

    claim: Claim
    ends: float
    round: int
    seen: Observed | None = None
    started: float = 0.0
    lead: Entity | None = None

    @property
    def light(self) -> bool:
        """Whether it may go together with others."""
        claim = self.claim
        fresh = claim.look is Look.TRUST and not claim.attempts and claim.password is None
        return fresh and 0 < claim.characters <= LIGHT_CHARACTERS  # 0: history is gone


class Inbox:
    """A queue of jobs between a lane's loop and its slots' threads."""

    def __init__(self) -> None:
        self._jobs: deque[Job | None] = deque()
        self._filled = threading.Condition()

    def put(self, job: Job | None) -> None:
        """Add a job, or None: one slot is to end."""
        with self._filled:
            self._jobs.append(job)
            self._filled.notify()

    def qsize(self) -> int:
        """Return how many wait."""
        return len(self._jobs)

    def take(self, slots: int, together: int) -> list[Job]:
        """Wait for a job and return it; none where the slot is to end.

        Up to `together` light ones are returned at once, and no more than a fair share of what
        waits for so many `slots`.
        """
        with self._filled:
            while not self._jobs:
                self._filled.wait()
            share = min(together, -(-len(self._jobs) // slots))
            first = self._jobs.popleft()
            if first is None:
                return []
            taken = [first]
            while first.light and len(taken) < share:
                following = self._jobs[0]
                if following is None or not following.light:
                    break
                taken.append(following)
                self._jobs.popleft()
            return taken
