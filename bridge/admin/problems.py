"""Refusals as `application/problem+json` (RFC 9457), with the code and the next step of the error.

Rule: what went wrong inside is in the log under the request's number, never in an answer.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from bridge.core.errors import OperatorError, ScimError, TooManyRequests, Unavailable

PROBLEM_JSON = "application/problem+json"

_BY_ENDING = {"UNKNOWN": 404, "NONE": 404, "EXISTS": 409, "INVALID": 400, "WHICH": 400}
_BY_CODE = {"BRG-ROLE": 403, "BRG-IDEMPOTENCY-REUSED": 422}


def status_of(error: OperatorError) -> int:
    """Return the HTTP status of an error by its code; 409 where nothing else is said."""
    return _BY_CODE.get(error.code) or _BY_ENDING.get(error.code.rpartition("-")[2], 409)


def problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    next_step: str = "",
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    """Return one problem document."""
    members = {"code": code, "next_step": next_step}
    return Response(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            **{name: value for name, value in members.items() if value},
        },
        status_code=status,
        headers={"content-type": PROBLEM_JSON, **(headers or {})},
    )


def _operator(_request: Request[Any, Any, Any], error: OperatorError) -> Response[Any]:
    status = status_of(error)
    return problem(status, error.problem, code=error.code, next_step=error.next_step)


def _known(_request: Request[Any, Any, Any], error: ScimError) -> Response[Any]:
    headers = {}
    if isinstance(error, Unavailable | TooManyRequests):
        headers["retry-after"] = str(error.retry_after_seconds)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return problem(error.status, error.detail, headers=headers)


def _http(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    if error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unforeseen(_request, error)
    reasons = [
        f"{one.get('key', 'value')}: {one.get('message', '')}"
        for one in (error.extra if isinstance(error.extra, list) else [])
        if isinstance(one, dict)
    ]
    detail = "; ".join(reasons) or error.detail
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    return problem(error.status_code, detail, headers=headers)


def _unforeseen(_request: Request[Any, Any, Any], _error: Exception) -> Response[Any]:
    return problem(
        500,
        "The bridge failed at this request; its log says more under the request's number.",
        code="BRG-INTERNAL",
    )


_Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]
_handlers: dict[int | type[Exception], _Handler] = {
    OperatorError: _operator,
    ScimError: _known,
    HTTPException: _http,
    500: _unforeseen,
}
EXCEPTION_HANDLERS: ExceptionHandlersMap = _handlers
"""For the application: whatever is raised becomes a problem document."""
