"""The body of a PATCH request (RFC 7644 section 3.5.2).

Rule: names and operations are read in any case (Entra ID writes `Add`); the shape is not guessed.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from bridge.core.errors import InvalidPath, InvalidSyntax, InvalidValue, NoTarget, PayloadTooLarge

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

OPERATIONS_LIMIT = 100
"""Most operations in one request; the values inside one operation are not counted."""


class Op(StrEnum):
    """What an operation does."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@attrs.frozen
class PatchOperation:
    """One operation; `path` None means that the names are in `value`."""

    op: Op
    path: str | None
    value: Any = None


def parse_operations(body: Mapping[str, Any]) -> tuple[PatchOperation, ...]:
    """Return the operations of a PATCH body, in order.

    Raises InvalidSyntax (shape), InvalidPath, InvalidValue (no value), NoTarget (remove without a
    path) or PayloadTooLarge (more than OPERATIONS_LIMIT).
    """
    named = {key.lower(): value for key, value in body.items()}
    schemas, operations = named.get("schemas"), named.get("operations")
    if not isinstance(schemas, list) or PATCH_URN.lower() not in [str(u).lower() for u in schemas]:
        raise InvalidSyntax(f'A PATCH body needs "schemas": ["{PATCH_URN}"].')
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntax('"Operations" must be a list of one operation or more.')
    if len(operations) > OPERATIONS_LIMIT:
        raise PayloadTooLarge(f"A PATCH has at most {OPERATIONS_LIMIT} operations.")
    return tuple(map(_operation, operations))


def _operation(item: Any) -> PatchOperation:
    if not isinstance(item, dict):
        raise InvalidSyntax("Each of Operations must be an object.")
    named = {key.lower(): value for key, value in item.items()}
    try:
        op = Op(str(named.get("op")).lower())
    except ValueError:
        raise InvalidSyntax('"op" must be add, remove or replace.') from None
    path = named.get("path")
    if path is not None and (not isinstance(path, str) or not path.strip()):
        raise InvalidPath('"path" must be an attribute path, or left out.')
    if op is Op.REMOVE and path is None:
        raise NoTarget("A remove needs a path.")
    if op is not Op.REMOVE and "value" not in named:
        raise InvalidValue(f"{op.capitalize()} needs a value.")
    if path is None and not isinstance(named["value"], dict):
        raise InvalidValue(f"{op.capitalize()} without a path needs an object as its value.")
    return PatchOperation(op, path.strip() if path else None, named.get("value"))
