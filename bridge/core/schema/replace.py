"""Replacing a document as a whole: the meaning of PUT (RFC 7644 section 3.5.1).

Rule: what the client leaves out is cleared, except what it cannot mean to clear: `active`, values
it may not write, and immutable values. (Passwords and members are not part of the document.)
"""

from bridge.core import errors
from bridge.core.resources import Attributes
from bridge.core.schema.normalize import Incoming
from bridge.core.schema.resource_types import ResourceType


def replace(rtype: ResourceType, before: Attributes, incoming: Incoming) -> Attributes:
    """Return the document after a PUT of `incoming`; equal to `before` when nothing changes.

    Raises errors.Mutability when an immutable attribute would change.
    """
    after = dict(incoming.attributes)
    for target in rtype.kept:
        if target.values(before) and not target.values(after):
            source, name = before, target.attribute.name
            if target.extension:
                source = before[target.extension]
                after[target.extension] = {**after.get(target.extension, {}), name: source[name]}
            else:
                after[name] = source[name]
    check_immutable(rtype, before, after)
    return after


def check_immutable(rtype: ResourceType, before: Attributes, after: Attributes) -> None:
    """Raise errors.Mutability when an immutable attribute that had a value has another now."""
    for target in rtype.immutable:
        held = target.values(before)
        if held and held != target.values(after):
            raise errors.Mutability(f"{target} cannot be changed once it is set.")
