"""Where a signed-in person is: one organization, and what may be done there.

Rule: an organization that a person has no part in is not there for them (404).
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import attrs
from litestar import Response

from bridge.auth.admins import Role
from bridge.codec import from_micros
from bridge.console.desk import Desk
from bridge.console.pages import page
from bridge.console.visits import OUTDATED, Ask, Fields, cause, check_origin, cookie_in, form
from bridge.core.changes import Cause
from bridge.core.errors import Forbidden, NotFound
from bridge.journal import tenants
from bridge.journal.accounts import Account
from bridge.journal.store import Reader, Transaction
from bridge.journal.tenants import Organization

T = TypeVar("T")

NOT_ALLOWED = "Your role allows you to look, and not to change anything. Ask an administrator."
NO_ORGANIZATION = "There is no such organization."


class SignedOut(Exception):
    """Nobody is signed in; `path` is where to go on afterwards."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@attrs.frozen
class Room:
    """A person in an organization, in one request."""

    desk: Desk
    account: Account
    cookie: str
    organization: Organization

    @property
    def path(self) -> str:
        """The address of the organization's page."""
        return place_of(self.organization)

    @property
    def may_change(self) -> bool:
        """Whether the person may change things here."""
        return self.may(Role.ADMIN)

    def may(self, role: Role) -> bool:
        """Return whether the person may do what this role may."""
        return Role(self.account.role).includes(role)

    async def read(self, query: Callable[[Reader, str], T]) -> T:
        """Return the result of a query about the organization."""
        place = self.organization.id
        return await self.desk.journal.read(lambda reader: query(reader, place))

    async def write(
        self, unit: Callable[[Transaction, str, Cause], T], role: Role = Role.ADMIN
    ) -> T:
        """Do a unit of work that takes a role. Raises Forbidden, and what the unit raises."""
        if not self.may(role):
            raise Forbidden(NOT_ALLOWED)
        place, own = self.organization.id, cause(f"account:{self.account.email}")
        return await self.desk.journal.write(lambda tx: unit(tx, place, own))

    def page(self, template: str, **values: Any) -> Response[str]:
        """Return a page of this organization."""
        return page(
            template,
            account=self.account,
            token=self.desk.people.form_token(self.cookie),
            organization=self.organization,
            base=self.path,
            may_change=self.may_change,
            may_operate=self.may(Role.OPERATOR),
            time_of=_time_of,
            **values,
        )


def _time_of(micros: int) -> str:
    return from_micros(micros).strftime("%Y-%m-%d %H:%M:%S UTC")


def place_of(organization: Organization) -> str:
    """Return the address of an organization's page."""
    return f"/console/organizations/{quote(organization.id)}"


async def person(request: Ask, desk: Desk) -> tuple[Account, str]:
    """Return who is signed in, and the cookie. Raises SignedOut."""
    cookie = cookie_in(request, desk.issuer)
    signed_in = await desk.run(desk.people.who, cookie)
    if signed_in is None or cookie is None:
        raise SignedOut(request.url.path)
    return signed_in.account, cookie


async def visible(desk: Desk, account: Account) -> list[Organization]:
    """Return the organizations that an account has to do with."""
    known = await desk.journal.read(tenants.list_organizations)
    return [one for one in known if account.organization in (None, one.id)]


async def enter(request: Ask, desk: Desk, organization_id: str) -> Room:
    """Return the room of a request that reads. Raises SignedOut, NotFound."""
    account, cookie = await person(request, desk)
    for one in await visible(desk, account):
        if one.id == organization_id:
            return Room(desk, account, cookie, one)
    raise NotFound(NO_ORGANIZATION)


async def submitted(request: Ask, desk: Desk, organization_id: str) -> tuple[Room, dict[str, str]]:
    """Return the room and the fields of a form. Raises as `enter` does, and Forbidden."""
    check_origin(request, desk.issuer)
    room = await enter(request, desk, organization_id)
    fields: Fields = await form(request)
    values = {name: value.strip() for name, value in fields}
    if not desk.people.is_form_token(room.cookie, values.pop("token", "")):
        raise Forbidden(OUTDATED)
    return room, values
