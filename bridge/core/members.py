"""Edits of a group's membership, kept apart from its document so that one costs one.

Rule: an edit names what to do, never the whole membership it is done to (except a replacement).
"""

from collections.abc import Callable

import attrs

from bridge.core.resources import Member


@attrs.frozen
class AddMembers:
    """Make these resource ids members; those that already are stay as they are.

    With `skip_unknown`, an id that no resource has (any more) is left out instead of refused.
    """

    ids: tuple[str, ...]
    skip_unknown: bool = False


@attrs.frozen
class RemoveMembers:
    """End these memberships; ids that are no members are no error (RFC 7644 3.5.2.2)."""

    ids: tuple[str, ...]


@attrs.frozen
class ReplaceMembers:
    """Make the membership exactly these ids."""

    ids: tuple[str, ...]


@attrs.frozen
class RemoveMatching:
    """End the memberships for which `matches` holds; needs a pass over all members.

    `terms` is how many comparisons that makes for each.
    """

    matches: Callable[[Member], bool]
    terms: int = 1


MemberEdit = AddMembers | RemoveMembers | ReplaceMembers | RemoveMatching
