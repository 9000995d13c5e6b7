"""What the PATCH tests share: one user, and operations on it in few words."""

from typing import Any

from bridge.core.patch import PATCH_URN, Patched, apply, parse_operations
from bridge.core.schema import ENTERPRISE_URN, LENIENT, USER, Quirk, ResourceType, Tolerance

Document = dict[str, Any]
ANN: Document = {
    "userName": "ann",
    "active": True,
    "name": {"givenName": "Ann", "familyName": "Old"},
    "emails": [
        {"value": "w@x", "type": "work", "primary": True},
        {"value": "h@x", "type": "home"},
    ],
    ENTERPRISE_URN: {"department": "Sales"},
}
REPLACING = Tolerance("replacing", LENIENT.allowed | {Quirk.REPLACE_CREATES})


def op(kind: str, path: str | None = None, value: Any = ...) -> Document:
    parts = {"op": kind} | ({"path": path} if path is not None else {})
    return parts | ({"value": value} if value is not ... else {})


def patched(
    *operations: Document,
    before: Document = ANN,
    tolerance: Tolerance = LENIENT,
    rtype: ResourceType = USER,
) -> Patched:
    body = {"schemas": [PATCH_URN], "Operations": list(operations)}
    return apply(rtype, before, parse_operations(body), tolerance)


def changes(*operations: Document, before: Document = ANN, **more: Any) -> Document:
    """The top-level attributes that differ afterwards; None where one is gone."""
    after = patched(*operations, before=before, **more).attributes
    names = before.keys() | after.keys()
    return {n: after.get(n) for n in names if before.get(n) != after.get(n)}
