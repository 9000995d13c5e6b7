"""The organization page: workspaces, pushed groups and what each was granted; the Manage page.

Rule: a page shows a bounded number of rows, and where the rest begins.
"""

from typing import Any
from urllib.parse import quote

import attrs
from litestar import Response, get, post
from litestar.params import FromPath

from bridge.console.desk import DeskDependency
from bridge.console.pages import page, see
from bridge.console.rooms import enter, person, place_of, submitted, visible
from bridge.console.visits import Ask, query
from bridge.core.access import Level
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.core.names import checked_name
from bridge.core.resources import Entity
from bridge.core.schema.keys import name_key
from bridge.journal import grants, subjects, targets
from bridge.journal.grants import GRANTS, Grant
from bridge.journal.store import Reader, Transaction
from bridge.journal.subjects import Subject
from bridge.journal.targets import Target

HOME = "/console"
ORGANIZATION = "/console/organizations/{organization_id:str}"
GROUP = ORGANIZATION + "/groups/{group_id:str}"

ROWS = 100
"""Most rows of one list on a page."""

NONE = "none"
LEVELS = (("none", "No access"), ("view", "View"), ("check", "Check"), ("edit", "Edit"))
"""What a form offers, weakest first."""


@attrs.frozen
class GroupRow:
    """A pushed group, and the targets that it was granted, strongest level first."""

    group: Subject
    granted: tuple[tuple[str, str], ...]


@attrs.frozen
class Overview:
    """What the organization page shows; `next_*` are where the rest of a list begins."""

    workspaces: tuple[Target, ...]
    groups: tuple[GroupRow, ...]
    next_workspace: str | None
    next_group: str | None


@get(HOME, include_in_schema=False)
async def home(request: Ask, desk: DeskDependency) -> Response[Any]:
    account, cookie = await person(request, desk)
    known = await visible(desk, account)
    if len(known) == 1:
        return see(place_of(known[0]))
    places = [(one.name, place_of(one)) for one in known]
    return page("home.html", account=account, token=desk.people.form_token(cookie), places=places)


@get(ORGANIZATION, include_in_schema=False)
async def overview(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str]
) -> Response[str]:
    room = await enter(request, desk, organization_id)
    asked = dict(query(request))
    after = asked.get("workspaces", ""), asked.get("groups", "")
    found = await room.read(lambda reader, place: _overview(reader, place, *after))
    return room.page("organization.html", found=found)


@post(ORGANIZATION + "/workspaces", include_in_schema=False)
async def add_workspace(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str]
) -> Response[None]:
    room, fields = await submitted(request, desk, organization_id)
    made = await room.write(
        lambda tx, place, cause: targets.create_workspace(tx, place, name_in(fields), cause)
    )
    return see(f"{room.path}/workspaces/{quote(made.id)}")


@get(GROUP, include_in_schema=False)
async def manage(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], group_id: FromPath[str]
) -> Response[str]:
    room = await enter(request, desk, organization_id)
    after = dict(query(request)).get("workspaces", "")

    def found(reader: Reader, place: str) -> tuple[Subject, list[Target], dict[str, str]]:
        group = subjects.find(reader, place, "Group", group_id)
        given = grants.every(reader, place, "", GRANTS, subject=group.id)
        known = targets.workspaces(reader, place, after, ROWS + 1)
        return group, known, {one.target: one.level.value for one in given}

    group, known, levels = await room.read(found)
    return room.page(
        "manage.html",
        group=group,
        workspaces=known[:ROWS],
        levels=levels,
        offered=LEVELS,
        next_workspace=_next(known),
    )


@post(GROUP, include_in_schema=False)
async def save_group(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], group_id: FromPath[str]
) -> Response[None]:
    room, fields = await submitted(request, desk, organization_id)

    def unit(tx: Transaction, place: str, cause: Cause) -> None:
        group = subjects.find(tx, place, "Group", group_id)
        for name, wanted in fields.items():
            if name.startswith("level-"):
                target = targets.find(tx, place, name.removeprefix("level-"))
                set_level(tx, target, Entity(place, group.type, group.id), wanted, cause)

    await room.write(unit)
    return see(room.path)


def set_level(tx: Transaction, target: Target, subject: Entity, wanted: str, cause: Cause) -> None:
    """Give, change or take a subject's grant so that it is `wanted`. Raises OperatorError."""
    if wanted not in dict(LEVELS):
        raise OperatorError(
            "BRG-LEVEL-INVALID",
            f"{wanted!r} is no level of access.",
            "Choose view, check or edit, or take the access away.",
        )
    place = subject.organization
    given: Grant | None = grants.find_of(tx, place, target.id, subject.id)
    if wanted == NONE:
        if given is not None:
            grants.take(tx, place, given.id, cause)
    elif given is None:
        grants.give(tx, place, target, subject, Level(wanted), cause)
    else:
        grants.change(tx, place, given.id, Level(wanted), cause)


def name_in(fields: dict[str, str]) -> str:
    """Return the name that a form gives. Raises OperatorError BRG-NAME-INVALID."""
    return checked_name(fields.get("name", ""))


def _overview(reader: Reader, place: str, after_workspace: str, after_group: str) -> Overview:
    known = targets.workspaces(reader, place, after_workspace, ROWS + 1)
    groups = subjects.every(reader, place, "Group", after_group, ROWS + 1)
    return Overview(
        tuple(known[:ROWS]),
        tuple(_group_row(reader, place, group) for group in groups[:ROWS]),
        _next(known),
        groups[ROWS - 1].key if len(groups) > ROWS else None,
    )


def _group_row(reader: Reader, place: str, group: Subject) -> GroupRow:
    given = grants.every(reader, place, "", ROWS, subject=group.id)
    rank = [level for level, _ in LEVELS]
    ordered = sorted(given, key=lambda one: -rank.index(one.level.value))
    names = {one.target: targets.find(reader, place, one.target).name for one in ordered}
    return GroupRow(group, tuple((names[one.target], one.level.value) for one in ordered))


def _next(known: list[Target]) -> str | None:
    return name_key(known[ROWS - 1].name) if len(known) > ROWS else None


HANDLERS = [home, overview, add_workspace, manage, save_group]
