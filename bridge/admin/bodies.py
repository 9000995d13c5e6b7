"""Reading request bodies: strictly, since nobody but programs of ours and yours sends them.

Rule: a body is one JSON object without doubled, unknown or missing names and with values of the
stated types; anything else is refused with the path of what is wrong.
"""

import json
from typing import Any

import msgspec
from litestar import Request

from bridge.core.errors import OperatorError, UnsupportedMediaType

BODY_BYTES = 64 * 1024
"""Largest body of the admin API."""

JSON = "application/json"


class Body(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What every request body is: names beyond the stated ones are refused."""


class Doubled(ValueError):
    """A name stands twice in one object."""


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Refuse a body that is not exactly what the handler takes.

    Raises UnsupportedMediaType and OperatorError BRG-BODY-INVALID.
    """
    wanted = request.route_handler.parsed_fn_signature.parameters.get("data")
    if wanted is None:
        return
    if request.content_type[0] != JSON:
        raise UnsupportedMediaType(f"Send the body as {JSON}.")
    body = await request.body()
    try:
        json.loads(body, object_pairs_hook=_once)
        msgspec.json.decode(body, type=wanted.annotation, strict=True)
    except (msgspec.ValidationError, Doubled) as error:
        raise _invalid(f"{error}.") from None
    except (ValueError, RecursionError):
        raise _invalid("The body is not one JSON object in UTF-8.") from None


def _invalid(said: str) -> OperatorError:
    return OperatorError("BRG-BODY-INVALID", said, "See what it takes at /v1/schema.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Doubled(f"The name {twice!r} stands twice in one object")
    return found
