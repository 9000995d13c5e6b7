"""A visit: one request of a browser, with its cookie, its address and what its form sends.

The cookie is `__Host-bridge` where the bridge is reached by https: bound to this host, sent nowhere
else (RFC 6265bis). By plain http, which is for one's own machine, it is `bridge`.

Rule: a form counts only from a page of ours (Origin, Sec-Fetch-Site) and with its session's token.
"""

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from bridge.auth.people import SESSION_SECONDS
from bridge.core.changes import Cause
from bridge.core.errors import Forbidden
from bridge.core.secret import Secret

FORM_BYTES = 16 * 1024
"""Largest form."""

FORM_FIELDS = 50
"""Most fields of a form or a query."""

FORM = "application/x-www-form-urlencoded"

OUTDATED = "This page is out of date. Open it again and repeat."
ELSEWHERE = "This form was not sent from a page of this bridge. Open the page again and repeat."

Ask = Request[Any, Any, Any]
Fields = list[tuple[str, str]]


def cookie_name(issuer: str) -> str:
    """Return the name of the session's cookie under a public address."""
    return "__Host-bridge" if issuer.startswith("https://") else "bridge"


def cookie_of(issuer: str, value: Secret | None) -> Cookie:
    """Return the cookie of a session, or the one that takes it away."""
    return Cookie(
        cookie_name(issuer),
        value=value.reveal() if value else "",
        max_age=SESSION_SECONDS if value else 0,
        path="/",
        secure=issuer.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def cookie_in(request: Ask, issuer: str) -> str | None:
    """Return the text of the session's cookie, if one came."""
    return request.cookies.get(cookie_name(issuer))


def address(request: Ask) -> str:
    """Return the client's address; behind trusted proxies, the one that they saw."""
    return request.client.host if request.client else ""


def cause(actor: str = "console") -> Cause:
    """Return the cause of what a request changes."""
    return Cause(actor, uuid.uuid4().hex, datetime.now(UTC))


def query(request: Ask) -> Fields:
    """Return the parameters of the address, in order, doubled ones too. Raises Forbidden."""
    return _fields(request.scope["query_string"].decode("ascii", "replace"))


async def form(request: Ask) -> Fields:
    """Return the fields of a form, in order, doubled ones too. Raises Forbidden."""
    if request.content_type[0] != FORM:
        raise Forbidden(f"Send the form as {FORM}.")
    return _fields((await request.body()).decode("ascii", "replace"))


def check_origin(request: Ask, issuer: str) -> None:
    """Refuse what a page of another site sends. Raises Forbidden."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    parts = urlsplit(issuer)
    ours = f"{parts.scheme}://{parts.netloc}"
    if origin not in (None, ours) or site not in (None, "same-origin", "none"):
        raise Forbidden(ELSEWHERE)


def local(path: str, otherwise: str) -> str:
    """Return a path of this bridge to go on to, or `otherwise`: never another site's address."""
    known = path == "/console" or path.startswith(("/console/", "/oauth/authorize?"))
    plain = path.isascii() and path.isprintable() and "\\" not in path
    inside = not {"", ".", ".."} & set(path.partition("?")[0].split("/")[1:])
    return path if known and plain and inside else otherwise


def _fields(text: str) -> Fields:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS, errors="strict")
    except ValueError:
        raise Forbidden("This address or form cannot be read.") from None
