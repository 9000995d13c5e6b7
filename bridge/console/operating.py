"""The pages of deliveries: backends, what is parked or held, one resource's story, the audit.

Rule: whatever is wrong stands there with its next step, and with the button that takes it.
"""

from collections.abc import Callable
from typing import Any

import attrs
from litestar import Response, get, post
from litestar.params import FromPath

from bridge.auth.admins import Role
from bridge.console.desk import DeskDependency
from bridge.console.organization import ORGANIZATION, ROWS
from bridge.console.pages import see
from bridge.console.rooms import enter, submitted
from bridge.console.visits import Ask, query
from bridge.core.changes import Cause
from bridge.core.errors import NotFound, OperatorError
from bridge.journal import attempts, backends, deliveries, holds, tenants, worklists
from bridge.journal.attempts import Tried
from bridge.journal.backends import BackendRow
from bridge.journal.deliveries import Delivery, Lag
from bridge.journal.holds import Ended, Hold
from bridge.journal.store import Reader, Transaction

PLACE = ORGANIZATION + "/deliveries"

_VERBS: dict[str, Callable[[Transaction, str, str, str], bool]] = {
    "retry": deliveries.retry,
    "skip": deliveries.skip,
}
_ENDS: dict[str, Callable[[Transaction, str, Cause], Ended | None]] = {
    "release": holds.release,
    "reject": holds.reject,
}
_NEWEST = 2**62


@attrs.frozen
class Behind:
    """A backend, how far it is behind with an organization, and what is parked there."""

    backend: BackendRow
    lag: Lag
    parked: tuple[Delivery, ...]


@attrs.frozen
class Story:
    """How one resource stands with every backend, and what was tried, newest first."""

    standings: tuple[Delivery, ...]
    tried: tuple[Tried, ...]


@get(PLACE, include_in_schema=False)
async def behind(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str]
) -> Response[str]:
    room = await enter(request, desk, organization_id)

    def found(reader: Reader, place: str) -> tuple[list[Behind], Hold | None]:
        hold = next((one for one in holds.every(reader) if one.organization == place), None)
        return [_behind(reader, place, one) for one in backends.every(reader)], hold

    every, hold = await room.read(found)
    return room.page("deliveries.html", backends=every, hold=hold)


@get(PLACE + "/{resource_id:str}", include_in_schema=False)
async def story(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], resource_id: FromPath[str]
) -> Response[str]:
    room = await enter(request, desk, organization_id)
    found = await room.read(lambda reader, place: _story(reader, place, resource_id))
    return room.page("story.html", found=found, resource_id=resource_id)


@post(PLACE + "/{resource_id:str}/{verb:str}", include_in_schema=False)
async def act(
    request: Ask,
    desk: DeskDependency,
    organization_id: FromPath[str],
    resource_id: FromPath[str],
    verb: FromPath[str],
) -> Response[Any]:
    room, fields = await submitted(request, desk, organization_id)
    do = _VERBS.get(verb)
    if do is None:
        raise NotFound("There is no such page.")
    backend = fields.get("backend", "")

    def unit(tx: Transaction, place: str, cause: Cause) -> None:
        if not do(tx, backend, place, resource_id):
            raise OperatorError(
                "BRG-DELIVERY-NONE",
                "Nothing is parked there any more.",
                "Go back and look again.",
            )
        detail = {"backend": backend}
        tenants.audit(tx, place, cause, f"delivery.{verb}", resource_id, detail)

    await room.write(unit, Role.OPERATOR)
    return see(f"{room.path}/deliveries")


@post(ORGANIZATION + "/hold/{verb:str}", include_in_schema=False)
async def end_hold(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], verb: FromPath[str]
) -> Response[Any]:
    room, _fields = await submitted(request, desk, organization_id)
    end = _ENDS.get(verb)
    if end is None:
        raise NotFound("There is no such page.")
    if await room.write(end, Role.OPERATOR) is None:
        raise OperatorError(
            "BRG-HOLD-NONE", "Nothing of the organization is held any more.", "Look again."
        )
    return see(f"{room.path}/deliveries")


@get(ORGANIZATION + "/audit", include_in_schema=False)
async def audit(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str]
) -> Response[str]:
    room = await enter(request, desk, organization_id)
    at, _, sequence = dict(query(request)).get("after", "").partition("-")
    after = (int(at), int(sequence)) if at.isdecimal() and sequence.isdecimal() else None
    begins = after or (_NEWEST, _NEWEST)
    rows = await room.read(lambda r, place: tenants.audit_page(r, place, *begins, ROWS + 1))
    more = f"{rows[ROWS - 1].at}-{rows[ROWS - 1].sequence}" if len(rows) > ROWS else None
    return room.page("audit.html", rows=rows[:ROWS], more=more)


def _behind(reader: Reader, place: str, backend: BackendRow) -> Behind:
    parked = worklists.page(reader, place, backend.name, (-1, ""), ROWS, parked=True)
    return Behind(backend, worklists.lag(reader, place, backend.name), tuple(parked))


def _story(reader: Reader, place: str, resource_id: str) -> Story:
    standings = deliveries.of_entity(reader, place, resource_id)
    if not standings:
        raise NotFound("No backend follows such a resource.")
    tried = [
        each
        for one in standings
        for each in attempts.of_entity(reader, place, resource_id, one.backend)
    ]
    newest = sorted(tried, key=lambda one: -one.at)[:ROWS]
    return Story(tuple(standings), tuple(newest))


HANDLERS = [behind, story, act, end_hold, audit]
