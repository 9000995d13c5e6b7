"""The routes of the pages, and what becomes of a request that is refused.

Rule: whoever asks for a page gets a page, also when it is a refusal.
"""

from typing import Any

from litestar import Response, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException

from bridge.auth.authorizing import Authorizing
from bridge.auth.failures import Failures
from bridge.auth.issuing import Issuing
from bridge.auth.people import SignIn
from bridge.console import authorization, signing_in
from bridge.console.desk import Desk, DeskDependency
from bridge.console.pages import STYLE, page, see, style_sheet
from bridge.console.signing_in import HOME, LINK, SIGN_IN, sign_in_first
from bridge.console.visits import FORM_BYTES, Ask, cookie_in
from bridge.core.errors import ScimError
from bridge.core.secret import Secret
from bridge.journal.store import Journal

ROUTES = (
    *(HOME, SIGN_IN, LINK, "/console/sign-out", STYLE),
    *(authorization.AUTHORIZE, authorization.TOKEN, authorization.REVOKE, authorization.METADATA),
)
"""Every path, for the access log."""


@get(HOME, include_in_schema=False)
async def home(request: Ask, desk: DeskDependency) -> Response[Any]:
    cookie = cookie_in(request, desk.issuer)
    signed_in = await desk.run(desk.people.who, cookie)
    if signed_in is None or cookie is None:
        return sign_in_first(HOME)
    return page("home.html", account=signed_in.account, token=desk.people.form_token(cookie))


@get("/", include_in_schema=False)
async def root() -> Response[None]:
    return see(HOME)


@get(STYLE, include_in_schema=False)
async def style() -> Response[str]:
    return style_sheet()


def console_routes(journal: Journal, key: Secret, issuer: str, failures: Failures) -> Router:
    """Return the router of the pages; `issuer` is the public address of the bridge."""
    desk = Desk(
        issuer,
        SignIn(journal, key, failures),
        Authorizing(journal, key, issuer),
        Issuing(journal, key, failures),
    )
    return Router(
        "/",
        route_handlers=[home, root, style, *signing_in.HANDLERS, *authorization.HANDLERS],
        dependencies={"desk": Provide(lambda: desk, sync_to_thread=False)},
        request_max_body_size=FORM_BYTES,
        exception_handlers={ScimError: _refused, HTTPException: _unserved},
    )


def _refused(_request: Ask, error: ScimError) -> Response[str]:
    return page("refusal.html", error.status, said=error.detail)


def _unserved(_request: Ask, error: HTTPException) -> Response[str]:
    return page("refusal.html", error.status_code, said=error.detail)
