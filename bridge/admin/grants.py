"""`/v1/grants`: levels on workspaces and invite-only folders, for groups and users."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from bridge.admin.bodies import Body
from bridge.admin.calls import CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.shapes import time_of
from bridge.core.access import Level
from bridge.core.errors import OperatorError
from bridge.core.resources import Entity
from bridge.journal import grants, subjects, targets
from bridge.journal.grants import Grant
from bridge.journal.marking import GROUP, USER
from bridge.journal.subjects import Subject

LevelName = Literal["view", "check", "edit"]


class GrantShape(msgspec.Struct, frozen=True):
    """A grant, as it is shown: `pushed` to a group, or given by hand to one user (`manual`)."""

    id: str
    target: str
    subject: str
    subject_type: Literal["Group", "User"]
    subject_name: str | None
    origin: Literal["pushed", "manual"]
    level: LevelName
    created: str
    created_by: str


class SubjectShape(msgspec.Struct, frozen=True):
    """A pushed group or a provisioned user; `active` is null for a group."""

    id: str
    name: str
    external_id: str | None
    active: bool | None
    last_modified: str


class NewGrant(Body, frozen=True):
    """A grant to give: to a `group` or to a `user`, by id, and to one of them only."""

    target: str
    level: LevelName
    group: str | None = None
    user: str | None = None


class GrantChange(Body, frozen=True):
    """Another level of a grant."""

    level: LevelName


def show(grant: Grant) -> GrantShape:
    """Return a grant as it is shown."""
    return GrantShape(
        id=grant.id,
        target=grant.target,
        subject=grant.subject,
        subject_type="User" if grant.by_hand else "Group",
        subject_name=grant.name,
        origin="manual" if grant.by_hand else "pushed",
        level=grant.level.value,
        created=time_of(grant.created),
        created_by=grant.actor,
    )


@get("/grants", summary="List grants")
async def list_grants(
    call: CallDependency,
    target: Annotated[str | None, QueryParameter(description="Only on this one, by id.")] = None,
    subject: Annotated[
        str | None, QueryParameter(description="Only of this group or user.")
    ] = None,
    after: After = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[GrantShape]:
    """Return the grants of an organization, of a workspace or folder, or of a group or user."""
    place, (key,) = call.place, decode_cursor(after, str) or ("",)
    rows = await call.read(
        lambda reader: grants.every(reader, place, key, limit + 1, target=target, subject=subject)
    )
    return page_of(rows, limit, lambda one: [one.id], show)


@post("/grants", summary="Give a grant")
async def give_grant(call: CallDependency, data: JSONBody[NewGrant]) -> Response[GrantShape]:
    """Grant a level to a group or a user; whom it reaches is pending until the first click."""
    place = call.place
    if (data.group is None) == (data.user is None):
        raise OperatorError(
            "BRG-BODY-INVALID", "A grant is to one group or to one user.", "Name one of the two."
        )
    kind, subject = (GROUP, data.group) if data.group is not None else (USER, data.user)

    def unit(tx: Any, cause: Any) -> Grant:
        target = targets.find(tx, place, data.target)
        found = subjects.find(tx, place, kind, str(subject))
        entity = Entity(place, kind, found.id)
        return grants.give(tx, place, target, entity, Level(data.level), cause)

    return await call.change(unit, show, 201)


@get("/grants/{grant_id:str}", summary="Read a grant")
async def read_grant(call: CallDependency, grant_id: FromPath[str]) -> GrantShape:
    """Return one grant."""
    place = call.place
    return show(await call.read(lambda reader: grants.find(reader, place, grant_id)))


@patch("/grants/{grant_id:str}", summary="Change a grant's level")
async def change_grant(
    call: CallDependency, grant_id: FromPath[str], data: JSONBody[GrantChange]
) -> Response[GrantShape]:
    """Give a grant another level; who is a member stays one."""
    place, level = call.place, Level(data.level)
    return await call.change(
        lambda tx, cause: grants.change(tx, place, grant_id, level, cause), show
    )


@delete("/grants/{grant_id:str}", summary="Take a grant", status_code=204)
async def take_grant(call: CallDependency, grant_id: FromPath[str]) -> Response[None]:
    """Take a grant; whom no other one reaches loses access."""
    place = call.place
    return await call.change(
        lambda tx, cause: grants.take(tx, place, grant_id, cause), lambda _: None, 204
    )


@get("/groups", summary="List pushed groups")
async def list_groups(
    call: CallDependency, after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[SubjectShape]:
    """Return the groups that identity providers have pushed, by name."""
    return await _subjects(call, GROUP, after, limit)


@get("/users", summary="List provisioned users")
async def list_users(
    call: CallDependency, after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[SubjectShape]:
    """Return the users that identity providers have provisioned, by userName."""
    return await _subjects(call, USER, after, limit)


async def _subjects(
    call: CallDependency, kind: str, after: str | None, limit: int
) -> Page[SubjectShape]:
    place, (key,) = call.place, decode_cursor(after, str) or ("",)
    rows = await call.read(lambda reader: subjects.every(reader, place, kind, key, limit + 1))
    return page_of(rows, limit, lambda one: [one.key], _subject)


def _subject(one: Subject) -> SubjectShape:
    modified = time_of(one.last_modified)
    return SubjectShape(one.id, one.name, one.external_id, one.active, modified)


HANDLERS = [
    list_grants,
    give_grant,
    read_grant,
    change_grant,
    take_grant,
    list_groups,
    list_users,
]
