"""One HTTP exchange as values: the request that a handler sees, the answer that it returns.

Rule: handlers neither read the socket nor write to it; they return an `Answer` or raise.
"""

from collections.abc import Mapping
from traceback import format_tb
from typing import Any

import attrs
import msgspec
import structlog
from litestar.types import Receive

from bridge.auth.tokens import Caller
from bridge.core.errors import (
    MethodNotAllowed,
    ScimError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from bridge.scim import urns
from bridge.scim.negotiation import SCIM_JSON

log = structlog.get_logger("bridge.scim")

Header = tuple[bytes, bytes]

encode = msgspec.json.Encoder().encode


@attrs.define
class Request:
    """A request whose route and caller are known; the body is still on the wire."""

    method: str
    headers: Mapping[bytes, bytes]
    query_string: bytes
    receive: Receive
    id: str
    caller: Caller


@attrs.define
class Answer:
    """Status, JSON document (None for no body at all) and headers beside the usual ones."""

    status: int
    document: Any = None
    headers: tuple[Header, ...] = ()


class BrokenInside(ScimError):
    """A fault of ours; the log has it under the request's number."""

    status = 500


def broken(error: Exception, number: str) -> BrokenInside:
    """Log a fault of ours under the request's number, and return what the client gets."""
    # Only where it happened: messages and local variables may hold names, tokens and passwords.
    log.error(
        "request failed",
        request_id=number,
        error=type(error).__qualname__,
        where="".join(format_tb(error.__traceback__)),
    )
    return BrokenInside(f"The bridge failed at this request; its log says more about {number}.")


def refusal(error: ScimError) -> Answer:
    """Return the SCIM Error of an exception (RFC 7644 section 3.12), with the headers it needs."""
    document = {"schemas": [urns.ERROR], "status": str(error.status)}
    if error.scim_type is not None:
        document["scimType"] = error.scim_type
    document["detail"] = error.detail
    return Answer(error.status, document, _headers_of(error))


def _headers_of(error: ScimError) -> tuple[Header, ...]:
    match error:
        case Unauthorized(challenges=challenges):
            return tuple((b"www-authenticate", each.encode()) for each in challenges)
        case MethodNotAllowed(allow=allow):
            return ((b"allow", ", ".join(allow).encode()),)
        case (
            TooManyRequests(retry_after_seconds=seconds) | Unavailable(retry_after_seconds=seconds)
        ):
            return ((b"retry-after", str(seconds).encode()),)
    return ()


def wire(answer: Answer, media_type: bytes, request_id: str) -> tuple[list[Header], bytes]:
    """Return the headers and the body as they go over the wire.

    Errors are always `application/scim+json`; nothing that holds people is kept by a cache.
    """
    headers: list[Header] = [
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
        *answer.headers,
    ]
    if answer.document is None:
        return headers, b""
    body = encode(answer.document)
    headers.append((b"content-type", media_type if answer.status < 400 else SCIM_JSON))
    headers.append((b"content-length", str(len(body)).encode()))
    return headers, body
