"""`/oauth/…`: what an identity provider's OAuth 2.0 settings point to.

    GET  /oauth/authorize      sign in first, then the question: Approve or Deny
    POST /oauth/authorize      the decision
    POST /oauth/token          codes, refresh tokens, client credentials (RFC 6749)
    POST /oauth/revoke         RFC 7009
    GET  /.well-known/oauth-authorization-server    RFC 8414

Rule: what a program reads is JSON by the RFCs; what a person reads is a page.
"""

import time
from typing import Any

from litestar import Response, get, post

from bridge.auth.authorizing import Asked, Refused, Unanswerable, may_approve
from bridge.auth.issuing import GRANT_TYPES, Denied
from bridge.auth.people import STEP_UP_SECONDS
from bridge.console.desk import DeskDependency
from bridge.console.pages import page, see
from bridge.console.signing_in import sign_in_first
from bridge.console.visits import Ask, address, cause, check_origin, cookie_in, form, query
from bridge.core.errors import Forbidden, TooManyRequests
from bridge.journal.accounts import SignedIn

AUTHORIZE = "/oauth/authorize"
TOKEN = "/oauth/token"  # noqa: S105 - a path
REVOKE = "/oauth/revoke"
METADATA = "/.well-known/oauth-authorization-server"

_UNCACHED = {"cache-control": "no-store", "pragma": "no-cache"}
_NOT_YOURS = (
    "Only an administrator of the organization may approve this. Sign in with such an account, or "
    "ask an administrator to connect the identity provider."
)
_OUTDATED = "This page is out of date. Begin again from your identity provider."


@get(AUTHORIZE, include_in_schema=False)
async def authorize(request: Ask, desk: DeskDependency) -> Response[Any]:
    try:
        asked: Asked = await desk.run(desk.authorizing.asked, query(request))
    except Unanswerable as error:
        return _refusal(str(error), 400)
    except Refused as error:
        return see(error.location(desk.issuer))
    cookie = cookie_in(request, desk.issuer)
    signed_in: SignedIn | None = await desk.run(desk.people.who, cookie)
    if signed_in is None or cookie is None or not _recent(signed_in):
        return sign_in_first(f"{AUTHORIZE}?{request.scope['query_string'].decode('ascii')}")
    if not may_approve(signed_in.account, asked.client):
        return _refusal(_NOT_YOURS, 403)
    ticket = await desk.run(desk.authorizing.ask, asked, signed_in.account)
    return page(
        "consent.html",
        answers_to=asked.redirect_uri,
        client=asked.client.name,
        organization=await desk.run(desk.authorizing.organization_name, asked.client),
        account=signed_in.account,
        ticket=ticket.reveal(),
        token=desk.people.form_token(cookie),
    )


@post(AUTHORIZE, include_in_schema=False)
async def decide(request: Ask, desk: DeskDependency) -> Response[Any]:
    check_origin(request, desk.issuer)
    fields, cookie = dict(await form(request)), cookie_in(request, desk.issuer)
    signed_in: SignedIn | None = await desk.run(desk.people.who, cookie)
    if signed_in is None or cookie is None:
        return _refusal(_OUTDATED, 403)
    decision = fields.get("decision")
    ours = desk.people.is_form_token(cookie, fields.get("token", ""))
    if not ours or decision not in ("approve", "deny"):
        raise Forbidden(_OUTDATED)
    own = cause(f"account:{signed_in.account.id}")
    try:
        location = await desk.run(
            lambda: desk.authorizing.decided(
                *(fields.get("ticket", ""), signed_in.account),
                approve=decision == "approve",
                cause=own,
            )
        )
    except Unanswerable as error:
        return _refusal(str(error), 400)
    except Refused as error:
        location = error.location(desk.issuer)
    return see(location)


@post(TOKEN, include_in_schema=False)
async def token(request: Ask, desk: DeskDependency) -> Response[Any]:
    try:
        issued = await desk.run(desk.issuing.issued, *(await _asked_by(request)))
    except Denied as error:
        return _denied(error)
    except TooManyRequests as error:
        return _too_many(error)
    answer = {"access_token": issued.access.reveal(), "token_type": "Bearer"}
    if issued.refresh is not None:
        answer["refresh_token"] = issued.refresh.reveal()
    return Response(
        {**answer, "expires_in": issued.seconds, "scope": "scim"},
        status_code=200,
        headers=_UNCACHED,
    )


@post(REVOKE, include_in_schema=False)
async def revoke(request: Ask, desk: DeskDependency) -> Response[Any]:
    try:
        await desk.run(desk.issuing.revoke, *(await _asked_by(request)))
    except Denied as error:
        return _denied(error)
    except TooManyRequests as error:
        return _too_many(error)
    return Response(None, status_code=200, headers=_UNCACHED)


@get(METADATA, include_in_schema=False)
async def metadata(desk: DeskDependency) -> dict[str, Any]:
    ways = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": desk.issuer,
        "authorization_endpoint": desk.issuer + AUTHORIZE,
        "token_endpoint": desk.issuer + TOKEN,
        "revocation_endpoint": desk.issuer + REVOKE,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "scopes_supported": ["scim", "offline_access"],
        "token_endpoint_auth_methods_supported": ways,
        "revocation_endpoint_auth_methods_supported": ways,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


HANDLERS = [authorize, decide, token, revoke, metadata]


def _recent(signed_in: SignedIn) -> bool:
    return time.time() - signed_in.since / 1_000_000 <= STEP_UP_SECONDS


async def _asked_by(request: Ask) -> tuple[Any, ...]:
    try:
        fields = await form(request)
    except Forbidden as error:
        raise Denied("invalid_request", error.detail) from None
    return fields, request.headers.get("authorization"), address(request), cause()


def _denied(error: Denied) -> Response[Any]:
    headers = dict(_UNCACHED)
    if error.status == 401:
        headers["www-authenticate"] = 'Basic realm="oauth"'
    told = {"error": error.error, "error_description": error.description}
    return Response(told, status_code=error.status, headers=headers)


def _too_many(error: TooManyRequests) -> Response[Any]:
    headers = {**_UNCACHED, "retry-after": str(error.retry_after_seconds)}
    told = {"error": "temporarily_unavailable", "error_description": error.detail}
    return Response(told, status_code=429, headers=headers)


def _refusal(said: str, status: int) -> Response[str]:
    return page("refusal.html", status, said=said, next_step="")
