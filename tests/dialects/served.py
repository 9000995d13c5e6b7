"""A running SCIM endpoint for tests: the real router, a real journal file, a real HTTP server.

Every test gets an organization of its own on the one server of the session: tests do not see each
other for the same reason that customers do not.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import httpx
import uvicorn
from sqlalchemy import bindparam, func, select

from bridge.auth.tokens import Authenticator, mint
from bridge.core.changes import Cause
from bridge.core.schema import STANDARD, Registry
from bridge.core.secret import Secret
from bridge.journal import tables, tenants
from bridge.journal.store import Journal, Reader, Transaction, open_journal, prepared
from bridge.scim import ScimSettings, scim_application
from bridge.scim.identifiers import new_id
from bridge.sealing import Sealer

KEY = Secret("an installation key of 32 letters")

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

Document = dict[str, Any]

_COUNTED = (tables.resource, tables.resource_value, tables.member, tables.change, tables.audit)
_COUNTS = {
    table.name: prepared(
        select(func.count()).where(table.c.organization == bindparam("organization"))
    )
    for table in _COUNTED
}


@attrs.frozen
class Tenant:
    """An organization with one connection and one token, and an HTTP client that speaks for it."""

    served: "Served"
    connection: tenants.Connection
    token_id: str
    token: str
    http: httpx.Client

    def rows(self) -> dict[str, int]:
        """Count what the journal holds of this organization, by table."""
        organization = self.connection.organization

        def count(reader: Reader) -> dict[str, int]:
            return {
                name: reader.rows(statement, organization=organization)[0][0]
                for name, statement in _COUNTS.items()
            }

        return self.served.journal.read_now(count)

    def patch(self, path: str, *operations: Document, **more: Any) -> httpx.Response:
        """Send a PATCH of these operations."""
        body = {"schemas": [PATCH_OP], "Operations": operations}
        return self.http.patch(path, json=body, **more)

    def user(self, name: str = "ann@example.com", /, **attributes: Any) -> Document:
        """Make a user and return it."""
        return created(self.http.post("/Users", json=a_user(name, **attributes)))

    def group(self, name: str = "Sales", *member_ids: str) -> Document:
        """Make a group and return it."""
        members = [{"value": member_id} for member_id in member_ids]
        body = {"schemas": [GROUP], "displayName": name, "members": members}
        return created(self.http.post("/Groups", json=body))

    def members(self, group_id: str) -> set[str]:
        """Return the ids of a group's members."""
        group = self.http.get(f"/Groups/{group_id}").json()
        return {member["value"] for member in group.get("members", ())}

    def find(self, endpoint: str, filter_: str, **parameters: Any) -> Document:
        """Return the list response to a filter."""
        answer = self.http.get(endpoint, params={"filter": filter_, **parameters})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def a_user(name: str = "ann@example.com", /, **attributes: Any) -> Document:
    """Return the body of a POST that makes a user."""
    return {"schemas": [USER], "userName": name, **attributes}


def created(answer: httpx.Response) -> Document:
    """Return the document of a 201."""
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def refused(answer: httpx.Response, status: int, scim_type: str | None = None) -> str:
    """Check that the answer is a SCIM error of this kind; return its detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/scim+json"
    error = answer.json()
    assert error["schemas"] == [ERROR]
    assert error["status"] == str(status)
    assert error.get("scimType") == scim_type
    assert error["detail"]
    return str(error["detail"])


@attrs.frozen
class Served:
    """A SCIM endpoint that answers at `url`."""

    url: str
    journal: Journal
    folder: Path

    def journal_bytes(self) -> bytes:
        """Return all that the journal has written so far."""
        return b"".join(path.read_bytes() for path in self.folder.iterdir())

    @contextmanager
    def tenant(self, profile: str = "lenient") -> Iterator[Tenant]:
        """Make an organization with a connection of this profile."""
        minted = mint(KEY)

        def make(tx: Transaction) -> tenants.Connection:
            cause = Cause("test", "test", datetime.now(UTC))
            organization = tenants.create_organization(tx, new_id(), new_id(), cause)
            connection = tenants.create_connection(
                tx, organization.id, new_id(), "idp", profile, cause
            )
            tenants.create_token(tx, connection, minted.id, minted.digest, cause)
            return connection

        connection = self.journal.write_now(make)
        token = minted.text.reveal()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/scim+json"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as http:
            yield Tenant(self, connection, minted.id, token, http)


@contextmanager
def serving(
    folder: Path,
    registry: Registry = STANDARD,
    settings: ScimSettings | None = None,
    journal_url: str | None = None,
) -> Iterator[Served]:
    """Serve `registry` from a new journal, on a free port of the loopback address.

    The journal is in `folder` unless its address is given.
    """
    journal = open_journal(journal_url or f"sqlite:///{folder / 'journal.sqlite3'}")
    listening = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    chosen = attrs.evolve(settings or ScimSettings(), public_url=origin)
    app = scim_application(journal, registry, Authenticator(journal, KEY), chosen, Sealer(KEY))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Served(f"{origin}/scim/v2", journal, folder)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        journal.close()
