"""`bridge workspace` and `bridge folder`: where access is granted.

Rule: each command is one call of what the admin API calls.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from bridge.cli.asking import PAGE, ask, change, everything, tell
from bridge.cli.common import COMMON, Common
from bridge.cli.output import write_rows
from bridge.cli.tenants import Org
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.core.changes import Cause
    from bridge.journal.store import Reader, Transaction
    from bridge.journal.targets import Target

workspace = App(name="workspace", help="Workspaces.", help_formatter="plain")
folder = App(name="folder", help="Folders of workspaces.", help_formatter="plain")

Yes = Annotated[bool, Parameter(negative=())]
FolderAccess = Literal["team", "invite_only"]


@workspace.command(name="create")
def create_workspace(name: str, *, org: Org = None, common: Common = COMMON) -> None:
    """Make a workspace.

    Parameters
    ----------
    name
        Its name, unique in the organization.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import targets

    made = change(
        common, org, lambda tx, place, cause: targets.create_workspace(tx, place, name, cause)
    )
    tell(_target_row(made), f"Workspace {made.name} ({made.id})", common)


@workspace.command(name="list")
def list_workspaces(*, org: Org = None, common: Common = COMMON) -> None:
    """List the workspaces of an organization.

    Parameters
    ----------
    org
        The organization; not needed while there is only one.
    """
    from bridge.core.schema.keys import name_key
    from bridge.journal import targets

    def page(reader: "Reader", place: str, after: Any) -> "Sequence[Target]":
        return targets.workspaces(reader, place, name_key(after.name) if after else "", PAGE)

    found = ask(common, org, lambda reader, place: everything(lambda a: page(reader, place, a)))
    write_rows(map(_target_row, found), ("name", "id"), as_json=common.json)


@workspace.command(name="rename")
def rename_workspace(
    workspace: str, name: str, *, org: Org = None, common: Common = COMMON
) -> None:
    """Give a workspace another name.

    Parameters
    ----------
    workspace
        Its id, or its name now.
    name
        The new name.
    org
        The organization; not needed while there is only one.
    """
    _rename(common, org, workspace, name)


@workspace.command(name="delete")
def delete_workspace(
    workspace: str, *, yes: Yes = False, org: Org = None, common: Common = COMMON
) -> None:
    """Delete a workspace with its folders and every grant on them.

    Parameters
    ----------
    workspace
        Its id, or its name.
    yes
        Needed: everybody loses access to it.
    org
        The organization; not needed while there is only one.
    """
    _end(common, org, workspace, yes=yes)


@folder.command(name="create")
def create_folder(
    workspace: str,
    name: str,
    *,
    parent: str | None = None,
    access: FolderAccess = "team",
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Make a folder in a workspace.

    Parameters
    ----------
    workspace
        The workspace's id, or its name.
    name
        The folder's name, unique at its place.
    parent
        Id of the folder that it lies in; the top of the workspace by default.
    access
        team: as what it lies in. invite_only: only who is granted.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import targets

    def unit(tx: "Transaction", place: str, cause: "Cause") -> "Target":
        around = targets.named(tx, place, workspace)
        invite_only = access == "invite_only"
        return targets.create_folder(
            tx, place, around.id, name, cause, parent=parent, invite_only=invite_only
        )

    made = change(common, org, unit)
    tell(_target_row(made), f"Folder {made.name} ({made.id})", common)


@folder.command(name="list")
def list_folders(workspace: str, *, org: Org = None, common: Common = COMMON) -> None:
    """List the folders of a workspace, at any depth.

    Parameters
    ----------
    workspace
        The workspace's id, or its name.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import targets

    def query(reader: "Reader", place: str) -> "Sequence[Target]":
        around = targets.named(reader, place, workspace)
        return everything(
            lambda last: targets.folders(reader, place, around.id, last.id if last else "", PAGE)
        )

    found = ask(common, org, query)
    write_rows(map(_target_row, found), ("name", "id", "parent", "access"), as_json=common.json)


@folder.command(name="rename")
def rename_folder(folder: str, name: str, *, org: Org = None, common: Common = COMMON) -> None:
    """Give a folder another name.

    Parameters
    ----------
    folder
        Its id.
    name
        The new name.
    org
        The organization; not needed while there is only one.
    """
    _rename(common, org, folder, name)


@folder.command(name="share")
def share_folder(
    folder: str, access: FolderAccess, *, org: Org = None, common: Common = COMMON
) -> None:
    """Make a folder invite-only, so that it can have grants of its own, or the team's again.

    Parameters
    ----------
    folder
        Its id.
    access
        invite_only, or team: refused while it has grants.
    org
        The organization; not needed while there is only one.
    """
    _alter(common, org, folder, invite_only=access == "invite_only")


@folder.command(name="delete")
def delete_folder(
    folder: str, *, yes: Yes = False, org: Org = None, common: Common = COMMON
) -> None:
    """Delete a folder with the folders in it and every grant on them.

    Parameters
    ----------
    folder
        Its id.
    yes
        Needed: everybody loses access to it.
    org
        The organization; not needed while there is only one.
    """
    _end(common, org, folder, yes=yes)


def _rename(common: Common, org: str | None, named: str, name: str) -> None:
    _alter(common, org, named, name=name)


def _alter(common: Common, org: str | None, named: str, **wanted: Any) -> None:
    import attrs

    from bridge.journal import targets

    def unit(tx: "Transaction", place: str, cause: "Cause") -> "Target":
        found = targets.named(tx, place, named)
        return targets.change(tx, place, found, attrs.evolve(found, **wanted), cause)

    made = change(common, org, unit)
    tell(_target_row(made), f"{made.type} {made.name} ({made.id})", common)


def _end(common: Common, org: str | None, named: str, *, yes: bool) -> None:
    from bridge.journal import targets

    if not yes:
        raise OperatorError(
            "BRG-USAGE", "Everybody loses access to it.", "Add --yes if you mean it."
        )
    change(
        common,
        org,
        lambda tx, place, cause: targets.end(tx, place, targets.named(tx, place, named), cause),
    )
    tell({"deleted": named}, f"{named} is deleted.", common)


def _target_row(one: "Target") -> dict[str, Any]:
    row = {"id": one.id, "type": one.type, "name": one.name}
    if one.type == "Folder":
        access = "invite_only" if one.invite_only else "team"
        row |= {"workspace": one.workspace, "parent": one.parent or "", "access": access}
    return row
