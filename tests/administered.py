"""A whole bridge in this process, its admin API and its SCIM endpoint on a free port.

Rule: tests drive it as its users do, over HTTP; every test gets an organization of its own.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import httpx
import uvicorn

from bridge.auth.admins import Role, issue
from bridge.bootstrap.assembly import assembled
from bridge.bootstrap.server import listen
from bridge.config import Loaded, load
from bridge.core.changes import Cause
from bridge.core.secret import Secret
from bridge.journal.store import Journal

KEY = "an installation key of 32 letters"
WAIT_SECONDS = 30.0

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Document = dict[str, Any]


@attrs.frozen
class Tenant:
    """An organization: its admin client, and the client of its identity provider."""

    house: "House"
    id: str
    name: str
    admin: httpx.Client
    scim: httpx.Client

    def user(self, name: str) -> str:
        """Provision a user and return its id."""
        body = {"schemas": [USER], "userName": f"{name}@example.com", "displayName": name}
        return str(done(self.scim.post("/Users", json=body), 201)["id"])

    def group(self, name: str, *members: str) -> str:
        """Push a group and return its id."""
        values = [{"value": member} for member in members]
        body = {"schemas": [GROUP], "displayName": name, "members": values}
        return str(done(self.scim.post("/Groups", json=body), 201)["id"])

    def patch(self, path: str, *operations: Document) -> None:
        """Send a PATCH of these operations."""
        body = {"schemas": [PATCH_OP], "Operations": operations}
        answer = self.scim.patch(path, json=body)
        assert answer.status_code in (200, 204), answer.text

    def add(self, group: str, *members: str) -> None:
        """Add members to a group."""
        values = [{"value": member} for member in members]
        self.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": values})

    def remove(self, group: str, member: str) -> None:
        """Take a member out of a group."""
        self.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{member}"]'})

    def activate(self, user: str, *, active: bool) -> None:
        """Deactivate or reactivate a user."""
        self.patch(f"/Users/{user}", {"op": "replace", "value": {"active": active}})

    def workspace(self, name: str) -> str:
        """Make a workspace and return its id."""
        return str(done(self.admin.post("/workspaces", json={"name": name}), 201)["id"])

    def folder(self, workspace: str, name: str, **more: Any) -> str:
        """Make a folder and return its id."""
        body = {"workspace": workspace, "name": name, **more}
        return str(done(self.admin.post("/folders", json=body), 201)["id"])

    def grant(self, target: str, level: str, **subject: str) -> str:
        """Grant a level to `group=` or `user=` and return the grant's id."""
        body = {"target": target, "level": level, **subject}
        return str(done(self.admin.post("/grants", json=body), 201)["id"])

    def access(self, target: str) -> dict[str, tuple[str, str]]:
        """Return level and state of everybody with access, once all is followed."""
        kind = "workspaces" if self.admin.get(f"/workspaces/{target}").is_success else "folders"
        path = f"/{kind}/{target}/access"
        self.house.until(lambda: bool(self._page(path)["settled"]))
        found: dict[str, tuple[str, str]] = {}
        after = None
        while True:
            page = self._page(path, after)
            found |= {one["user"]: (one["level"], one["state"]) for one in page["items"]}
            after = page["next"]
            if after is None:
                return found

    def _page(self, path: str, after: str | None = None) -> Document:
        params = {"limit": "1000"} | ({"after": after} if after else {})
        return done(self.admin.get(path, params=params))


@attrs.frozen
class House:
    """The running bridge."""

    url: str
    journal: Journal
    loaded: Loaded

    def token(self, organization: str | None, role: Role = Role.ADMIN) -> str:
        """Make an admin token."""
        cause = Cause("test", "test", datetime.now(UTC))
        _, minted = self.journal.write_now(
            lambda tx: issue(tx, Secret(KEY), organization, "tests", role, cause)
        )
        return minted.text.reveal()

    def client(self, path: str, token: str) -> httpx.Client:
        """Return a client below a path of the bridge."""
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.url}{path}", headers=headers, timeout=120)

    @contextmanager
    def installation(self) -> Iterator[httpx.Client]:
        """A client with a token of the whole installation."""
        with self.client("/v1", self.token(None)) as client:
            yield client

    @contextmanager
    def tenant(self, name: str | None = None) -> Iterator[Tenant]:
        """Make an organization with a connection, through the API itself."""
        name = name or f"acme {uuid4().hex[:8]}"
        with self.installation() as root:
            organization = done(root.post("/organizations", json={"name": name}), 201)
        with self.client("/v1", self.token(organization["id"])) as admin:
            body = {"name": "okta", "profile": "okta"}
            connection = done(admin.post("/connections", json=body), 201)
            made = done(admin.post("/tokens", json={"connection": connection["id"]}), 201)
            with self.client("/scim/v2", made["token"]) as scim:
                scim.headers["content-type"] = "application/scim+json"
                yield Tenant(self, organization["id"], name, admin, scim)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; fail when it does not within WAIT_SECONDS."""
        pause = threading.Event()
        for _ in range(int(WAIT_SECONDS / 0.02)):
            if holds():
                return
            pause.wait(0.02)
        raise AssertionError(f"not within {WAIT_SECONDS} seconds")


def done(answer: httpx.Response, status: int = 200) -> Document:
    """Check the status of an answer and return its document."""
    assert answer.status_code == status, f"{answer.request.url}: {answer.text}"
    return dict(answer.json()) if answer.content else {}


def refused(answer: httpx.Response, status: int, code: str | None = None) -> Document:
    """Check that an answer is a problem document of this kind and return it."""
    assert answer.status_code == status, f"{answer.request.url}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    document = dict(answer.json())
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document.get("code") == code, document
    return document


@contextmanager
def administered(
    folder: Path, *, journal: str = "sqlite:///journal.db", more: str = ""
) -> Iterator[House]:
    """Serve a bridge from a new installation in `folder`; `more` is added to its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[server]\nport = 0\nkey = "{KEY}"\n[journal]\nurl = "{journal}"\n{more}'
    (folder / "bridge.toml").write_text(text)
    loaded = load(folder / "bridge.toml", {})
    listener = listen(loaded.configuration.server)
    with assembled(loaded) as bridge:
        server = uvicorn.Server(
            uvicorn.Config(bridge.app, log_level="warning", lifespan="on", access_log=False)
        )
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve([listener])), name="administered"
        )
        thread.start()
        try:
            port = listener.getsockname()[1]
            yield House(f"http://127.0.0.1:{port}", bridge.journal, loaded)
        finally:
            server.should_exit = True
            thread.join()
            listener.close()
        if bridge.failure is not None:
            raise bridge.failure
