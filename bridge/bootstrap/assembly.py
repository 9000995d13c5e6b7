"""A bridge, put together: journal, backends, dispatcher, front ends.

Rule: parts are made here and handed what they need; no part looks another one up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from traceback import format_tb

import attrs
import structlog
from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from bridge import admin, console
from bridge.auth.admins import AdminAuthenticator
from bridge.auth.failures import Failures
from bridge.auth.tokens import Authenticator
from bridge.bootstrap.front import Front
from bridge.config import Guard, Loaded
from bridge.core.errors import OperatorError, ScimError
from bridge.engine.dispatcher import Dispatcher
from bridge.hosting import HostedBackend, host
from bridge.journal import backends, holds
from bridge.journal.holds import Limits
from bridge.journal.store import Journal, open_configured
from bridge.operations.access import AccessLog, Routes, naming
from bridge.operations.metrics import BackendGauges, DeliveryCounts, Metrics
from bridge.operations.status import PATHS, backend_figures, status_router
from bridge.scim import ScimSettings, scim_application
from bridge.sealing import Sealer

SCIM = "/scim/v2"

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

_log = structlog.stdlib.get_logger("bridge")


class Bridge:
    """One running bridge: `app` answers and, while its ASGI lifespan is on, delivers.

    `stop` asks whoever serves `app` to end; it is called when delivering fails, and `failure` is
    why. `full` is asked for whether there are too many connections.
    """

    def __init__(
        self, loaded: Loaded, journal: Journal, hosted: list[HostedBackend], *, deliver: bool
    ) -> None:
        self.journal = journal
        self.failure: BaseException | None = None
        self.stop: Callable[[], None] = lambda: None
        self.full: Callable[[], bool] = lambda: False
        self._grace_seconds = loaded.configuration.server.stop_seconds / 2
        self._dispatcher = Dispatcher(journal, hosted, deliver=deliver)
        self.app = self._application(loaded, journal)

    def _application(self, loaded: Loaded, journal: Journal) -> ASGIApp:
        server, registry = loaded.configuration.server, loaded.registry
        metrics = Metrics()
        metrics.registry.register(BackendGauges(lambda: journal.read_now(backend_figures)))
        metrics.registry.register(DeliveryCounts(self._outcomes))
        settings = ScimSettings(server.url, **attrs.asdict(loaded.configuration.scim))
        known = Authenticator(
            journal,
            server.key,
            basic_profiles=settings.basic_profiles,
            failures=Failures(server.authentication_failures),
        )
        authenticate = naming(known, metrics)
        scim = scim_application(
            *(journal, registry, authenticate, settings, Sealer(server.key)),
            met=metrics.tolerated,
            full=self._is_full,
        )
        rest = Litestar(
            [
                status_router(journal, metrics),
                admin.admin_router(
                    *(journal, server.key, registry),
                    AdminAuthenticator(journal, server.key),
                    authenticate,
                ),
                console.console_routes(
                    journal, server.key, server.url, Failures(server.authentication_failures)
                ),
            ],
            lifespan=[self._delivering],
            after_exception=[_log_failure],
            exception_handlers=admin.EXCEPTION_HANDLERS,
            openapi_config=admin.openapi(),
            logging_config=None,
        )
        endpoints = [f"{SCIM}{kind.endpoint}" for kind in registry.resource_types]
        others = ("Schemas", "ResourceTypes", "ServiceProviderConfig", "Bulk", "Me", ".search")
        found = [f"{SCIM}/{name}" for name in others]
        return AccessLog(
            self._waking(Front(scim, rest, self._is_full)),
            Routes([*PATHS, *endpoints, *found], [*admin.ROUTES, *console.ROUTES]),
            metrics,
        )

    def _is_full(self) -> bool:
        return self.full()

    def _outcomes(self) -> dict[str, dict[str, int]]:
        return {name: lane.outcomes for name, lane in self._dispatcher.figures().items()}

    def _waking(self, app: ASGIApp) -> ASGIApp:
        async def answer_and_wake(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)
            if scope.get("method", "GET") not in _READING:
                self._dispatcher.wake()

        return answer_and_wake

    @asynccontextmanager
    async def _delivering(self, _app: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(self._dispatcher.run())
        task.add_done_callback(self._ended)
        try:
            yield
        finally:
            if not await self._dispatcher.stop(self._grace_seconds):
                _log.warning(
                    "deliveries were still under way; they are looked at on the next start"
                )
            task.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failure = failure
            self.stop()


@contextmanager
def assembled(loaded: Loaded, *, deliver: bool = True) -> Iterator[Bridge]:
    """Open the journal and yield the bridge on it; close the journal afterwards.

    With `deliver` False, other processes deliver. Raises OperatorError for a journal or a plugin
    that cannot be used.
    """
    with _opened(loaded, (), shared=not deliver) as (journal, hosted):
        yield Bridge(loaded, journal, hosted, deliver=deliver)


@contextmanager
def working(loaded: Loaded, names: Collection[str]) -> Iterator[Dispatcher]:
    """Open the journal and yield what delivers to the backends of these names, or to all for none.

    Raises as `assembled` does.
    """
    with _opened(loaded, names, shared=True) as (journal, hosted):
        yield Dispatcher(journal, hosted)


@contextmanager
def _opened(
    loaded: Loaded, names: Collection[str], *, shared: bool
) -> Iterator[tuple[Journal, list[HostedBackend]]]:
    sealer = Sealer(loaded.configuration.server.key)
    hosted = host(_limited(loaded, names), sealer)
    journal = open_configured(loaded)
    try:
        if shared and journal.alone:
            raise OperatorError(
                "BRG-JOURNAL-EMBEDDED",
                "The journal is a file, and one process does everything on it.",
                "Run `bridge serve`, or move to PostgreSQL: `bridge db copy --to URL`.",
            )
        _name_forgotten(journal, loaded)
        _set_guard(journal, loaded.configuration.guard)
        yield journal, hosted
    finally:
        journal.close()


def _limited(loaded: Loaded, names: Collection[str]) -> Loaded:
    configured = loaded.configuration.backends
    if unknown := sorted(set(names) - {table.name for table in configured}):
        raise OperatorError(
            "BRG-BACKEND-UNKNOWN",
            f"No backend named {', '.join(unknown)} is configured.",
            f"Configured are: {', '.join(table.name for table in configured) or 'none'}.",
        )
    chosen = tuple(table for table in configured if not names or table.name in names)
    return attrs.evolve(loaded, configuration=attrs.evolve(loaded.configuration, backends=chosen))


def _set_guard(journal: Journal, settings: Guard) -> None:
    limits = Limits(settings.changes, settings.share_percent, settings.window_seconds)
    journal.write_now(lambda tx: holds.set_limits(tx, limits if settings.enabled else None))


def _name_forgotten(journal: Journal, loaded: Loaded) -> None:
    # A backend that is configured no more goes on gathering changes: what is deleted meanwhile
    # would otherwise stay in its target for ever when it is configured again.
    configured = {table.name for table in loaded.configuration.backends}
    for row in journal.read_now(backends.every):
        if row.name not in configured:
            _log.warning(
                "backend is not configured; its changes gather",
                backend=row.name,
                next_step=f"bridge backend remove {row.name} --yes",
            )


async def _log_failure(error: Exception, _scope: Scope) -> None:
    known = isinstance(error, OperatorError | ScimError)  # raised on purpose, and answered
    if not known and getattr(error, "status_code", 500) >= 500:
        # Where, and not what: the text of an exception may hold a name or a secret.
        where = "".join(format_tb(error.__traceback__))
        _log.error("request failed", error=type(error).__qualname__, where=where)
