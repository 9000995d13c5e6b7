"""`bridge org`, `bridge connection` and `bridge token`.

Rule: a token is printed once, when it is made; nobody can read it afterwards.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import App, Parameter

from bridge.cli.common import COMMON, Common, journal_of, operator_cause
from bridge.cli.output import say, write_json, write_rows
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.core.secret import Secret
    from bridge.journal.store import Journal, Reader
    from bridge.journal.tenants import Connection, Organization

org = App(name="org", help="Organizations.", help_formatter="plain")
connection = App(
    name="connection", help="Connections of identity providers.", help_formatter="plain"
)
token = App(name="token", help="API tokens of connections.", help_formatter="plain")

Org = Annotated[str | None, Parameter(name="--org")]
"""`--org NAME`; not needed while there is only one."""


@org.command(name="create")
def create_org(name: str, *, common: Common = COMMON) -> None:
    """Make an organization (a tenant).

    Parameters
    ----------
    name
        Its name, unique.
    """
    with journal_of(common.load()) as journal:
        made = new_organization(journal, name)
    _write_one(attrs.asdict(made), f"Organization {made.name} ({made.id})", common)


@org.command(name="list")
def list_orgs(*, common: Common = COMMON) -> None:
    """List the organizations."""
    from bridge.journal import tenants

    with journal_of(common.load()) as journal:
        found = journal.read_now(tenants.list_organizations)
    write_rows(rows_of(found), ("name", "id", "created"), as_json=common.json)


@connection.command(name="create")
def create_connection(
    name: str, *, org: Org = None, profile: str = "okta", common: Common = COMMON
) -> None:
    """Make a connection: one identity provider's way into an organization.

    Parameters
    ----------
    name
        Its name, unique in the organization.
    org
        The organization; not needed while there is only one.
    profile
        The identity provider's dialect: okta, entra, onelogin, jumpcloud, google, lenient, strict.
    """
    with journal_of(common.load()) as journal:
        organization = journal.read_now(lambda reader: the_organization(reader, org))
        made = new_connection(journal, organization, name, profile)
    _write_one(attrs.asdict(made), f"Connection {made.name} ({made.id})", common)


@connection.command(name="list")
def list_connections(*, org: Org = None, common: Common = COMMON) -> None:
    """List the connections of an organization.

    Parameters
    ----------
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import tenants

    with journal_of(common.load()) as journal:
        found = journal.read_now(
            lambda reader: tenants.list_connections(reader, the_organization(reader, org).id)
        )
    write_rows(rows_of(found), ("name", "profile", "id", "created"), as_json=common.json)


@token.command(name="create")
def create_token(
    connection: str,
    *,
    org: Org = None,
    expires_days: int | None = None,
    common: Common = COMMON,
) -> None:
    """Make an API token of a connection and print it, once.

    Parameters
    ----------
    connection
        Name of the connection.
    org
        The organization; not needed while there is only one.
    expires_days
        Days after which the token stops working; never by default.
    """
    loaded = common.load()
    with journal_of(loaded) as journal:
        found = journal.read_now(lambda reader: the_connection(reader, org, connection))
        token_id, text = new_token(journal, found, loaded.configuration.server.key, expires_days)
    _write_one({"id": token_id, "token": text.reveal()}, text.reveal(), common)


@token.command(name="list")
def list_tokens(*, org: Org = None, common: Common = COMMON) -> None:
    """List the tokens of an organization; their texts are not kept.

    Parameters
    ----------
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import tenants

    def query(reader: "Reader") -> list[dict[str, Any]]:
        organization = the_organization(reader, org)
        names = {c.id: c.name for c in tenants.list_connections(reader, organization.id)}
        rows = rows_of(tenants.list_tokens(reader, organization.id))
        for row in rows:
            del row["digest"]
            row["connection"] = names[row["connection"]]
        return rows

    with journal_of(common.load()) as journal:
        rows = journal.read_now(query)
    columns = ("id", "connection", "created", "expires", "revoked", "last_used")
    write_rows(rows, columns, as_json=common.json)


@token.command(name="revoke")
def revoke_token(id: str, *, org: Org = None, common: Common = COMMON) -> None:  # noqa: A002
    """Revoke a token; a running bridge refuses it within a second.

    Parameters
    ----------
    id
        The token's id, as `bridge token list` shows it (the part after `brg_`).
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import tenants

    with journal_of(common.load()) as journal:
        organization = journal.read_now(lambda reader: the_organization(reader, org))
        cause = operator_cause()
        if not journal.write_now(lambda tx: tenants.revoke_token(tx, organization.id, id, cause)):
            raise OperatorError(
                "BRG-TOKEN-UNKNOWN",
                f"{organization.name} has no token {id}.",
                "Look it up with `bridge token list`.",
            )
    _write_one({"id": id, "revoked": True}, f"Token {id} is revoked.", common)


def new_organization(journal: "Journal", name: str) -> "Organization":
    """Write a new organization; raises OperatorError when the name is taken."""
    from bridge.journal import tenants

    cause = operator_cause()
    organization_id = str(uuid.uuid4())
    return journal.write_now(
        lambda tx: tenants.create_organization(tx, organization_id, name, cause)
    )


def new_connection(
    journal: "Journal", organization: "Organization", name: str, profile: str
) -> "Connection":
    """Write a new connection; raises OperatorError for a taken name or an unknown profile."""
    from bridge.core.schema import PROFILES
    from bridge.journal import tenants

    if profile not in PROFILES:
        raise OperatorError(
            "BRG-PROFILE-UNKNOWN",
            f"There is no profile {profile!r}.",
            f"Use one of {', '.join(PROFILES)}.",
        )
    cause = operator_cause()
    connection_id = str(uuid.uuid4())
    return journal.write_now(
        lambda tx: tenants.create_connection(
            tx, organization.id, connection_id, name, profile, cause
        )
    )


def new_token(
    journal: "Journal", connection: "Connection", key: "Secret", expires_days: int | None = None
) -> "tuple[str, Secret]":
    """Write a new token; return its id and, this once, its text."""
    from bridge.auth.tokens import mint
    from bridge.journal import tenants

    cause = operator_cause()
    minted = mint(key)
    expires = None
    if expires_days is not None:
        expires = round((cause.at + timedelta(days=expires_days)).timestamp() * 1e6)
    journal.write_now(
        lambda tx: tenants.create_token(
            tx, connection, minted.id, minted.digest, cause, expires=expires
        )
    )
    return minted.id, minted.text


def the_organization(reader: "Reader", name: str | None) -> "Organization":
    """Return the organization of this name, or the only one; raises OperatorError."""
    from bridge.journal import tenants

    known = tenants.list_organizations(reader)
    found = [one for one in known if name in (None, one.name)]
    if len(found) == 1:
        return found[0]
    if name is None and found:
        raise OperatorError(
            "BRG-ORGANIZATION-WHICH",
            f"There are several organizations: {', '.join(one.name for one in found)}.",
            "Choose one with --org.",
        )
    raise OperatorError(
        "BRG-ORGANIZATION-UNKNOWN",
        f"There is no organization {name!r}." if name else "There is no organization yet.",
        "Make one with `bridge org create NAME`.",
    )


def the_connection(reader: "Reader", organization: str | None, name: str) -> "Connection":
    """Return the connection of this name; raises OperatorError."""
    from bridge.journal import tenants

    found = tenants.find_connection(reader, the_organization(reader, organization).id, name)
    if found is None:
        raise OperatorError(
            "BRG-CONNECTION-UNKNOWN",
            f"There is no connection {name!r}.",
            "Look it up with `bridge connection list`, or make it with `bridge connection create`.",
        )
    return found


_TIMES = ("created", "disabled", "expires", "revoked", "last_used")


def rows_of(values: Any) -> list[dict[str, Any]]:
    """Return values as rows, with their times as text."""
    rows = [attrs.asdict(value) for value in values]
    for row in rows:
        for name in _TIMES:
            if row.get(name) is not None:
                row[name] = datetime.fromtimestamp(row[name] // 1_000_000, UTC).isoformat()
    return rows


def _write_one(row: dict[str, Any], line: str, common: Common) -> None:
    if common.json:
        write_json(row)
    else:
        say(line)
