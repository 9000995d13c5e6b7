"""`bridge account` and `bridge client`: people who administer, and what they may approve.

Rule: a secret is printed once, when it is made; a password is never an argument.
"""

import getpass
import sys
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from bridge.cli.common import COMMON, Common, journal_of, operator_cause
from bridge.cli.output import say, write_json, write_rows
from bridge.cli.tenants import Org, rows_of, the_connection, the_organization
from bridge.core.errors import OperatorError
from bridge.core.secret import Secret

if TYPE_CHECKING:
    from bridge.config import Loaded
    from bridge.journal.accounts import Account
    from bridge.journal.authorizations import Client
    from bridge.journal.store import Journal, Reader

account = App(name="account", help="People who administer.", help_formatter="plain")
client = App(
    name="client", help="Identity providers that connect by OAuth 2.0.", help_formatter="plain"
)

OKTA_REDIRECTS = (
    "https://system-admin.okta.com/admin/app/cpc/{app}/oauth/callback",
    "https://system-admin.okta-emea.com/admin/app/cpc/{app}/oauth/callback",
    "https://system-admin.oktapreview.com/admin/app/cpc/{app}/oauth/callback",
    "https://system-admin.trexcloud.com/admin/app/cpc/{app}/oauth/callback",
)
"""Where Okta has the answer sent, for an app of this name in its network."""


@account.command(name="create")
def create_account(
    email: str,
    *,
    name: str = "",
    role: Literal["read_only", "operator", "admin"] = "admin",
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Make an account and print a link that signs its person in, once, to begin with.

    Parameters
    ----------
    email
        Its e-mail address, unique; it is what its person signs in with.
    name
        The person's name; the address by default.
    role
        What the person may do: read_only, operator or admin.
    org
        The organization; without it the account is the whole installation's.
    """
    from bridge.journal import accounts

    loaded = common.load()
    with journal_of(loaded) as journal:
        place = journal.read_now(lambda reader: the_organization(reader, org).id) if org else None
        cause, identity = operator_cause(), str(uuid.uuid4())
        made = journal.write_now(
            lambda tx: accounts.create(
                tx, identity, email, name or email, role, cause, organization=place
            )
        )
        _write_link(loaded, journal, made, common)


@account.command(name="list")
def list_accounts(*, common: Common = COMMON) -> None:
    """List the accounts."""
    from bridge.journal import accounts

    with journal_of(common.load()) as journal:
        found = journal.read_now(accounts.every)
    rows = rows_of(found)
    for row in rows:
        row["password"] = row["password"] is not None
    columns = ("email", "name", "role", "organization", "password", "created", "disabled")
    write_rows(rows, columns, as_json=common.json)


@account.command(name="link")
def make_link(email: str, *, common: Common = COMMON) -> None:
    """Print a link that signs an account in, once, within an hour.

    Parameters
    ----------
    email
        The account's address.
    """
    loaded = common.load()
    with journal_of(loaded) as journal:
        _write_link(loaded, journal, _account(journal, email), common)


@account.command(name="password")
def set_password(email: str, *, common: Common = COMMON) -> None:
    """Set an account's password; asks for it, or reads it from standard input.

    Parameters
    ----------
    email
        The account's address.
    """
    from bridge.auth.people import hashed
    from bridge.journal import accounts

    with journal_of(common.load()) as journal:
        found, cause = _account(journal, email), operator_cause()
        made = hashed(_asked_password())
        journal.write_now(lambda tx: accounts.set_password(tx, found, made, cause))
    _write({"email": found.email, "password": True}, f"{found.email} has a new password.", common)


@account.command(name="disable")
def disable_account(email: str, *, common: Common = COMMON) -> None:
    """Let an account sign in no more; who is signed in is signed out.

    Parameters
    ----------
    email
        The account's address.
    """
    from bridge.journal import accounts

    with journal_of(common.load()) as journal:
        found, cause = _account(journal, email), operator_cause()
        journal.write_now(lambda tx: accounts.disable(tx, found, cause))
    _write({"email": found.email, "disabled": True}, f"{found.email} is disabled.", common)


@client.command(name="create")
def create_client(
    name: str,
    *,
    connection: str = "okta",
    redirect_uri: Annotated[Sequence[str], Parameter(negative=())] = (),
    okta_app: str | None = None,
    org: Org = None,
    common: Common = COMMON,
) -> None:
    """Make an OAuth 2.0 client of a connection and print its ID and secret, once.

    Parameters
    ----------
    name
        What its consent page calls it: "Okta", for example.
    connection
        The connection whose tokens it gets.
    redirect_uri
        Where an answer is sent, letter for letter; may be given several times.
    okta_app
        Name of the app in Okta's network: registers Okta's redirect URIs of it.
    org
        The organization; not needed while there is only one.
    """
    from bridge.auth.authorizing import check_redirect_uri
    from bridge.auth.issuing import CLIENT_PREFIX
    from bridge.auth.tokens import mint
    from bridge.journal import authorizations

    okta = [one.format(app=okta_app) for one in OKTA_REDIRECTS] if okta_app else []
    uris = tuple(check_redirect_uri(one) for one in (*redirect_uri, *okta))
    loaded = common.load()
    with journal_of(loaded) as journal:
        found = journal.read_now(lambda reader: the_connection(reader, org, connection))
        minted, cause = mint(loaded.configuration.server.key, CLIENT_PREFIX), operator_cause()
        made = journal.write_now(
            lambda tx: authorizations.create_client(
                tx, found, minted.id, name, minted.digest, uris, cause
            )
        )
    shown = {"client_id": made.id, "client_secret": minted.text.reveal()}
    base = loaded.configuration.server.url
    addresses = {
        "authorize_url": f"{base}/oauth/authorize",
        "token_url": f"{base}/oauth/token",
        "redirect_uris": list(uris),
    }
    lines = [f"{key:<15} {value}" for key, value in {**shown, **addresses}.items()]
    _write({**shown, **addresses}, "\n".join(lines), common)


@client.command(name="list")
def list_clients(*, org: Org = None, common: Common = COMMON) -> None:
    """List the OAuth 2.0 clients of an organization; their secrets are not kept.

    Parameters
    ----------
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import authorizations

    def query(reader: "Reader") -> list["Client"]:
        return authorizations.clients(reader, the_organization(reader, org).id)

    with journal_of(common.load()) as journal:
        rows = rows_of(journal.read_now(query))
    for row in rows:
        del row["digest"]
    columns = ("name", "id", "connection", "redirect_uris", "created", "revoked")
    write_rows(rows, columns, as_json=common.json)


@client.command(name="revoke")
def revoke_client(id: str, *, org: Org = None, common: Common = COMMON) -> None:  # noqa: A002
    """End a client and every token it has; a running bridge refuses them within a second.

    Parameters
    ----------
    id
        The client's id, as `bridge client list` shows it.
    org
        The organization; not needed while there is only one.
    """
    from bridge.journal import authorizations

    with journal_of(common.load()) as journal:
        place = journal.read_now(lambda reader: the_organization(reader, org))
        every = journal.read_now(lambda reader: authorizations.clients(reader, place.id))
        found = next((one for one in every if one.id == id), None)
        if found is None:
            raise OperatorError(
                "BRG-CLIENT-UNKNOWN",
                f"{place.name} has no OAuth client {id}.",
                "Look it up with `bridge client list`.",
            )
        ended, cause = found, operator_cause()
        journal.write_now(lambda tx: authorizations.revoke_client(tx, ended, cause))
    _write({"id": id, "revoked": True}, f"Client {found.name} is revoked.", common)


def login_link(loaded: "Loaded", journal: "Journal", found: "Account") -> str:
    """Return the address of a new one-time sign-in link."""
    from bridge.auth.people import offer_link

    server = loaded.configuration.server
    ticket = journal.write_now(lambda tx: offer_link(tx, server.key, found))
    return f"{server.url}/console/link?ticket={ticket.reveal()}"


def _write_link(loaded: "Loaded", journal: "Journal", found: "Account", common: Common) -> None:
    link = login_link(loaded, journal, found)
    _write({"id": found.id, "email": found.email, "login_url": link}, link, common)


def _account(journal: "Journal", email: str) -> "Account":
    from bridge.journal import accounts

    found = journal.read_now(lambda reader: accounts.find(reader, email))
    if found is None:
        raise OperatorError(
            "BRG-ACCOUNT-UNKNOWN",
            f"There is no account of {email}.",
            "Look it up with `bridge account list`.",
        )
    return found


def _asked_password() -> Secret:
    if not sys.stdin.isatty():
        return Secret(sys.stdin.readline().rstrip("\r\n"))
    first, again = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if first != again:
        raise OperatorError(
            "BRG-PASSWORD-INVALID", "The two passwords differ.", "Run the command again."
        )
    return Secret(first)


def _write(shown: dict[str, Any], text: str, common: Common) -> None:
    if common.json:
        write_json(shown)
    else:
        say(text)
