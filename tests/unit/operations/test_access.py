"""The access log: listed fields only, one line and one count for each request."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.auth.tokens import Caller
from bridge.operations.access import AccessLog, Routes, naming
from bridge.operations.metrics import Metrics

CANARY = "canary-9f3a"
ROUTES = Routes(["/scim/v2/Users", "/livez"])


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.contextvars.clear_contextvars()


def asked(
    path: str = "/scim/v2/Users", *, status: int = 200, failure: Exception | None = None
) -> tuple[list[MutableMapping[str, Any]], list[Any], Metrics]:
    """Send one request through the log; return log lines, messages sent and metrics."""
    metrics = Metrics()
    authenticate = naming(lambda _header, _address: Caller("org", "conn", "okta", "tok"), metrics)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        authenticate("Bearer secret", "")
        if failure:
            raise failure
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": CANARY.encode(), "more_body": False}

    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": f"filter={CANARY}".encode(),
        "headers": [(b"authorization", CANARY.encode())],
    }
    merge = structlog.contextvars.merge_contextvars
    with capture_logs(processors=[merge]) as lines:
        try:
            asyncio.run(AccessLog(app, ROUTES, metrics)(scope, receive, send))
        except RuntimeError:
            assert failure
    return lines, sent, metrics


def test_the_fields_are_these_and_no_others() -> None:
    (line,), sent, _ = asked()
    assert line.pop("duration_ms") >= 0
    (name, number) = sent[0]["headers"][0]
    assert name == b"x-request-id"
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "route": "/scim/v2/Users",
        "status": 200,
        "request_id": number.decode(),
        "organization": "org",
        "connection": "conn",
    }


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/scim/v2/Users", "/scim/v2/Users"),
        ("/scim/v2/Users/42", "/scim/v2/Users/{id}"),
        (f"/scim/v2/Users/{CANARY}", "/scim/v2/Users/{id}"),
        (f"/{CANARY}", "unmatched"),
        (f"/scim/v2/Users/42/{CANARY}", "unmatched"),
    ],
)
def test_a_path_is_reduced_to_its_route(path: str, route: str) -> None:
    (line,), _, metrics = asked(path)
    assert line["route"] == route
    text = metrics.text().decode()
    assert f'bridge_requests_total{{method="POST",route="{route}",status="200"}} 1.0' in text
    assert CANARY not in text + str(line)


def test_a_failure_is_logged_as_500_without_its_text() -> None:
    (line,), _, _ = asked(failure=RuntimeError(CANARY))
    assert line["status"] == 500
    assert CANARY not in str(line)


def test_probes_are_quiet_unless_they_fail() -> None:
    (line,), _, _ = asked("/livez")
    assert line["log_level"] == "debug"
    (line,), _, _ = asked("/livez", status=503)
    assert line["log_level"] == "info"
