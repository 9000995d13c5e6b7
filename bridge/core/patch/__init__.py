"""PATCH: operations on one document, and the edits of a group's members they mean.

    apply(GROUP, attributes, parse_operations(body))

Rule: pure and atomic; operations apply in order to a copy, and an error leaves nothing changed.
"""

from bridge.core.patch.application import Patched, apply
from bridge.core.patch.operations import (
    OPERATIONS_LIMIT,
    PATCH_URN,
    Op,
    PatchOperation,
    parse_operations,
)

__all__ = [
    "OPERATIONS_LIMIT",
    "PATCH_URN",
    "Op",
    "PatchOperation",
    "Patched",
    "apply",
    "parse_operations",
]
