"""Dispatch: how those who deliver learn that something was written, here or in another process.

A notice that is lost, doubled or late costs time and nothing else: lanes look by themselves every
half second, and what they find is decided in the journal.

Rule: a notice says that there is something, never what.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from bridge.journal.store import Journal

NOTICE_SECONDS = 0.01
"""What is written within this time is one notice to the other processes."""


class Dispatch(Protocol):
    """One event loop runs it and calls its methods."""

    def wake(self) -> None:
        """Tell everybody who delivers that something was written here."""

    async def run(self, handler: Callable[[], None]) -> None:
        """Call `handler` whenever something may have been written, until cancelled."""


class Local:
    """For the one process of an embedded journal."""

    def __init__(self) -> None:
        self._handler: Callable[[], None] = lambda: None

    def wake(self) -> None:
        self._handler()

    async def run(self, handler: Callable[[], None]) -> None:
        self._handler = handler
        await asyncio.Event().wait()


class Notices:
    """For many processes on one database: its own notices, where it can be listened to."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._handler: Callable[[], None] = lambda: None
        self._written = asyncio.Event()
        self._over = False

    def wake(self) -> None:
        self._handler()
        self._written.set()

    async def run(self, handler: Callable[[], None]) -> None:
        self._handler = handler
        loop = asyncio.get_running_loop()

        def heard() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(handler)

        listening = asyncio.create_task(
            asyncio.to_thread(self._journal.listen, heard, lambda: self._over)
        )
        try:
            while True:
                await self._written.wait()
                self._written.clear()
                await asyncio.to_thread(self._journal.notify)
                await asyncio.sleep(NOTICE_SECONDS)
        finally:
            self._over = True
            await asyncio.gather(listening, return_exceptions=True)
