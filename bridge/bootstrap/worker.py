"""The process that only delivers: any number of them beside processes that serve.

Rule: a signal to stop is obeyed once: deliveries under way end or go back, exit code 0.
"""

import asyncio
import signal
from collections.abc import Callable, Collection

import structlog
import uvloop

from bridge.bootstrap.assembly import working
from bridge.config import Loaded
from bridge.engine.dispatcher import Dispatcher

_STOP = (signal.SIGTERM, signal.SIGINT)

_log = structlog.stdlib.get_logger("bridge")


def work(loaded: Loaded, names: Collection[str], ready: Callable[[], None]) -> None:
    """Deliver to the backends of these names, or to all for none, until a signal to stop.

    Raises OperatorError when the journal or a plugin cannot be used, and whatever ended delivering.
    """
    with working(loaded, names) as dispatcher:
        grace_seconds = loaded.configuration.server.stop_seconds
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_deliver(dispatcher, grace_seconds, ready))
    _log.info("stopped")


async def _deliver(dispatcher: Dispatcher, grace_seconds: float, ready: Callable[[], None]) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in _STOP:
        loop.add_signal_handler(number, asked.set)
    delivering = asyncio.create_task(dispatcher.run())
    stopping = asyncio.create_task(asked.wait())
    ready()
    await asyncio.wait([delivering, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not delivering.done() and not await dispatcher.stop(grace_seconds):
        _log.warning("deliveries were still under way; they are looked at when their lease ends")
        return
    await delivering
