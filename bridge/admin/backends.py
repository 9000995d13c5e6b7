"""`/v1/backends`: the targets, their state, and how far they are behind."""

from collections.abc import Callable

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from bridge.admin.calls import INSTALLATION_ONLY, ROLE, Call, CallDependency
from bridge.admin.pages import Page
from bridge.admin.shapes import time_or_none
from bridge.auth.admins import Role
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.journal import backends, deliveries, tenants, worklists
from bridge.journal.admins import INSTALLATION
from bridge.journal.backends import BackendRow
from bridge.journal.deliveries import Lag
from bridge.journal.store import Reader, Transaction

OPERATOR = {ROLE: Role.OPERATOR}


class BackendShape(msgspec.Struct, frozen=True):
    """A backend; counts are the organization's where the token is of one.

    `state`: active, paused, open (its circuit is, until `retry_at`) or disabled. `reason` says why,
    to the installation only.
    """

    name: str
    type: str
    state: str
    reason: str | None
    retry_at: str | None
    failures: int
    pending: int
    parked: int
    oldest_seconds: float


@get("/backends", summary="List backends")
async def list_backends(call: CallDependency) -> Page[BackendShape]:
    """Return every backend with its state and how far it is behind."""
    rows = await call.read(lambda reader: [_backend(reader, call, one) for one in _known(reader)])
    return Page(rows)


@get("/backends/{name:str}", summary="Read a backend")
async def read_backend(call: CallDependency, name: FromPath[str]) -> BackendShape:
    """Return one backend."""
    return await call.read(lambda reader: _backend(reader, call, named_backend(reader, name)))


@post(
    "/backends/{name:str}/pause",
    summary="Pause a backend",
    status_code=200,
    opt={**OPERATOR, INSTALLATION_ONLY: True},
)
async def pause_backend(call: CallDependency, name: FromPath[str]) -> Response[BackendShape]:
    """Stop delivering to a backend; its changes gather."""
    return await _set_backend(call, name, "pause", backends.pause)


@post(
    "/backends/{name:str}/resume",
    summary="Resume a backend",
    status_code=200,
    opt={**OPERATOR, INSTALLATION_ONLY: True},
)
async def resume_backend(call: CallDependency, name: FromPath[str]) -> Response[BackendShape]:
    """Deliver to a backend again, also where its circuit was open or it was disabled."""
    return await _set_backend(call, name, "resume", backends.resume)


def _known(reader: Reader) -> list[BackendRow]:
    return backends.every(reader)


def named_backend(reader: Reader, name: str) -> BackendRow:
    """Return a backend. Raises OperatorError BRG-BACKEND-UNKNOWN."""
    for one in _known(reader):
        if one.name == name:
            return one
    raise OperatorError(
        "BRG-BACKEND-UNKNOWN",
        f"There is no backend {name!r}.",
        "Look it up in the list of backends.",
    )


def _backend(reader: Reader, call: Call, one: BackendRow) -> BackendShape:
    whole = call.owner is None
    lag: Lag = (
        deliveries.lag(reader, one.name)
        if call.owner is None
        else worklists.lag(reader, call.owner, one.name)
    )
    return BackendShape(
        name=one.name,
        type=one.type,
        state=one.state,
        reason=one.reason if whole else None,
        retry_at=time_or_none(one.retry_at),
        failures=one.failures,
        pending=lag.pending,
        parked=lag.parked,
        oldest_seconds=round(lag.oldest_seconds, 3),
    )


async def _set_backend(
    call: Call, name: str, action: str, verb: Callable[[Transaction, str], bool]
) -> Response[BackendShape]:
    def unit(tx: Transaction, cause: Cause) -> BackendShape:
        named_backend(tx, name)
        verb(tx, name)
        tenants.audit(tx, INSTALLATION, cause, f"backend.{action}", f"backend/{name}", {})
        return _backend(tx, call, named_backend(tx, name))

    return await call.change(unit, lambda shape: shape)


HANDLERS = [list_backends, read_backend, pause_backend, resume_backend]
