"""Proven here: a request of many megabytes is worked on beside the event loop, not in it.

What is measured is the processor time of the event loop's own thread, so that a busy machine does
not matter.
"""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.auth.tokens import Authenticator, issue
from bridge.core.changes import Cause
from bridge.core.schema import STANDARD, USER
from bridge.journal import record, tenants
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.scim import Application, ScimSettings, scim_application
from bridge.sealing import Sealer
from tests.dialects.served import GROUP, KEY, PATCH_OP

MEMBERS = 20_000
SHARE = 0.3
"""Of all the processor time of a request, what may pass in the event loop."""

IDS = [f"user-{number:032}" for number in range(MEMBERS)]


@attrs.frozen
class Endpoint:
    """The application without a server, and a token."""

    app: Application
    token: str

    def send(self, method: str, path: str, document: Any = None) -> tuple[int, Any, float]:
        """Send one request; return status, document and the event loop's share of the work."""
        body = b"" if document is None else json.dumps(document).encode()
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {
            "type": "http",
            "method": method,
            "path": f"/scim/v2{path}",
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "headers": [(b"authorization", f"Bearer {self.token}".encode())],
        }
        own, all_ = time.thread_time(), time.process_time()
        asyncio.run(self.app(scope, receive, send))
        own, all_ = time.thread_time() - own, time.process_time() - all_
        return sent[0]["status"], json.loads(sent[1]["body"] or b"null"), own / all_


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("large") / "journal.sqlite3"
    opened = open_journal(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def endpoint(journal: Journal) -> Endpoint:
    cause = Cause("test", "test", datetime.now(UTC))

    def make(tx: Transaction) -> str:
        tenants.create_organization(tx, "o", "o", cause)
        connection = tenants.create_connection(tx, "o", "c", "idp", "okta", cause)
        for id_ in IDS:
            record.create(tx, USER, "o", id_, {"userName": id_}, (), cause)
        return issue(tx, KEY, connection, cause).text.reveal()

    token = journal.write_now(make)
    known = Authenticator(journal, KEY)
    app = scim_application(journal, STANDARD, known, ScimSettings(), Sealer(KEY))
    return Endpoint(app, token)


def test_most_of_the_work_is_done_in_other_threads(endpoint: Endpoint) -> None:
    members = [{"value": id_, "display": f"Member {id_}"} for id_ in IDS]
    group = {"schemas": [GROUP], "displayName": "everyone", "members": members}
    status, made, create_share = endpoint.send("POST", "/Groups", group)
    assert (status, len(made["members"])) == (201, MEMBERS)
    path = f"/Groups/{made['id']}"
    status, read, read_share = endpoint.send("GET", path)
    assert (status, read) == (200, made)
    status, _, replace_share = endpoint.send("PUT", path, group)
    assert status == 200
    status, listed, list_share = endpoint.send("GET", "/Groups")
    assert (status, len(listed["Resources"][0]["members"])) == (200, MEMBERS)
    removal = [{"op": "remove", "path": "members", "value": members}]
    patch = {"schemas": [PATCH_OP], "Operations": removal}
    status, left, patch_share = endpoint.send("PATCH", path, patch)
    assert (status, left.get("members")) == (200, None)
    shares = (create_share, read_share, replace_share, list_share, patch_share)
    assert max(shares) < SHARE, shares
