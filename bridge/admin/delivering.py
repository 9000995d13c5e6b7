"""`/v1/deliveries` and `/v1/holds`: what the targets have, and what waits."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from bridge.admin.backends import named_backend
from bridge.admin.bodies import Body
from bridge.admin.calls import CONNECTIONS_TOO, ROLE, Call, CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.shapes import time_of
from bridge.auth.admins import Role
from bridge.core.changes import Cause
from bridge.core.errors import NotFound, OperatorError
from bridge.journal import attempts, deliveries, holds, links, tenants, worklists
from bridge.journal.attempts import Tried
from bridge.journal.deliveries import Delivery
from bridge.journal.holds import Ended, Hold
from bridge.journal.store import Reader, Transaction

OPERATOR = {ROLE: Role.OPERATOR}


class DeliveryShape(msgspec.Struct, frozen=True):
    """How one resource stands with one backend: it has version `applied` of `target`."""

    backend: str
    id: str
    type: str
    name: str | None
    state: str
    applied: int
    target: int
    attempts: int
    next_at: str
    updated: str
    error: str | None
    next_step: str | None


class Standing(msgspec.Struct, frozen=True):
    """How a resource stands with one backend; `held_as` is its name there (a DN, a key)."""

    backend: str
    state: str
    name: str | None
    held_as: str | None
    applied: int
    target: int
    error: str | None
    next_step: str | None


class Standings(msgspec.Struct, frozen=True):
    """How a resource stands with every backend."""

    id: str
    backends: list[Standing]


class AttemptShape(msgspec.Struct, frozen=True):
    """One attempt at a delivery, and what came of it."""

    version: int
    at: str
    milliseconds: float
    outcome: str
    reason: str | None
    answer: str | None


class HoldShape(msgspec.Struct, frozen=True):
    """An open hold: `changes` took something away where `allowed` may have."""

    organization: str
    opened: str
    changes: int
    allowed: int
    cause: str
    held: dict[str, int]


class EndedShape(msgspec.Struct, frozen=True):
    """What ending a hold came to; `left` were being delivered just then and still wait."""

    entities: int
    left: int


class OnBackend(Body, frozen=True):
    """The backend that something is to be done for."""

    backend: str


class Skipping(Body, frozen=True):
    """The backend, and whether to give up all pending versions but the last."""

    backend: str
    to_latest: bool = False


class Replaying(Body, frozen=True):
    """The backend, and the version from which to deliver again."""

    backend: str
    version: Annotated[int, msgspec.Meta(ge=1)]


@get("/deliveries", summary="List what waits for a backend")
async def list_deliveries(
    call: CallDependency,
    backend: Annotated[str, QueryParameter(description="Name of the backend.")],
    waiting: Annotated[Literal["pending", "parked"], QueryParameter(name="state")] = "pending",
    after: After = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[DeliveryShape]:
    """Return an organization's deliveries that wait, or are parked; the longest waiting first."""
    place, key, parked = call.place, decode_cursor(after, int, str) or (-1, ""), waiting == "parked"

    def query(reader: Reader) -> list[Delivery]:
        named_backend(reader, backend)
        return worklists.page(reader, place, backend, key, limit + 1, parked=parked)

    return page_of(
        await call.read(query),
        limit,
        lambda one: worklists.place_of(one, parked=parked),
        _delivery,
    )


@get(
    "/deliveries/{resource_id:str}",
    summary="How a resource stands with every backend",
    opt={CONNECTIONS_TOO: True},
)
async def read_deliveries(call: CallDependency, resource_id: FromPath[str]) -> Standings:
    """Return state and versions by backend. A connection's own token may ask, too."""
    place = call.place
    found = await call.read(lambda reader: _stand(reader, place, resource_id))
    if not found:
        raise NotFound(f"No backend follows a resource {resource_id} here.")
    return Standings(resource_id, found)


@get("/deliveries/{resource_id:str}/attempts", summary="What was tried")
async def read_attempts(
    call: CallDependency,
    resource_id: FromPath[str],
    backend: Annotated[str, QueryParameter(description="Name of the backend.")],
) -> Page[AttemptShape]:
    """Return the last attempts at a resource in one backend, newest first."""
    place = call.place
    found = await call.read(lambda r: attempts.of_entity(r, place, resource_id, backend))
    return Page([_attempt(one) for one in found])


@post(
    "/deliveries/{resource_id:str}/retry",
    summary="Try again at once",
    status_code=200,
    opt=OPERATOR,
)
async def retry_delivery(
    call: CallDependency, resource_id: FromPath[str], data: JSONBody[OnBackend]
) -> Response[Standings]:
    """Try a parked or waiting delivery again."""
    return await _act(call, resource_id, data.backend, "retry", deliveries.retry)


@post(
    "/deliveries/{resource_id:str}/skip",
    summary="Give up what is parked",
    status_code=200,
    opt=OPERATOR,
)
async def skip_delivery(
    call: CallDependency, resource_id: FromPath[str], data: JSONBody[Skipping]
) -> Response[Standings]:
    """Give up the parked version of a resource, or all but the last; it is never delivered."""
    verb = deliveries.skip_to_latest if data.to_latest else deliveries.skip
    return await _act(call, resource_id, data.backend, verb.__name__, verb)


@post(
    "/deliveries/{resource_id:str}/replay",
    summary="Deliver again from a version",
    status_code=200,
    opt=OPERATOR,
)
async def replay_delivery(
    call: CallDependency, resource_id: FromPath[str], data: JSONBody[Replaying]
) -> Response[Standings]:
    """Deliver a resource again from a version on."""

    def verb(tx: Transaction, name: str, organization: str, entity: str) -> bool:
        return deliveries.replay(tx, name, organization, entity, data.version)

    return await _act(call, resource_id, data.backend, "replay", verb)


@get("/holds", summary="List open holds")
async def list_holds(call: CallDependency) -> Page[HoldShape]:
    """Return what the guard holds of an organization, or of all of them."""
    found = await call.read(holds.every)
    mine = call.owner or (call.organization.id if call.named and call.organization else None)
    return Page([_hold(one) for one in found if mine in (None, one.organization)])


@post("/holds/release", summary="Deliver what is held", status_code=200, opt=OPERATOR)
async def release_hold(call: CallDependency) -> Response[EndedShape]:
    """End an organization's hold and deliver what it held."""
    return await _end_hold(call, holds.release)


@post("/holds/reject", summary="Never deliver what is held", status_code=200, opt=OPERATOR)
async def reject_hold(call: CallDependency) -> Response[EndedShape]:
    """End an organization's hold without delivering; the targets keep what they have."""
    return await _end_hold(call, holds.reject)


async def _act(
    call: Call,
    resource_id: str,
    backend: str,
    action: str,
    verb: Callable[[Transaction, str, str, str], bool],
) -> Response[Standings]:
    place = call.place

    def unit(tx: Transaction, cause: Cause) -> Standings:
        named_backend(tx, backend)
        if not verb(tx, backend, place, resource_id):
            raise OperatorError(
                "BRG-DELIVERY-NONE",
                f"Nothing of {resource_id} is there to act on.",
                "See how it stands at /v1/deliveries/ID.",
            )
        detail = {"backend": backend}
        tenants.audit(tx, place, cause, f"delivery.{action}", resource_id, detail)
        return Standings(resource_id, _stand(tx, place, resource_id))

    return await call.change(unit, lambda shape: shape)


async def _end_hold(
    call: Call, verb: Callable[[Transaction, str, Cause], Ended | None]
) -> Response[EndedShape]:
    place = call.place

    def unit(tx: Transaction, cause: Cause) -> EndedShape:
        ended = verb(tx, place, cause)
        if ended is None:
            raise OperatorError(
                "BRG-HOLD-NONE", "Nothing of the organization is held.", "There is nothing to do."
            )
        return EndedShape(ended.entities, ended.left)

    return await call.change(unit, lambda shape: shape)


def _stand(reader: Reader, organization: str, resource_id: str) -> list[Standing]:
    return [
        Standing(
            *(one.backend, str(one.state), one.name),
            _held_as(reader, organization, one.backend, resource_id),
            one.applied,
            one.target,
            one.error,
            one.next_step,
        )
        for one in deliveries.of_entity(reader, organization, resource_id)
    ]


def _held_as(reader: Reader, organization: str, backend: str, resource_id: str) -> str | None:
    link = links.get_many(reader, organization, backend, [resource_id]).get(resource_id)
    return (link.name or link.target_id) if link else None


def _delivery(one: Delivery) -> DeliveryShape:
    return DeliveryShape(
        *(one.backend, one.entity.id, one.entity.type, one.name, str(one.state)),
        *(one.applied, one.target, one.attempts, time_of(one.next_at), time_of(one.updated)),
        *(one.error, one.next_step),
    )


def _attempt(one: Tried) -> AttemptShape:
    took = one.micros / 1000
    return AttemptShape(one.version, time_of(one.at), took, one.outcome, one.reason, one.answer)


def _hold(one: Hold) -> HoldShape:
    opened = time_of(one.opened)
    return HoldShape(one.organization, opened, one.changes, one.allowed, one.cause, one.held)


HANDLERS = [
    list_deliveries,
    read_deliveries,
    read_attempts,
    retry_delivery,
    skip_delivery,
    replay_delivery,
    list_holds,
    release_hold,
    reject_hold,
]
