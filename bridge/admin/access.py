"""Who has access, and why: lists, the chain of grants, and a table to download."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from bridge.admin.calls import Call, CallDependency
from bridge.admin.grants import LevelName
from bridge.admin.pages import PAGE_DEFAULT, PAGE_LIMIT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.targets import of_type
from bridge.core.access import FOLDER, WORKSPACE, Access
from bridge.journal import access, subjects, targets
from bridge.journal.access import Shown, Why
from bridge.journal.marking import USER
from bridge.journal.store import Reader
from bridge.journal.targets import Target

StateName = Literal["pending", "member"]

CSV_COLUMNS = ("user", "userName", "displayName", "level", "state")

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class AccessShape(msgspec.Struct, frozen=True):
    """One user's access to a workspace or folder."""

    user: str
    user_name: str
    display_name: str | None
    level: LevelName
    state: StateName


class AccessPage(msgspec.Struct, frozen=True):
    """Users with access; `next` leads on, null at the end.

    `scope` is where it is decided: a team folder is as what it lies in. `settled` false: changes
    are still being worked out, so the list is not the last word.
    """

    items: list[AccessShape]
    next: str | None
    scope: str
    settled: bool


class TargetAccess(msgspec.Struct, frozen=True):
    """What one user has on one workspace or invite-only folder."""

    target: str
    type: Literal["Workspace", "Folder"]
    name: str
    level: LevelName
    state: StateName


class ReasonShape(msgspec.Struct, frozen=True):
    """A grant that reaches the user: to himself (`manual`), or `pushed` through `via`."""

    grant: str
    level: LevelName
    origin: Literal["pushed", "manual"]
    via: list[str]


class WhyShape(msgspec.Struct, frozen=True):
    """Why a user has access, or has none: `level` null, with the reason.

    `state` null while `level` is not: it is still being worked out. `reasons` has the strongest
    grant first; `via` names groups from the user's own to the granted one.
    """

    user: str
    user_name: str
    active: bool
    target: str
    scope: str
    level: LevelName | None
    state: StateName | None
    explanation: str
    reasons: list[ReasonShape]


@get("/workspaces/{target_id:str}/access", summary="Who has access to a workspace")
async def workspace_access(
    call: CallDependency, target_id: FromPath[str], after: After = None, limit: Limit = PAGE_DEFAULT
) -> AccessPage:
    """Return users with level and state, by id."""
    return await _page(call, WORKSPACE, target_id, after, limit)


@get("/folders/{target_id:str}/access", summary="Who has access to a folder")
async def folder_access(
    call: CallDependency, target_id: FromPath[str], after: After = None, limit: Limit = PAGE_DEFAULT
) -> AccessPage:
    """Return users with level and state, by id."""
    return await _page(call, FOLDER, target_id, after, limit)


@get("/workspaces/{target_id:str}/access.csv", summary="The same as a table")
async def workspace_table(call: CallDependency, target_id: FromPath[str]) -> Stream:
    """Return everybody with access to a workspace as CSV (RFC 4180)."""
    return await _table(call, WORKSPACE, target_id)


@get("/folders/{target_id:str}/access.csv", summary="The same as a table")
async def folder_table(call: CallDependency, target_id: FromPath[str]) -> Stream:
    """Return everybody with access to a folder as CSV (RFC 4180)."""
    return await _table(call, FOLDER, target_id)


@get("/workspaces/{target_id:str}/access/{user:str}", summary="Why a user has access")
async def workspace_why(
    call: CallDependency, target_id: FromPath[str], user: FromPath[str]
) -> WhyShape:
    """Return the chain of grants from a user (id or userName) to a workspace."""
    return await _why(call, WORKSPACE, target_id, user)


@get("/folders/{target_id:str}/access/{user:str}", summary="Why a user has access")
async def folder_why(
    call: CallDependency, target_id: FromPath[str], user: FromPath[str]
) -> WhyShape:
    """Return the chain of grants from a user (id or userName) to a folder."""
    return await _why(call, FOLDER, target_id, user)


@get("/users/{user:str}/access", summary="What a user has access to")
async def user_access(
    call: CallDependency, user: FromPath[str], after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[TargetAccess]:
    """Return the workspaces and invite-only folders that a user (id or userName) has access to."""
    place, (key,) = call.place, decode_cursor(after, str) or ("",)

    def query(reader: Reader) -> list[tuple[Target, Access]]:
        person = subjects.find(reader, place, USER, user)
        return access.of_user(reader, place, person.id, key, limit + 1)

    return page_of(await call.read(query), limit, lambda pair: [pair[0].id], _on_target)


async def _page(
    call: Call, type_: str, target_id: str, after: str | None, limit: int
) -> AccessPage:
    place, (key,) = call.place, decode_cursor(after, str) or ("",)

    def query(reader: Reader) -> tuple[list[Shown], Target, bool]:
        scope = targets.scope(reader, place, of_type(reader, place, type_, target_id))
        rows = access.on_target(reader, place, scope, key, limit + 1)
        return rows, scope, access.settled(reader, place, scope)

    rows, scope, settled = await call.read(query)
    page = page_of(rows, limit, lambda one: [one.user], _show)
    return AccessPage(page.items, page.next, scope.id, settled)


async def _table(call: Call, type_: str, target_id: str) -> Stream:
    place = call.place
    scope = await call.read(
        lambda reader: targets.scope(reader, place, of_type(reader, place, type_, target_id))
    )
    headers = {"content-disposition": f'attachment; filename="access-{target_id}.csv"'}
    return Stream(_lines(call, scope), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(call: Call, scope: Target) -> AsyncIterator[str]:
    yield _line(CSV_COLUMNS)
    place, after = call.place, ""
    while True:
        start = after
        rows = await call.read(
            lambda reader: access.on_target(reader, place, scope, start, PAGE_LIMIT)  # noqa: B023
        )
        yield "".join(
            _line((one.user, one.user_name, one.display_name or "", one.level, one.state))
            for one in rows
        )
        if len(rows) < PAGE_LIMIT:
            return
        after = rows[-1].user


def _line(cells: tuple[str, ...]) -> str:
    # A spreadsheet would compute what begins like a formula; an apostrophe makes it a text.
    text = io.StringIO()
    csv.writer(text).writerow([f"'{c}" if c.startswith(_FORMULA) else c for c in cells])
    return text.getvalue()


async def _why(call: Call, type_: str, target_id: str, user: str) -> WhyShape:
    place = call.place

    def query(reader: Reader) -> Why:
        target = of_type(reader, place, type_, target_id)
        return access.why(reader, place, subjects.find(reader, place, USER, user), target)

    found = await call.read(query)
    return WhyShape(
        user=found.user.id,
        user_name=found.user.name,
        active=found.user.active is not False,
        target=found.target.id,
        scope=found.scope.id,
        level=found.level.value if found.level else None,
        state=found.state.value if found.state else None,
        explanation=found.explanation,
        reasons=[
            ReasonShape(
                one.grant, one.level.value, "manual" if one.by_hand else "pushed", list(one.via)
            )
            for one in found.reasons
        ],
    )


def _show(one: Shown) -> AccessShape:
    return AccessShape(one.user, one.user_name, one.display_name, one.level.value, one.state.value)


def _on_target(pair: tuple[Target, Access]) -> TargetAccess:
    target, held = pair
    kind: Literal["Workspace", "Folder"] = "Workspace" if target.type == WORKSPACE else "Folder"
    return TargetAccess(target.id, kind, target.name, held.level.value, held.state.value)


HANDLERS = [
    workspace_access,
    folder_access,
    workspace_table,
    folder_table,
    workspace_why,
    folder_why,
    user_access,
]
