"""The routes of the pages, and what becomes of a request that is refused.

Rule: whoever asks for a page gets a page, also when it is a refusal.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Response, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException

from bridge.auth.authorizing import Authorizing
from bridge.auth.failures import Failures
from bridge.auth.issuing import Issuing
from bridge.auth.people import SignIn
from bridge.console import authorization, connecting, operating, organization, sharing, signing_in
from bridge.console.desk import Desk
from bridge.console.pages import STYLE, page, see, style_sheet
from bridge.console.rooms import SignedOut
from bridge.console.signing_in import HOME, sign_in_first
from bridge.console.visits import FORM_BYTES, Ask
from bridge.core.errors import OperatorError, ScimError
from bridge.core.secret import Secret
from bridge.journal.store import Journal


@get("/", include_in_schema=False)
async def root() -> Response[None]:
    return see(HOME)


@get(STYLE, include_in_schema=False)
async def style() -> Response[str]:
    return style_sheet()


_HANDLERS: Sequence[Any] = [
    *(root, style),
    *signing_in.HANDLERS,
    *authorization.HANDLERS,
    *organization.HANDLERS,
    *connecting.HANDLERS,
    *operating.HANDLERS,
    *sharing.HANDLERS,
]

ROUTES: Sequence[str] = sorted({path for handler in _HANDLERS for path in handler.paths})
"""Every path, with its parameters in braces, for the access log."""


def console_routes(journal: Journal, key: Secret, issuer: str, failures: Failures) -> Router:
    """Return the router of the pages; `issuer` is the public address of the bridge."""
    desk = Desk(
        issuer,
        key,
        journal,
        SignIn(journal, key, failures),
        Authorizing(journal, key, issuer),
        Issuing(journal, key, failures),
    )
    return Router(
        "/",
        route_handlers=_HANDLERS,
        dependencies={"desk": Provide(lambda: desk, sync_to_thread=False)},
        request_max_body_size=FORM_BYTES,
        exception_handlers={
            SignedOut: _sign_in_first,
            OperatorError: _not_done,
            ScimError: _refused,
            HTTPException: _unserved,
        },
    )


def _sign_in_first(_request: Ask, error: SignedOut) -> Response[None]:
    return sign_in_first(error.path)


def _not_done(_request: Ask, error: OperatorError) -> Response[str]:
    status = 404 if error.code.endswith("-UNKNOWN") else 409
    return page("refusal.html", status, said=error.problem, next_step=error.next_step)


def _refused(_request: Ask, error: ScimError) -> Response[str]:
    return page("refusal.html", error.status, said=error.detail, next_step="")


def _unserved(_request: Ask, error: HTTPException) -> Response[str]:
    return page("refusal.html", error.status_code, said=error.detail, next_step="")
