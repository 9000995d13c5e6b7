"""`bridge admin`: tokens of people and programs that administer through the API.

Rule: a token is printed once, when it is made; nobody can read it afterwards.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from bridge.cli.asking import tell
from bridge.cli.common import COMMON, Common, journal_of, operator_cause
from bridge.cli.output import write_rows
from bridge.cli.tenants import the_organization

if TYPE_CHECKING:
    from bridge.journal.store import Reader, Transaction

admin = App(name="admin", help="Tokens for the admin API.", help_formatter="plain")

Of = Annotated[str | None, Parameter(name="--org")]
"""`--org NAME`; the whole installation without it."""

RoleName = Literal["read_only", "operator", "admin"]


@admin.command(name="create")
def create_admin(
    name: str,
    *,
    role: RoleName = "admin",
    org: Of = None,
    expires_days: int | None = None,
    common: Common = COMMON,
) -> None:
    """Make an admin token and print it, once.

    Parameters
    ----------
    name
        Who or what will use it; the audit shows this name.
    role
        read_only, operator (also deliveries, holds, first clicks) or admin (everything).
    org
        The organization that it is for; the whole installation by default.
    expires_days
        Days after which it stops working; never by default.
    """
    from bridge.auth.admins import Role, issue

    loaded, cause = common.load(), operator_cause()
    expires = None
    if expires_days is not None:
        expires = round((cause.at + timedelta(days=expires_days)).timestamp() * 1e6)

    def unit(tx: "Transaction") -> Any:
        key, place = loaded.configuration.server.key, _place(tx, org)
        return issue(tx, key, place, name, Role(role), cause, expires=expires)

    with journal_of(loaded) as journal:
        made, minted = journal.write_now(unit)
    text = minted.text.reveal()
    tell({"id": made.id, "token": text}, text, common)


@admin.command(name="list")
def list_admins(*, org: Of = None, common: Common = COMMON) -> None:
    """List admin tokens; their texts are not kept.

    Parameters
    ----------
    org
        Those of this organization; the installation's own by default.
    """
    from bridge.journal import admins

    with journal_of(common.load()) as journal:
        found = journal.read_now(lambda reader: admins.every(reader, _place(reader, org)))
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "role": one.role,
            "created": _time(one.created),
            "expires": _time(one.expires),
            "revoked": _time(one.revoked),
            "last_used": _time(one.last_used),
        }
        for one in found
    ]
    columns = ("id", "name", "role", "created", "expires", "revoked", "last_used")
    write_rows(rows, columns, as_json=common.json)


@admin.command(name="revoke")
def revoke_admin(id: str, *, org: Of = None, common: Common = COMMON) -> None:  # noqa: A002
    """Revoke an admin token; a running bridge refuses it within a second.

    Parameters
    ----------
    id
        The token's id, as `bridge admin list` shows it (the part after `bra_`).
    org
        The organization that it is for; the whole installation by default.
    """
    from bridge.journal import admins

    cause = operator_cause()
    with journal_of(common.load()) as journal:
        journal.write_now(lambda tx: admins.revoke(tx, _place(tx, org), id, cause, by_own=False))
    tell({"id": id, "revoked": True}, f"Token {id} is revoked.", common)


def _place(reader: "Reader", org: str | None) -> str | None:
    return None if org is None else the_organization(reader, org).id


def _time(micros: int | None) -> str | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC).isoformat()
