"""`bridge init`, `bridge quickstart` and `bridge serve`.

Rule: what quickstart makes is an ordinary installation; nothing works there that would not work
with a configuration written by hand.
"""

import os
import secrets
import shutil
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from bridge.cli.common import COMMON, Common, Json, journal_of, operator_cause
from bridge.cli.output import say, write_json
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    import socket

    from bridge.config import Loaded

FILE, KEY, TARGET = "bridge.toml", "bridge.key", "people.db"
TOKEN, ADMIN_TOKEN = "scim.token", "admin.token"
"""What quickstart makes in its folder, beside the journal `bridge.db`."""

ADMIN_EMAIL = "admin@localhost"
"""Whose account quickstart makes; the link it prints signs in to it."""

ORGANIZATION, CONNECTION = "quickstart", "okta"

_TEMPLATE = """\
# Directory Bridge. Every key is explained in docs/reference/configuration.md, and by
# `bridge config schema`; `bridge config show` prints what is in effect.
# BRIDGE_SERVER__PORT=9000 in the environment overrides server.port, and so on.

[server]
host = "{host}"
port = {port}
key_file = "{key}"            # tokens are kept as digests under this key: back it up
# public_url = "https://scim.example.com"   # what clients use, if a proxy stands in front

[journal]
url = "sqlite:///bridge.db"    # relative to this file

[log]
# level = "info"
# format = "auto"              # json, unless a terminal is watching
{tables}"""

_SQL_BACKEND = """
[[backends]]
type = "sql"
name = "people"
url = {url}
"""

_GUARD = """
[guard]
changes = 1000   # a trial plays whole days in a minute; the default is 10 in ten minutes
"""
_ROLES = """
# What Okta looks for in an app with entitlements: a resource type of its Role schema.
[[schemas]]
id = "urn:okta:scim:schemas:core:1.0:Role"
name = "Role"
description = "A role that people can have"
attributes = [
  { name = "displayName", required = true, description = "The role's name" },
  { name = "description", description = "What the role is for" },
]

[[resource_types]]
name = "Role"
endpoint = "/Roles"
schema = "urn:okta:scim:schemas:core:1.0:Role"
"""

_EXAMPLES = """
# One table for each target. `bridge check` looks at them, `bridge plan NAME` shows what comes next.
#
# [[backends]]
# type = "sql"
# name = "people"
# url = "sqlite:////var/lib/bridge/people.db"
"""


def init(directory: Path = Path(), *, json: Json = False) -> None:
    """Write a commented configuration file and an install key.

    Parameters
    ----------
    directory
        Where to write bridge.toml and bridge.key.
    json
        Print JSON.
    """
    if (directory / FILE).exists():
        raise OperatorError(
            "BRG-CONFIG-EXISTS", f"{directory / FILE} exists.", "Edit it, or choose another folder."
        )
    _write_installation(directory, "127.0.0.1", 8080, _EXAMPLES)
    if json:
        write_json({"config": str((directory / FILE).absolute())})
    else:
        say(f"Wrote {directory / FILE} and {directory / KEY}.")
        say("Add a backend to it, then: bridge check, bridge serve")


def serve(*, worker: bool = True, common: Common = COMMON) -> None:
    """Serve SCIM and deliver to the backends until SIGTERM or Ctrl-C.

    Parameters
    ----------
    worker
        Deliver as well; with --no-worker, `bridge worker` processes do. Needs PostgreSQL.
    """
    from bridge.bootstrap.server import listen
    from bridge.bootstrap.server import serve as run
    from bridge.operations import logs

    loaded = common.load()
    logs.configure(loaded.configuration.log.level, loaded.configuration.log.format)
    listener = listen(loaded.configuration.server)
    loaded = _at(loaded, listener)
    url = f"{loaded.configuration.server.url}/scim/v2"

    def ready() -> None:
        if common.json:
            write_json({"scim_url": url, "config": str(loaded.path)})
        else:
            say(f"Serving {url}")

    run(loaded, listener, ready, deliver=worker)


def worker(*, backends: str = "", common: Common = COMMON) -> None:
    """Deliver to the backends, and serve nothing, until SIGTERM or Ctrl-C. Needs PostgreSQL.

    Any number of workers may run; each change is delivered by one of them.

    Parameters
    ----------
    backends
        Names of backends, separated by commas; all of them unless given.
    """
    from bridge.bootstrap.worker import work
    from bridge.operations import logs

    loaded = common.load()
    logs.configure(loaded.configuration.log.level, loaded.configuration.log.format)
    names = [name.strip() for name in backends.split(",") if name.strip()]

    def ready() -> None:
        if common.json:
            write_json({"backends": names, "config": str(loaded.path)})
        else:
            say(f"Delivering to {', '.join(names) or 'every backend'}")

    work(loaded, names, ready)


def quickstart(
    *,
    dir: Path = Path("bridge-quickstart"),  # noqa: A002
    host: str | None = None,
    port: int | None = None,
    json: Json = False,
) -> None:
    """Set up a bridge in a folder and serve it; a second time, serve what is there.

    Makes a configuration, a journal, an organization, a connection with a token, and a SQL
    backend on a local SQLite file.

    Parameters
    ----------
    dir
        The folder.
    host
        Address to listen on; 127.0.0.1 the first time.
    port
        TCP port to listen on; 8080 the first time, 0 takes a free one.
    json
        Print the addresses and the token as one line of JSON before anything else.
    """
    from bridge.bootstrap.server import listen
    from bridge.bootstrap.server import serve as run
    from bridge.config import load
    from bridge.operations import logs

    file = dir / FILE
    if not file.exists():
        url = f"sqlite:///{(dir / TARGET).absolute()}"
        tables = _SQL_BACKEND.format(url=_quoted(url)) + _ROLES + _GUARD
        _write_installation(dir, host or "127.0.0.1", 8080 if port is None else port, tables)
    given = {"BRIDGE_SERVER__HOST": host, "BRIDGE_SERVER__PORT": port}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    loaded = load(file, {**os.environ, **flags})
    listener = listen(loaded.configuration.server)
    loaded = _at(loaded, listener)
    token, admin_token, login_url = _token(loaded), _admin_token(loaded), _login_url(loaded)
    logs.configure(loaded.configuration.log.level, loaded.configuration.log.format)

    def ready() -> None:
        if json:
            write_json(_addresses(loaded, token, admin_token, login_url))
        else:
            _welcome(loaded, token, login_url)

    run(loaded, listener, ready)


def _write_installation(directory: Path, host: str, port: int, tables: str) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / KEY).exists():
        _write_private(directory / KEY, secrets.token_urlsafe(48))
    text = _TEMPLATE.format(host=host, port=port, key=KEY, tables=tables)
    (directory / FILE).write_text(text, encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _quoted(text: str) -> str:
    # A TOML basic string: JSON's escapes are a subset of its own.
    from json import dumps

    return dumps(text)


def _at(loaded: "Loaded", listener: "socket.socket") -> "Loaded":
    """Return the configuration with the port that is really listened on."""
    server = attrs.evolve(loaded.configuration.server, port=listener.getsockname()[1])
    return attrs.evolve(loaded, configuration=attrs.evolve(loaded.configuration, server=server))


def _token(loaded: "Loaded") -> str:
    from bridge.cli.tenants import new_connection, new_organization, new_token
    from bridge.journal import tenants

    kept = loaded.directory / TOKEN
    with journal_of(loaded) as journal:
        organization = journal.read_now(lambda r: tenants.find_organization(r, ORGANIZATION))
        organization = organization or new_organization(journal, ORGANIZATION)
        place = organization.id
        connection = journal.read_now(lambda r: tenants.find_connection(r, place, CONNECTION))
        connection = connection or new_connection(journal, organization, CONNECTION, "okta")
        if not kept.exists():
            _, text = new_token(journal, connection, loaded.configuration.server.key)
            _write_private(kept, text.reveal())
    return kept.read_text(encoding="utf-8").strip()


def _admin_token(loaded: "Loaded") -> str:
    from bridge.auth.admins import Role, issue

    kept = loaded.directory / ADMIN_TOKEN
    if not kept.exists():
        key, cause = loaded.configuration.server.key, operator_cause()
        with journal_of(loaded) as journal:
            _, minted = journal.write_now(
                lambda tx: issue(tx, key, None, "quickstart", Role.ADMIN, cause)
            )
        _write_private(kept, minted.text.reveal())
    return kept.read_text(encoding="utf-8").strip()


def _login_url(loaded: "Loaded") -> str:
    from bridge.auth.admins import Role
    from bridge.cli.people import login_link
    from bridge.journal import accounts

    cause, identity = operator_cause(), str(uuid.uuid4())
    with journal_of(loaded) as journal:
        found = journal.read_now(lambda reader: accounts.find(reader, ADMIN_EMAIL))
        if found is None:
            found = journal.write_now(
                lambda tx: accounts.create(
                    tx, identity, ADMIN_EMAIL, "Administrator", Role.ADMIN, cause
                )
            )
        return login_link(loaded, journal, found)


def _addresses(loaded: "Loaded", token: str, admin_token: str, login_url: str) -> dict[str, str]:
    return {
        "scim_url": f"{loaded.configuration.server.url}/scim/v2",
        "token": token,
        "admin_url": f"{loaded.configuration.server.url}/v1",
        "admin_token": admin_token,
        "console_url": f"{loaded.configuration.server.url}/console",
        "console_login_url": login_url,
        "config": str(loaded.path),
    }


def _this_program() -> str:
    found = shutil.which("bridge")
    called = Path(sys.argv[0])
    return "bridge" if found and called.exists() and called.samefile(found) else str(called)


def _welcome(loaded: "Loaded", token: str, login_url: str) -> None:
    url = f"{loaded.configuration.server.url}/scim/v2"
    say(
        f"""
Directory Bridge is serving from {loaded.directory}

  Paste into Okta (application > Provisioning > Integration)
  ----------------------------------------------------------------------------
  SCIM connector base URL             {url}
  Unique identifier field for users   userName
  Supported provisioning actions      Push New Users, Push Profile Updates, Push Groups
  Authentication Mode                 HTTP Header
  Authorization: Bearer               {token}
  ----------------------------------------------------------------------------
  Okta's cloud needs an https:// address that it can reach: put a proxy in front and set
  server.public_url. Without Okta, in another terminal:

  {_this_program()} simulate okta --url {url} --token {token}

  The admin API is at {loaded.configuration.server.url}/v1; its token is in
  {loaded.directory / ADMIN_TOKEN}, its description at /v1/schema.
  Sign in to the console with this link, once, within an hour:

  {login_url}

  Changes arrive in {loaded.directory / TARGET}. Stop with Ctrl-C.
"""
    )
