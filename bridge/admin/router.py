"""The routes of the admin API, and its place in a Litestar application.

Rule: what is served under /v1 is described by the OpenAPI document at /v1/schema.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from litestar import Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from bridge import __version__
from bridge.admin import (
    access,
    auditing,
    backends,
    connections,
    delivering,
    events,
    grants,
    organizations,
    targets,
)
from bridge.admin.bodies import BODY_BYTES
from bridge.admin.calls import Authenticate, Connections, admitted, admitting, audited
from bridge.core.schema import Registry
from bridge.core.schema.disclosure import disclosed
from bridge.core.secret import Secret
from bridge.journal.store import Journal

MOUNT = "/v1"

HANDLERS: Sequence[Any] = [
    handler
    for part in (
        *(organizations, connections, targets, grants, access, backends, delivering, events),
        auditing,
    )
    for handler in part.HANDLERS
]
"""Every operation of the API."""

ROUTES: Sequence[str] = sorted(
    {MOUNT + path for handler in HANDLERS for path in handler.paths} | {f"{MOUNT}/schema"}
)
"""Every path, with its parameters in braces, for the access log."""


def admin_router(
    journal: Journal,
    key: Secret,
    registry: Registry,
    authenticate: Authenticate,
    connections: Connections,
) -> Router:
    """Return the router of the admin API; tokens that it makes are digested under `key`.

    `registry` says what of a resource is never told.
    """

    def disclose() -> events.Disclose:
        return partial(disclosed, registry)

    return Router(
        MOUNT,
        route_handlers=HANDLERS,
        dependencies={
            "call": Provide(admitted, sync_to_thread=False),
            "disclose": Provide(disclose, sync_to_thread=False),
        },
        before_request=admitting(journal, key, authenticate, connections),
        middleware=[audited],
        request_max_body_size=BODY_BYTES,
        security=[{"admin token": []}],
        tags=["admin"],
    )


def openapi() -> OpenAPIConfig:
    """Return what the application needs to describe the API at /v1/schema."""
    bearer = SecurityScheme(
        type="http", scheme="bearer", description="An admin token: `bridge admin create`."
    )
    return OpenAPIConfig(
        title="Directory Bridge",
        version=__version__,
        description="Organizations, workspaces, folders, grants, tokens, backends, deliveries.",
        path=f"{MOUNT}/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(security_schemes={"admin token": bearer}),
    )
