"""The webhook backend keeps the contract against a receiver that folds events into a state.

The receiver does what the documentation tells receivers to do: verify the signature, and drop an
event whose version is not above the highest one seen of its resource.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from bridge.plugin import Backend, Secret
from bridge.testing import BackendContract, BackendHarness, Held, Person, Team
from bridge_webhook.plugin import bridge_backend_types
from bridge_webhook.settings import Settings


class WebhookHarness(BackendHarness):
    type = bridge_backend_types()[0]

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

    def held(self, organization: str) -> Held:
        versions: dict[str, int] = {}
        documents: dict[str, Any] = {}
        members: dict[str, frozenset[str]] = {}
        for received in self.receiver.received:
            data = received.event["data"]
            key = data["id"]
            if data["organization"] != organization or data["version"] <= versions.get(key, 0):
                continue
            versions[key] = data["version"]
            documents[key] = (data["resource"], data.get("attributes"))
            delta = data.get("members", {"added": [], "removed": []})
            gone = {member["id"] for member in delta["removed"]}
            came = {member["id"] for member in delta["added"]}
            members[key] = (members.get(key, frozenset()) - gone) | came
        return {
            key: held(resource, document, members[key])
            for key, (resource, document) in documents.items()
            if document is not None and resource in {"User", "Group"}
        }


def held(resource: str, document: Any, members: frozenset[str]) -> Person | Team:
    if resource == "Group":
        return Team(document["displayName"], members)
    name, emails = document.get("name", {}), document.get("emails", [])
    return Person(
        document["userName"],
        name.get("givenName"),
        name.get("familyName"),
        emails[0]["value"] if emails else None,
        document["active"],
    )


class TestWebhook(BackendContract):
    @pytest.fixture
    def harness(self, receiver: Any) -> WebhookHarness:
        return WebhookHarness(receiver, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
