"""The dispatcher: one lane per configured backend, started and stopped together.

Rule: lanes know nothing of each other; a backend that is slow, down or broken delays nobody else.
"""

import asyncio
import os
import socket
from collections.abc import Sequence

from bridge.core.errors import OperatorError
from bridge.engine.dispatch import Dispatch, Local, Notices
from bridge.engine.follower import Follower
from bridge.engine.lane import Figures, Lane
from bridge.hosting import HostedBackend
from bridge.journal import backends, claims, passwords, taking
from bridge.journal.store import Journal, Transaction


class Dispatcher:
    """Delivers what the journal holds to every one of `hosted`, and follows changes of access.

    With `deliver` False it only sees to it that they miss nothing: other processes deliver.
    One event loop runs it and calls its methods.
    """

    def __init__(
        self, journal: Journal, hosted: Sequence[HostedBackend], *, deliver: bool = True
    ) -> None:
        self._journal = journal
        self._hosted = hosted
        self._dispatch: Dispatch = Local() if journal.alone else Notices(journal)
        worker = f"{socket.gethostname()}:{os.getpid()}"
        self._lanes = {one.name: Lane(journal, one, worker) for one in hosted if deliver}
        self._follower = Follower(journal, self._wake_lanes)

    async def run(self) -> None:
        """Deliver until `stop`. A backend that is new here starts with every live resource.

        Alone on its journal, it ends the leases of the process before it; among others it lets
        them run out.
        Raises OperatorError BRG-ENGINE-001 for a name that belonged to another type of backend.
        """
        await self._journal.write(self._enrol)
        news = asyncio.create_task(self._dispatch.run(self._look))
        lanes = (lane.run() for lane in self._lanes.values())
        try:
            await asyncio.gather(self._follower.run(), *lanes)
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)

    def wake(self) -> None:
        """Have every lane, of every process, look for work now: something was written."""
        self._dispatch.wake()

    async def stop(self, grace_seconds: float) -> bool:
        """Hand back what waits and finish what is under way; False where the grace ran out.

        What is under way then keeps its lease: whoever finds it looks at the target first.
        """
        self._follower.stop()
        for lane in self._lanes.values():
            lane.stop()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._follower.closed()
                await asyncio.gather(*(lane.closed() for lane in self._lanes.values()))
        except TimeoutError:
            return False
        return True

    def figures(self) -> dict[str, Figures]:
        """Return the figures of every lane by backend name."""
        return {name: lane.figures() for name, lane in self._lanes.items()}

    def _look(self) -> None:
        self._follower.wake()
        self._wake_lanes()

    def _wake_lanes(self) -> None:
        for lane in self._lanes.values():
            lane.wake()

    def _enrol(self, tx: Transaction) -> None:
        for one in self._hosted:
            known = backends.get(tx, one.name)
            if known and known.state != backends.REMOVED and known.type != one.type.name:
                raise OperatorError(
                    "BRG-ENGINE-001",
                    f'Backend "{one.name}" was of type {known.type} and is configured as '
                    f"{one.type.name}.",
                    f"Give the new one another name, or `bridge backend remove {one.name}` first.",
                )
            backends.add(tx, one.name, one.type.name)
            taking.set_untaken(tx, one.name, one.untaken)
            if self._journal.alone:
                claims.clear_leases(tx, one.name)
        passwords.set_takers(tx, {one.name: one.sealer is not None for one in self._hosted})
