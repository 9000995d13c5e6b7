"""`bridge grant` and `bridge access`: who may do what, and why.

A running bridge follows what is changed here within a second; without one it follows at its start.

Rule: each command is one call of what the admin API calls.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App

from bridge.cli.asking import PAGE, ask, change, everything, tell
from bridge.cli.common import COMMON, Common
from bridge.cli.output import say, write_json, write_rows
from bridge.cli.tenants import Org
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.core.changes import Cause
    from bridge.journal.grants import Grant
    from bridge.journal.store import Reader, Transaction

grant = App(name="grant", help="Levels on workspaces and folders.", help_formatter="plain")
access = App(name="access", help="Who has access to what, and why.", help_formatter="plain")

LevelName = Literal["view", "check", "edit"]

_GRANT_COLUMNS = ("id", "target", "origin", "subject_name", "subject", "level")


@grant.command(name="give")
def give(
    target: str,
    level: LevelName,
    *,
    group: str | None = None,
    user: str | None = None,
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Grant a level to a group or to one user; a grant that is there gets the level.

    Parameters
    ----------
    target
        Id of a workspace or an invite-only folder, or a workspace's name.
    level
        view, check or edit.
    group
        The group's id, or its name.
    user
        The user's id, or userName.
    org
        The organization; not needed while there is only one.
    """
    from bridge.core.access import Level
    from bridge.core.resources import Entity
    from bridge.journal import grants, subjects, targets

    if (group is None) == (user is None):
        raise OperatorError(
            "BRG-USAGE", "A grant is to one group or to one user.", "Add --group or --user."
        )
    kind, name = ("Group", group) if group is not None else ("User", user)

    def unit(tx: "Transaction", place: str, cause: "Cause") -> "Grant":
        found = targets.named(tx, place, target)
        subject = subjects.find(tx, place, kind, str(name))
        known = grants.find_of(tx, place, found.id, subject.id)
        if known is not None:
            return grants.change(tx, place, known.id, Level(level), cause)
        entity = Entity(place, kind, subject.id)
        return grants.give(tx, place, found, entity, Level(level), cause)

    made = change(common, org, unit)
    tell(_grant_row(made), f"Grant {made.id}: {made.level} to {made.name}", common)


@grant.command(name="list")
def list_grants(
    *,
    target: str | None = None,
    subject: str | None = None,
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """List grants.

    Parameters
    ----------
    target
        Only on this workspace (id or name) or folder (id).
    subject
        Only of this group or user, by id.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import grants, targets

    def query(reader: "Reader", place: str) -> "Sequence[Grant]":
        on = targets.named(reader, place, target).id if target else None
        return everything(
            lambda last: grants.every(
                reader, place, last.id if last else "", PAGE, target=on, subject=subject
            )
        )

    write_rows(map(_grant_row, ask(common, org, query)), _GRANT_COLUMNS, as_json=common.json)


@grant.command(name="take")
def take(id: str, *, org: Org = None, common: Common = COMMON) -> None:  # noqa: A002
    """Take a grant away; whom no other one reaches loses access.

    Parameters
    ----------
    id
        The grant's id, as `bridge grant list` shows it.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import grants

    change(common, org, lambda tx, place, cause: grants.take(tx, place, id, cause))
    tell({"id": id, "taken": True}, f"Grant {id} is taken.", common)


@access.command(name="list")
def list_access(target: str, *, org: Org = None, common: Common = COMMON) -> None:
    """List who has access to a workspace or folder, with level and state.

    Parameters
    ----------
    target
        Id of a workspace or folder, or a workspace's name.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import access as kept
    from bridge.journal import targets

    def query(reader: "Reader", place: str) -> Any:
        scope = targets.scope(reader, place, targets.named(reader, place, target))
        return everything(
            lambda last: kept.on_target(reader, place, scope, last.user if last else "", PAGE)
        )

    rows = [
        {
            "user": one.user,
            "user_name": one.user_name,
            "level": one.level.value,
            "state": one.state.value,
        }
        for one in ask(common, org, query)
    ]
    write_rows(rows, ("user_name", "level", "state", "user"), as_json=common.json)


@access.command(name="why")
def why(user: str, target: str, *, org: Org = None, common: Common = COMMON) -> int:
    """Say why a user has access to a workspace or folder, or has none (exit code 1).

    Parameters
    ----------
    user
        The user's id, or userName.
    target
        Id of a workspace or folder, or a workspace's name.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import access as kept
    from bridge.journal import subjects, targets

    def query(reader: "Reader", place: str) -> Any:
        person = subjects.find(reader, place, "User", user)
        return kept.why(reader, place, person, targets.named(reader, place, target))

    found = ask(common, org, query)
    reasons = [
        {"grant": one.grant, "level": one.level.value, "via": list(one.via)}
        for one in found.reasons
    ]
    if common.json:
        level, state = found.level, found.state
        told = {"explanation": found.explanation, "level": level, "state": state}
        write_json({**told, "reasons": reasons})
    else:
        say(found.explanation)
        for one in reasons:
            through = " > ".join(one["via"]) or "by hand"
            say(f"    {one['level']}: {through} (grant {one['grant']})")
    return 0 if found.level else 1


def _grant_row(one: "Grant") -> dict[str, Any]:
    return {
        "id": one.id,
        "target": one.target,
        "origin": "manual" if one.by_hand else "pushed",
        "subject": one.subject,
        "subject_name": one.name,
        "level": one.level.value,
    }
