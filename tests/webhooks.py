"""A running bridge with webhook backends, and the receivers that they send to.

Rule: every signature is verified by the receiver, and none may fail.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

import httpx

from plugins.webhook_backend.tests.receiver import SECRET, Receiver
from tests.integration.running import Bridge

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MARK = "# webhook"
WAIT_SECONDS = 60.0


def table(name: str, url: str, *lines: str, secret: str = SECRET) -> str:
    own = [
        *(MARK, "[[backends]]", 'type = "webhook"', f'name = "{name}"', f'url = "{url}"'),
        *(f'secret = "{secret}"', 'allow_networks = ["127.0.0.0/8"]', *lines, ""),
    ]
    return "\n".join(["", *own])


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


def client(bridge: Bridge) -> httpx.Client:
    headers = {"authorization": f"Bearer {bridge.token}"}
    return httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=60)


def provision(scim: httpx.Client, name: str) -> str:
    body = {"schemas": [USER], "userName": f"{name}@example.com", "active": True}
    answer = scim.post("/Users", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def told(receiver: Receiver) -> list[tuple[str, str]]:
    return [(one.event["type"], one.event["data"]["id"]) for one in list(receiver.received)]


@contextlib.contextmanager
def receivers(count: int) -> Iterator[list[Receiver]]:
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(contextlib.closing(Receiver())) for _ in range(count)]
        yield made
    assert [refused for one in made for refused in one.refused] == []
