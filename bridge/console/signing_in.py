"""Signing in and out: by password, or by the one-time link that `bridge account link` prints.

Rule: a link signs in by a button, not by being opened: programs open links too.
"""

from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from bridge.console.desk import Desk, DeskDependency
from bridge.console.pages import page, see
from bridge.console.visits import (
    OUTDATED,
    Ask,
    address,
    cause,
    check_origin,
    cookie_in,
    cookie_of,
    form,
    local,
    query,
)
from bridge.core.errors import Forbidden, TooManyRequests, Unauthorized
from bridge.core.secret import Secret

HOME = "/console"
SIGN_IN = "/console/sign-in"
LINK = "/console/link"

_LATER = "Too many attempts failed. Wait a minute, then try again."


def sign_in_first(next_path: str) -> Response[None]:
    """Send the browser to the sign-in page, and after it to `next_path`."""
    return see(f"{SIGN_IN}?next={quote(next_path, safe='')}")


@get(SIGN_IN, include_in_schema=False)
async def ask(request: Ask) -> Response[str]:
    onward = dict(query(request)).get("next", HOME)
    return _sign_in_page(local(onward, HOME))


@post(SIGN_IN, include_in_schema=False)
async def sign_in(request: Ask, desk: DeskDependency) -> Response[Any]:
    check_origin(request, desk.issuer)
    fields = dict(await form(request))
    onward = local(fields.get("next", HOME), HOME)
    email, password = fields.get("email", ""), Secret(fields.get("password", ""))
    try:
        opened = await desk.run(desk.people.by_password, email, password, address(request), cause())
    except Unauthorized as error:
        return _sign_in_page(onward, email, error.detail, 401)
    except TooManyRequests as error:
        answer = _sign_in_page(onward, email, _LATER, 429)
        answer.headers["retry-after"] = str(error.retry_after_seconds)
        return answer
    return _in(desk, onward, opened.cookie)


@get(LINK, include_in_schema=False)
async def show_link(request: Ask) -> Response[str]:
    return page("link.html", ticket=dict(query(request)).get("ticket", ""), said=None)


@post(LINK, include_in_schema=False)
async def use_link(request: Ask, desk: DeskDependency) -> Response[Any]:
    check_origin(request, desk.issuer)
    ticket = Secret(dict(await form(request)).get("ticket", ""))
    try:
        opened = await desk.run(desk.people.by_link, ticket, address(request), cause())
    except (Unauthorized, TooManyRequests) as error:
        return page("link.html", error.status, ticket="", said=error.detail)
    return _in(desk, HOME, opened.cookie)


@post("/console/sign-out", include_in_schema=False)
async def sign_out(request: Ask, desk: DeskDependency) -> Response[Any]:
    check_origin(request, desk.issuer)
    cookie = cookie_in(request, desk.issuer) or ""
    if not desk.people.is_form_token(cookie, dict(await form(request)).get("token", "")):
        raise Forbidden(OUTDATED)
    await desk.run(desk.people.out, cookie)
    answer = see(SIGN_IN)
    answer.set_cookie(cookie_of(desk.issuer, None))
    return answer


HANDLERS = [ask, sign_in, show_link, use_link, sign_out]


def _in(desk: Desk, onward: str, cookie: Secret) -> Response[None]:
    answer = see(onward)
    answer.set_cookie(cookie_of(desk.issuer, cookie))
    return answer


def _sign_in_page(
    onward: str, email: str = "", said: str | None = None, status: int = 200
) -> Response[str]:
    return page("sign_in.html", status, onward=onward, email=email, said=said)
