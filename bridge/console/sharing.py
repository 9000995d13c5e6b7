"""The pages of a workspace and of a folder: what is in it, who has access and through which grant.

Rule: a folder is shared only where it is invite-only; the page says so, and how to make it so.
"""

from typing import Any
from urllib.parse import quote

import attrs
from litestar import Response, get, post
from litestar.params import FromPath

from bridge.console.desk import DeskDependency
from bridge.console.organization import LEVELS, ORGANIZATION, ROWS, name_in, set_level
from bridge.console.pages import see
from bridge.console.rooms import Room, enter, submitted
from bridge.console.visits import Ask
from bridge.core.access import FOLDER, WORKSPACE
from bridge.core.changes import Cause
from bridge.core.resources import Entity
from bridge.journal import access, grants, subjects, targets
from bridge.journal.access import Shown
from bridge.journal.grants import Grant
from bridge.journal.store import Reader, Transaction
from bridge.journal.subjects import Subject
from bridge.journal.targets import Target

_PLACES = {WORKSPACE: "workspaces", FOLDER: "folders"}


@attrs.frozen
class Inside:
    """What the page of a target shows."""

    target: Target
    workspace: Target
    scope: Target
    folders: tuple[Target, ...]
    grants: tuple[Grant, ...]
    people: tuple[Shown, ...]
    more_people: bool
    settled: bool
    groups: tuple[Subject, ...]


@get(
    [ORGANIZATION + "/workspaces/{target_id:str}", ORGANIZATION + "/folders/{target_id:str}"],
    include_in_schema=False,
)
async def show(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], target_id: FromPath[str]
) -> Response[str]:
    room = await enter(request, desk, organization_id)
    found = await room.read(lambda reader, place: _inside(reader, place, target_id))
    return room.page("target.html", found=found, offered=LEVELS[1:], changed=LEVELS)


@post(ORGANIZATION + "/workspaces/{target_id:str}/folders", include_in_schema=False)
async def add_folder(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], target_id: FromPath[str]
) -> Response[None]:
    room, fields = await submitted(request, desk, organization_id)
    made = await room.write(
        lambda tx, place, cause: targets.create_folder(
            tx,
            place,
            target_id,
            name_in(fields),
            cause,
            parent=fields.get("parent") or None,
            invite_only=fields.get("access") == "invite_only",
        )
    )
    return see(path_of(room, made))


@post(ORGANIZATION + "/targets/{target_id:str}", include_in_schema=False)
async def edit(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], target_id: FromPath[str]
) -> Response[None]:
    room, fields = await submitted(request, desk, organization_id)

    def unit(tx: Transaction, place: str, cause: Cause) -> Target:
        before = targets.find(tx, place, target_id)
        invited = fields.get("access", "") == "invite_only" or before.type == WORKSPACE
        wanted = attrs.evolve(before, name=name_in(fields), invite_only=invited)
        return targets.change(tx, place, before, wanted, cause)

    return see(path_of(room, await room.write(unit)))


@post(ORGANIZATION + "/targets/{target_id:str}/delete", include_in_schema=False)
async def remove(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], target_id: FromPath[str]
) -> Response[None]:
    room, _fields = await submitted(request, desk, organization_id)

    def unit(tx: Transaction, place: str, cause: Cause) -> Target:
        found = targets.find(tx, place, target_id)
        targets.end(tx, place, found, cause)
        return found

    ended = await room.write(unit)
    inside = f"{room.path}/workspaces/{quote(ended.workspace)}"
    return see(inside if ended.type == FOLDER else room.path)


@post(ORGANIZATION + "/targets/{target_id:str}/grants", include_in_schema=False)
async def share(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], target_id: FromPath[str]
) -> Response[None]:
    room, fields = await submitted(request, desk, organization_id)

    def unit(tx: Transaction, place: str, cause: Cause) -> Target:
        target = targets.find(tx, place, target_id)
        kind = "User" if fields.get("user") else "Group"
        named = fields.get("user") or fields.get("group", "")
        subject = subjects.find(tx, place, kind, named)
        entity = Entity(place, subject.type, subject.id)
        set_level(tx, target, entity, fields.get("level", ""), cause)
        return target

    return see(path_of(room, await room.write(unit)))


def path_of(room: Room, target: Target) -> str:
    """Return the address of a target's page."""
    return f"{room.path}/{_PLACES[target.type]}/{quote(target.id)}"


def _inside(reader: Reader, place: str, target_id: str) -> Inside:
    target = targets.find(reader, place, target_id)
    scope = targets.scope(reader, place, target)
    people = access.on_target(reader, place, scope, "", ROWS + 1)
    inside = targets.folders(reader, place, target.workspace, "", ROWS)
    parent = None if target.type == WORKSPACE else target.id
    own: dict[str, Any] = {"folders": tuple(one for one in inside if one.parent == parent)}
    return Inside(
        target,
        targets.find(reader, place, target.workspace),
        scope,
        grants=tuple(grants.every(reader, place, "", ROWS, target=scope.id)),
        people=tuple(people[:ROWS]),
        more_people=len(people) > ROWS,
        settled=access.settled(reader, place, scope),
        groups=tuple(subjects.every(reader, place, "Group", "", ROWS)),
        **own,
    )


HANDLERS = [show, add_folder, edit, remove, share]
