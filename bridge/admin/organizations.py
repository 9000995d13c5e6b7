"""`/v1/me` and `/v1/organizations`."""

import uuid
from typing import Any

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath, JSONBody

from bridge.admin.bodies import Body
from bridge.admin.calls import INSTALLATION_ONLY, CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.shapes import time_of
from bridge.core.errors import NotFound
from bridge.core.names import checked_name
from bridge.journal import tenants
from bridge.journal.store import Reader
from bridge.journal.tenants import Organization


class Me(msgspec.Struct, frozen=True):
    """Who a token speaks for; `organization` null is the whole installation."""

    name: str
    role: str
    organization: str | None


class OrganizationShape(msgspec.Struct, frozen=True):
    """An organization, as it is shown."""

    id: str
    name: str
    created: str


class Named(Body, frozen=True):
    """What has a name."""

    name: str


def show(organization: Organization) -> OrganizationShape:
    """Return an organization as it is shown."""
    return OrganizationShape(organization.id, organization.name, time_of(organization.created))


@get("/me", summary="Who this token speaks for")
async def me(call: CallDependency) -> Me:
    """Return name, role and organization of the token."""
    return Me(call.admin.name, call.admin.role, call.admin.organization)


@get("/organizations", summary="List organizations")
async def list_organizations(
    call: CallDependency, after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[OrganizationShape]:
    """Return the organizations that the token may see, by name."""
    known = await call.read(tenants.list_organizations)
    key = decode_cursor(after, str)
    rows = [
        one for one in known if call.owner in (None, one.id) and (key is None or one.name > key[0])
    ]
    return page_of(rows[: limit + 1], limit, lambda one: [one.name], show)


@post("/organizations", summary="Make an organization", opt={INSTALLATION_ONLY: True})
async def create_organization(
    call: CallDependency, data: JSONBody[Named]
) -> Response[OrganizationShape]:
    """Make an organization."""
    name = checked_name(data.name)
    return await call.change(
        lambda tx, cause: tenants.create_organization(tx, str(uuid.uuid4()), name, cause),
        show,
        201,
    )


@get("/organizations/{organization_id:str}", summary="Read an organization")
async def read_organization(
    call: CallDependency, organization_id: FromPath[str]
) -> OrganizationShape:
    """Return one organization."""
    return show(await call.read(lambda reader: _visible(reader, call.owner, organization_id)))


@patch("/organizations/{organization_id:str}", summary="Rename an organization")
async def rename_organization(
    call: CallDependency, organization_id: FromPath[str], data: JSONBody[Named]
) -> Response[OrganizationShape]:
    """Give an organization another name."""
    name = checked_name(data.name)

    def unit(tx: Any, cause: Any) -> Organization:
        found = _visible(tx, call.owner, organization_id)
        return tenants.rename_organization(tx, found, name, cause)

    return await call.change(unit, show)


def _visible(reader: Reader, owner: str | None, organization_id: str) -> Organization:
    for one in tenants.list_organizations(reader):
        if one.id == organization_id and owner in (None, one.id):
            return one
    raise NotFound(f"There is no organization {organization_id}.")


HANDLERS = [me, list_organizations, create_organization, read_organization, rename_organization]
