"""The follower: works off the marks that changes of grants, groups and users leave behind.

Any number of processes may run one; each step holds what it works on.

Rule: a step is short, and between two steps everybody else may write.
"""

import asyncio
from collections.abc import Callable

import structlog

from bridge.core.errors import Unavailable
from bridge.journal import following
from bridge.journal.store import Journal

POLL_SECONDS = 0.5
"""How long a follower rests at most: what another process writes wakes nobody."""

REST_SECONDS = 1.0
"""How long a follower rests after the journal refused, or a step failed."""

_log = structlog.stdlib.get_logger("bridge.engine")


class Follower:
    """Follows marks until it is stopped; `written` is called after every step."""

    def __init__(self, journal: Journal, written: Callable[[], None]) -> None:
        self._journal = journal
        self._written = written
        self._stopping = False
        self._woken = asyncio.Event()
        self._over = asyncio.Event()
        self._over.set()

    async def run(self) -> None:
        """Follow what waits, and wait for more, until `stop`."""
        self._over.clear()
        try:
            while not self._stopping:
                self._woken.clear()
                if not await self._step():
                    await self._pause(POLL_SECONDS)
        finally:
            self._over.set()

    def wake(self) -> None:
        """Look for marks now."""
        self._woken.set()

    def stop(self) -> None:
        """End after the step under way."""
        self._stopping = True
        self._woken.set()

    async def closed(self) -> None:
        """Return once nothing runs any more."""
        await self._over.wait()

    async def _step(self) -> bool:
        try:
            if not await self._journal.read(following.waiting):
                return False
            followed = await self._journal.write(following.follow)
        except Unavailable as error:
            _log.warning("access cannot be followed now", reason=error.detail)
            await self._pause(REST_SECONDS)
            return True
        if followed:
            self._written()
        return followed

    async def _pause(self, seconds: float) -> None:
        if self._stopping:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
