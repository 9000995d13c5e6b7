"""The webhook backend keeps the contract against a receiver that folds events into a state.

The receiver does what the documentation tells receivers to do: verify the signature, drop what it
has had by its id, and what is older than the newest it has seen of the same resource.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from bridge.plugin import FOLDER, WORKSPACE, Access, AccessState, Backend, Level, Secret
from bridge.testing import BackendContract, BackendHarness, Held, Place, held_of
from bridge_webhook.plugin import bridge_backend_types
from bridge_webhook.settings import Settings


class WebhookHarness(BackendHarness):
    type = bridge_backend_types()[0]
    takes_access = True

    def __init__(self, receiver: Any, secret: str) -> None:
        super().__init__()
        self.receiver = receiver
        self.secret = secret
        self.secrets = (secret, secret.removeprefix("whsec_"), "in-the-query")

    def settings(self, url: str) -> Settings:
        return Settings(
            url=url,
            secret=Secret(self.secret),
            allow_networks=("127.0.0.0/8",),
            timeout_seconds=4,
            body_bytes=20_000_000,  # so that big groups are sent in full
        )

    def open(self) -> Backend:
        return self.type.open(self.settings(self.receiver.url))

    def unreachable(self) -> Backend:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return self.type.open(self.settings(f"http://127.0.0.1:{port}/"))

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        over = threading.Event()

        def wait(request: BaseHTTPRequestHandler) -> None:
            over.wait(20)
            request.close_connection = True

        self.receiver.answer.act = wait
        yield
        self.receiver.answer.act = None
        over.set()

    @contextlib.contextmanager
    def forgetful(self) -> Iterator[Backend]:
        with self.stalled():  # the receiver takes in what it does not answer
            yield self.open()

    def held(self, organization: str) -> Held:
        versions: dict[str, int] = {}
        documents: dict[str, Any] = {}
        members: dict[str, frozenset[str]] = {}
        access: dict[str, dict[str, Access]] = {}
        seen: set[str] = set()
        for received in self.receiver.received:
            data, key = received.event["data"], received.event["data"]["id"]
            late = data["version"] < versions.get(key, 0)
            if data["organization"] != organization or late or received.id in seen:
                continue
            seen.add(received.id)
            versions[key] = data["version"]
            if "users" in data:
                users = {user["id"]: user for user in data["users"]}
                held = {k: v for k, v in access.get(key, {}).items() if k not in users}
                if received.event["type"] != "access.revoked":
                    held |= {user: level(told) for user, told in users.items()}
                access[key] = held
                continue
            documents[key] = (data["resource"], data.get("attributes"))
            delta = data.get("members", {"added": [], "removed": []})
            gone = {member["id"] for member in delta["removed"]}
            came = {member["id"] for member in delta["added"]}
            members[key] = (members.get(key, frozenset()) - gone) | came
        return {
            key: Place(document["displayName"], frozenset(access.get(key, {}).values()))
            if resource in {WORKSPACE, FOLDER}
            else held_of(resource, document, members[key])
            for key, (resource, document) in documents.items()
            if document is not None and resource in {"User", "Group", WORKSPACE, FOLDER}
        }


def level(told: Any) -> Access:
    return Access(told["id"], Level(told["level"]), AccessState(told["state"]))


class TestWebhook(BackendContract):
    @pytest.fixture
    def harness(self, receiver: Any) -> WebhookHarness:
        return WebhookHarness(receiver, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
