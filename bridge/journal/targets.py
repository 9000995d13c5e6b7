"""Workspaces and folders: where access is granted.

Each is an entity with versions, changes and cursors like a user or a group, written by
`bridge.journal.record`; what a query needs of its place is in the table `target`.

A folder's access is `invite_only` (grants of its own) or `team`: as the nearest invite-only folder
around it, or else as its workspace. That place is its scope.

Rule: whoever changes anything in a workspace holds the workspace's row until the end.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import Select, and_, bindparam, delete, func, select, update

from bridge.codec import decode
from bridge.core.access import FOLDER, WORKSPACE
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.core.resources import Attributes, Resource
from bridge.core.schema import Attribute, ResourceType, Schema, Uniqueness
from bridge.core.schema.keys import name_key
from bridge.journal import marking, record, resources
from bridge.journal.statements import ZERO, insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import resource as _r
from bridge.journal.tables import target as _t

FOLDERS = 1000
"""Folders of one workspace at most: all of them go in one transaction when it does."""

DEPTH = 32
"""Folders inside each other at most."""

_name = Attribute("displayName", required=True, description="The name.")
WORKSPACES = ResourceType(
    WORKSPACE,
    "",
    Schema(
        "urn:directory-bridge:Workspace",
        WORKSPACE,
        (attrs.evolve(_name, uniqueness=Uniqueness.SERVER),),
    ),
)
FOLDERS_TYPE = ResourceType(
    FOLDER,
    "",
    Schema(
        "urn:directory-bridge:Folder",
        FOLDER,
        (_name, *(Attribute(name, case_exact=True) for name in ("workspace", "parent", "access"))),
    ),
)
TYPES = {WORKSPACE: WORKSPACES, FOLDER: FOLDERS_TYPE}
"""How the two are stored; no SCIM endpoint serves them."""


@attrs.frozen
class Target:
    """A workspace or a folder. Times are microseconds since 1970 UTC.

    `parent` is the folder around a folder, None at the top. A workspace is its own `workspace` and
    has access of its own, as an invite-only folder has.
    """

    id: str
    type: str
    name: str
    workspace: str
    parent: str | None
    invite_only: bool
    version: int
    created: int
    last_modified: int


_targets: Select[Any] = (
    select(
        *(_t.c.id, _t.c.type, _r.c.document, _t.c.workspace, _t.c.parent, _t.c.invite_only),
        *(_r.c.version, _r.c.created, _r.c.last_modified),
    )
    .join(_r, and_(_r.c.organization == _t.c.organization, _r.c.id == _t.c.id))
    .where(_t.c.organization == bindparam("organization"), _r.c.deleted == ZERO)
)
_ONE = prepared(_targets.where(_t.c.id == bindparam("id")))
_workspaces = _targets.where(_r.c.organization == bindparam("organization"), _r.c.type == WORKSPACE)
_NAMED = prepared(_workspaces.where(_r.c.name_key == bindparam("name_key")))
_WORKSPACES = prepared(
    _workspaces.where(_r.c.name_key > bindparam("after"))
    .order_by(_r.c.name_key)
    .limit(bindparam("count"))
)
_folders = _targets.where(_t.c.workspace == bindparam("workspace"), _t.c.type == FOLDER)
_FOLDERS = prepared(
    _folders.where(_t.c.id > bindparam("after")).order_by(_t.c.id).limit(bindparam("count"))
)
_COUNT = prepared(
    select(func.count()).where(
        _t.c.organization == bindparam("organization"),
        _t.c.workspace == bindparam("workspace"),
        _t.c.type == FOLDER,
    )
)
_SIBLINGS = prepared(
    select(_t.c.id)
    .join(_r, and_(_r.c.organization == _t.c.organization, _r.c.id == _t.c.id))
    .where(
        _t.c.organization == bindparam("organization"),
        _t.c.workspace == bindparam("workspace"),
        _t.c.type == FOLDER,
        func.coalesce(_t.c.parent, "") == bindparam("parent"),
        _r.c.display_key == bindparam("key"),
    )
)
_BELOW = prepared(
    select(_t.c.id, _t.c.parent).where(
        _t.c.organization == bindparam("organization"),
        _t.c.workspace == bindparam("workspace"),
        _t.c.type == FOLDER,
    )
)
_NEW = prepared(insert_into(_t))
_OF_ID = (_t.c.organization == bindparam("organization"), _t.c.id == bindparam("target_id"))
_PLACE = prepared(
    update(_t)
    .where(*_OF_ID)
    .values(parent=bindparam("parent"), invite_only=bindparam("invite_only"))
)
_DROP = prepared(delete(_t).where(*_OF_ID))


def find(reader: Reader, organization: str, target_id: str) -> Target:
    """Return a workspace or folder. Raises OperatorError BRG-TARGET-UNKNOWN."""
    row = reader.row(_ONE, organization=organization, id=target_id)
    if row is None:
        raise unknown(target_id)
    return _target(row)


def find_workspace(reader: Reader, organization: str, name: str) -> Target | None:
    """Return the workspace of this name, in any case, or None."""
    row = reader.row(_NAMED, organization=organization, name_key=name_key(name))
    return _target(row) if row else None


def named(reader: Reader, organization: str, text: str) -> Target:
    """Return the workspace or folder of this id, or else the workspace of this name.

    Raises OperatorError BRG-TARGET-UNKNOWN.
    """
    found = find_workspace(reader, organization, text)
    if found is None or reader.row(_ONE, organization=organization, id=text):
        return find(reader, organization, text)
    return found


def unknown(target_id: str) -> OperatorError:
    """Return the error for an id that no workspace and no folder has."""
    return OperatorError(
        "BRG-TARGET-UNKNOWN",
        f"There is no workspace or folder {target_id}.",
        "Look it up with `bridge workspace list` or `bridge folder list`.",
    )


def workspaces(reader: Reader, organization: str, after: str, count: int) -> list[Target]:
    """Return up to `count` workspaces by the key of their name, from after the key `after`."""
    rows = reader.rows(_WORKSPACES, organization=organization, after=after, count=count)
    return [_target(row) for row in rows]


def folders(
    reader: Reader, organization: str, workspace: str, after: str, count: int
) -> list[Target]:
    """Return up to `count` folders of a workspace, whatever their depth, from after id `after`."""
    rows = reader.rows(
        _FOLDERS, organization=organization, workspace=workspace, after=after, count=count
    )
    return [_target(row) for row in rows]


def scope(reader: Reader, organization: str, target: Target) -> Target:
    """Return where a target's access is decided: itself, or what a team folder is part of."""
    while target.type == FOLDER and not target.invite_only:
        target = find(reader, organization, target.parent or target.workspace)
    return target


def create_workspace(tx: Transaction, organization: str, name: str, cause: Cause) -> Target:
    """Make a workspace. Raises OperatorError BRG-WORKSPACE-EXISTS for a name that is taken."""
    _refuse_taken(tx, organization, name)
    return _create(tx, organization, WORKSPACES, {"displayName": name}, cause)


def create_folder(
    tx: Transaction,
    organization: str,
    workspace_id: str,
    name: str,
    cause: Cause,
    *,
    parent: str | None = None,
    invite_only: bool = False,
) -> Target:
    """Make a folder in a workspace, or in a folder of it.

    Raises OperatorError BRG-TARGET-UNKNOWN, BRG-FOLDER-EXISTS (a name beside it), BRG-FOLDER-LIMIT
    and BRG-FOLDER-PLACE (a parent in another workspace, or too deep).
    """
    _hold(tx, organization, workspace_id)
    if (found := tx.row(_COUNT, organization=organization, workspace=workspace_id)) and (
        found[0] >= FOLDERS
    ):
        raise OperatorError(
            "BRG-FOLDER-LIMIT",
            f"A workspace has {FOLDERS} folders at most.",
            "Delete some, or make another workspace.",
        )
    _check_place(tx, organization, workspace_id, parent, moved=None)
    _refuse_sibling(tx, organization, workspace_id, parent, name, itself=None)
    document = _folder_document(name, workspace_id, parent, invite_only=invite_only)
    return _create(tx, organization, FOLDERS_TYPE, document, cause)


def change(
    tx: Transaction, organization: str, target: Target, wanted: Target, cause: Cause
) -> Target:
    """Give a target the name, parent and access of `wanted`, and return it.

    Raises OperatorError as creating does, and BRG-FOLDER-GRANTED for an invite-only folder with
    grants that is to be the team's: the grants would be lost, and others let in, unsaid.
    """
    before = hold(tx, organization, target)
    if target.type == WORKSPACE:
        if name_key(wanted.name) != name_key(target.name):
            _refuse_taken(tx, organization, wanted.name)
        after: Attributes = {"displayName": wanted.name}
    else:
        _check_place(tx, organization, target.workspace, wanted.parent, moved=target.id)
        _refuse_sibling(
            tx, organization, target.workspace, wanted.parent, wanted.name, itself=target.id
        )
        if target.invite_only and not wanted.invite_only:
            marking.refuse_granted(tx, organization, target.id)
        place = (wanted.name, target.workspace, wanted.parent)
        after = _folder_document(*place, invite_only=wanted.invite_only)
    record.update(tx, TYPES[target.type], before, after, (), cause)
    tx.run(
        _PLACE,
        organization=organization,
        target_id=target.id,
        parent=wanted.parent,
        invite_only=int(wanted.invite_only),
    )
    return find(tx, organization, target.id)


def end(tx: Transaction, organization: str, target: Target, cause: Cause) -> None:
    """Delete a target, what is in it, and every grant on them. Nobody has access any more."""
    hold(tx, organization, target)
    inside = _inside(tx, organization, target)
    for each in sorted(inside):
        found = resources.get_any(tx, organization, each)
        if found is not None and each != target.id:
            _bury(tx, found, cause)
    found = resources.get_any(tx, organization, target.id)
    if found is not None:
        _bury(tx, found, cause)


def _bury(tx: Transaction, found: Resource, cause: Cause) -> None:
    entity = found.entity
    marking.target_ended(tx, entity.organization, entity.id, cause)
    record.delete(tx, TYPES[entity.type], found, cause)
    tx.run(_DROP, organization=entity.organization, target_id=entity.id)


def _create(
    tx: Transaction, organization: str, rtype: ResourceType, document: Attributes, cause: Cause
) -> Target:
    target_id = str(uuid.uuid4())
    record.create(tx, rtype, organization, target_id, document, (), cause)
    own = rtype is WORKSPACES
    tx.run(
        _NEW,
        organization=organization,
        id=target_id,
        type=rtype.name,
        workspace=target_id if own else document["workspace"],
        parent=document.get("parent"),
        invite_only=int(own or document["access"] == "invite_only"),
    )
    return find(tx, organization, target_id)


def _folder_document(
    name: str, workspace: str, parent: str | None, *, invite_only: bool
) -> Attributes:
    inside = {"parent": parent} if parent else {}
    access = "invite_only" if invite_only else "team"
    return {"displayName": name, "workspace": workspace, **inside, "access": access}


def _hold(tx: Transaction, organization: str, workspace_id: str) -> Resource:
    held = resources.get(tx, WORKSPACES, organization, workspace_id)
    if held is None:
        raise unknown(workspace_id)
    return held


def hold(tx: Transaction, organization: str, target: Target) -> Resource:
    """Hold a target and its workspace until the end; raises OperatorError BRG-TARGET-UNKNOWN."""
    workspace = _hold(tx, organization, target.workspace)
    if target.type == WORKSPACE:
        return workspace
    found = resources.get(tx, FOLDERS_TYPE, organization, target.id)
    if found is None:  # it went while the workspace was waited for
        raise unknown(target.id)
    return found


def _inside(reader: Reader, organization: str, target: Target) -> set[str]:
    rows = reader.rows(_BELOW, organization=organization, workspace=target.workspace)
    if target.type == WORKSPACE:
        return {row[0] for row in rows}
    inside = {target.id}
    while True:
        more = {id_ for id_, parent in rows if parent in inside and id_ not in inside}
        if not more:
            return inside - {target.id}
        inside |= more


def _check_place(
    tx: Transaction, organization: str, workspace: str, parent: str | None, moved: str | None
) -> None:
    seen: Sequence[str] = ()
    while parent is not None:
        above = find(tx, organization, parent)
        if above.workspace != workspace or above.type != FOLDER or above.id == moved:
            raise OperatorError(
                "BRG-FOLDER-PLACE",
                "A folder lies in a folder of the same workspace, and not in itself.",
                "Name another parent, or none for the top of the workspace.",
            )
        seen, parent = (*seen, above.id), above.parent
    if len(seen) >= DEPTH:
        raise OperatorError(
            "BRG-FOLDER-PLACE",
            f"Folders lie {DEPTH} deep at most.",
            "Name a parent further up.",
        )


def _refuse_taken(tx: Transaction, organization: str, name: str) -> None:
    if find_workspace(tx, organization, name):
        raise OperatorError(
            "BRG-WORKSPACE-EXISTS",
            f"There is a workspace {name!r} already.",
            "Use it, or choose another name.",
        )


def _refuse_sibling(
    tx: Transaction,
    organization: str,
    workspace: str,
    parent: str | None,
    name: str,
    itself: str | None,
) -> None:
    rows = tx.rows(
        _SIBLINGS,
        organization=organization,
        workspace=workspace,
        parent=parent or "",
        key=name_key(name),
    )
    if any(row[0] != itself for row in rows):
        raise OperatorError(
            "BRG-FOLDER-EXISTS",
            f"There is a folder {name!r} at that place already.",
            "Use it, or choose another name.",
        )


def _target(row: Sequence[Any]) -> Target:
    id_, type_, document, workspace, parent, invite_only, *versions = row
    name = decode(document)["displayName"]
    return Target(id_, type_, name, workspace, parent, bool(invite_only), *versions)
