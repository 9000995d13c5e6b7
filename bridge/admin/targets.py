"""`/v1/workspaces` and `/v1/folders`: making them, changing them, and the member's first click."""

from typing import Annotated, Any, Literal

import attrs
import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from bridge.admin.bodies import Body
from bridge.admin.calls import ROLE, CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.shapes import time_of
from bridge.auth.admins import Role
from bridge.core.access import FOLDER, WORKSPACE
from bridge.core.names import checked_name
from bridge.core.schema.keys import name_key
from bridge.journal import access, subjects, targets
from bridge.journal.marking import USER
from bridge.journal.store import Reader
from bridge.journal.targets import Target

FolderAccess = Literal["team", "invite_only"]


class WorkspaceShape(msgspec.Struct, frozen=True):
    """A workspace, as it is shown."""

    id: str
    name: str
    version: int
    created: str
    last_modified: str


class FolderShape(msgspec.Struct, frozen=True):
    """A folder, as it is shown; `parent` null at the top of its workspace."""

    id: str
    name: str
    workspace: str
    parent: str | None
    access: FolderAccess
    version: int
    created: str
    last_modified: str


class NewWorkspace(Body, frozen=True):
    """A workspace to make."""

    name: str


class NewFolder(Body, frozen=True):
    """A folder to make."""

    workspace: str
    name: str
    parent: str | None = None
    access: FolderAccess = "team"


class FolderChange(Body, frozen=True):
    """What is to be different about a folder; `parent` null moves it to the top."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    parent: str | msgspec.UnsetType | None = msgspec.UNSET
    access: FolderAccess | msgspec.UnsetType = msgspec.UNSET


class Click(Body, frozen=True):
    """Who clicked: id or userName."""

    user: str


class Joined(msgspec.Struct, frozen=True):
    """What somebody has who joined."""

    user: str
    level: str
    state: str


def show_workspace(target: Target) -> WorkspaceShape:
    """Return a workspace as it is shown."""
    times = (time_of(target.created), time_of(target.last_modified))
    return WorkspaceShape(target.id, target.name, target.version, *times)


def show_folder(target: Target) -> FolderShape:
    """Return a folder as it is shown."""
    kind: FolderAccess = "invite_only" if target.invite_only else "team"
    place = (target.workspace, target.parent, kind, target.version)
    times = (time_of(target.created), time_of(target.last_modified))
    return FolderShape(target.id, target.name, *place, *times)


def of_type(reader: Reader, organization: str, type_: str, target_id: str) -> Target:
    """Return a target of one type. Raises OperatorError BRG-TARGET-UNKNOWN."""
    found = targets.find(reader, organization, target_id)
    if found.type != type_:
        raise targets.unknown(target_id)
    return found


@get("/workspaces", summary="List workspaces")
async def list_workspaces(
    call: CallDependency, after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[WorkspaceShape]:
    """Return the workspaces of an organization, by name."""
    place, (key,) = call.place, decode_cursor(after, str) or ("",)
    rows = await call.read(lambda reader: targets.workspaces(reader, place, key, limit + 1))
    return page_of(rows, limit, lambda one: [name_key(one.name)], show_workspace)


@post("/workspaces", summary="Make a workspace")
async def create_workspace(
    call: CallDependency, data: JSONBody[NewWorkspace]
) -> Response[WorkspaceShape]:
    """Make a workspace."""
    place, name = call.place, checked_name(data.name)
    return await call.change(
        lambda tx, cause: targets.create_workspace(tx, place, name, cause), show_workspace, 201
    )


@get("/workspaces/{target_id:str}", summary="Read a workspace")
async def read_workspace(call: CallDependency, target_id: FromPath[str]) -> WorkspaceShape:
    """Return one workspace."""
    place = call.place
    return show_workspace(await call.read(lambda r: of_type(r, place, WORKSPACE, target_id)))


@patch("/workspaces/{target_id:str}", summary="Rename a workspace")
async def rename_workspace(
    call: CallDependency, target_id: FromPath[str], data: JSONBody[NewWorkspace]
) -> Response[WorkspaceShape]:
    """Give a workspace another name."""
    place, name = call.place, checked_name(data.name)

    def unit(tx: Any, cause: Any) -> Target:
        target = of_type(tx, place, WORKSPACE, target_id)
        return targets.change(tx, place, target, attrs.evolve(target, name=name), cause)

    return await call.change(unit, show_workspace)


@delete("/workspaces/{target_id:str}", summary="Delete a workspace", status_code=204)
async def delete_workspace(call: CallDependency, target_id: FromPath[str]) -> Response[None]:
    """Delete a workspace with its folders and every grant on them."""
    return await _delete(call, WORKSPACE, target_id)


@get("/folders", summary="List the folders of a workspace")
async def list_folders(
    call: CallDependency,
    workspace: Annotated[str, QueryParameter(description="Id of the workspace.")],
    after: After = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[FolderShape]:
    """Return every folder of a workspace, at any depth."""
    place, (key,) = call.place, decode_cursor(after, str) or ("",)

    def query(reader: Reader) -> list[Target]:
        of_type(reader, place, WORKSPACE, workspace)
        return targets.folders(reader, place, workspace, key, limit + 1)

    return page_of(await call.read(query), limit, lambda one: [one.id], show_folder)


@post("/folders", summary="Make a folder")
async def create_folder(call: CallDependency, data: JSONBody[NewFolder]) -> Response[FolderShape]:
    """Make a folder in a workspace, or in a folder of it."""
    place, name = call.place, checked_name(data.name)
    return await call.change(
        lambda tx, cause: targets.create_folder(
            *(tx, place, data.workspace, name, cause),
            parent=data.parent,
            invite_only=data.access == "invite_only",
        ),
        show_folder,
        201,
    )


@get("/folders/{target_id:str}", summary="Read a folder")
async def read_folder(call: CallDependency, target_id: FromPath[str]) -> FolderShape:
    """Return one folder."""
    place = call.place
    return show_folder(await call.read(lambda r: of_type(r, place, FOLDER, target_id)))


@patch("/folders/{target_id:str}", summary="Rename, move or share a folder")
async def change_folder(
    call: CallDependency, target_id: FromPath[str], data: JSONBody[FolderChange]
) -> Response[FolderShape]:
    """Give a folder another name, place or access; what is not named stays."""
    place = call.place
    wanted: dict[str, Any] = {}
    if data.name is not msgspec.UNSET:
        wanted["name"] = checked_name(data.name)
    if data.parent is not msgspec.UNSET:
        wanted["parent"] = data.parent
    if data.access is not msgspec.UNSET:
        wanted["invite_only"] = data.access == "invite_only"

    def unit(tx: Any, cause: Any) -> Target:
        target = of_type(tx, place, FOLDER, target_id)
        return targets.change(tx, place, target, attrs.evolve(target, **wanted), cause)

    return await call.change(unit, show_folder)


@delete("/folders/{target_id:str}", summary="Delete a folder", status_code=204)
async def delete_folder(call: CallDependency, target_id: FromPath[str]) -> Response[None]:
    """Delete a folder with the folders in it and every grant on them."""
    return await _delete(call, FOLDER, target_id)


@post("/workspaces/{target_id:str}/join", summary="First click", opt={ROLE: Role.OPERATOR})
async def join_workspace(
    call: CallDependency, target_id: FromPath[str], data: JSONBody[Click]
) -> Response[Joined]:
    """Make a pending user a member of a workspace."""
    return await _join(call, WORKSPACE, target_id, data)


@post("/folders/{target_id:str}/join", summary="First click", opt={ROLE: Role.OPERATOR})
async def join_folder(
    call: CallDependency, target_id: FromPath[str], data: JSONBody[Click]
) -> Response[Joined]:
    """Make a pending user a member of an invite-only folder, or of what a team folder is in."""
    return await _join(call, FOLDER, target_id, data)


async def _delete(call: CallDependency, type_: str, target_id: str) -> Response[None]:
    place = call.place
    return await call.change(
        lambda tx, cause: targets.end(tx, place, of_type(tx, place, type_, target_id), cause),
        lambda _: None,
        204,
    )


async def _join(
    call: CallDependency, type_: str, target_id: str, data: JSONBody[Click]
) -> Response[Joined]:
    place = call.place

    def unit(tx: Any, cause: Any) -> Any:
        target = of_type(tx, place, type_, target_id)
        user = subjects.find(tx, place, USER, data.user)
        return access.join(tx, place, user, target, cause)

    return await call.change(unit, lambda one: Joined(one.user, one.level, one.state))


HANDLERS = [
    list_workspaces,
    create_workspace,
    read_workspace,
    rename_workspace,
    delete_workspace,
    list_folders,
    create_folder,
    read_folder,
    change_folder,
    delete_folder,
    join_workspace,
    join_folder,
]
