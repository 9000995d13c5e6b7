"""Members that come and go, cut into modifies that a server takes.

Rule: a modify holds at most `members_per_modify` values and `bytes_per_modify` bytes of them.
"""

from collections.abc import Iterator, Sequence

import attrs

from bridge_ldap.settings import Settings
from bridge_ldap.steps import ModifyMembers

VALUE_OVERHEAD_BYTES = 8
"""What a value costs in a request besides its own bytes (BER tags and lengths)."""

Edit = tuple[bool, str]
"""What is held of a member, and whether it comes (True) or goes."""


def chunks(settings: Settings, edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Yield the edits in order, in parts that one modify may hold."""
    chunk: list[Edit] = []
    size = 0
    for edit in edits:
        cost = len(edit[1].encode()) + VALUE_OVERHEAD_BYTES
        if chunk and (
            len(chunk) >= settings.members_per_modify or size + cost > settings.bytes_per_modify
        ):
            yield chunk
            chunk, size = [], 0
        chunk.append(edit)
        size += cost
    if chunk:
        yield chunk


def modifies(
    settings: Settings, group: ModifyMembers, added: Sequence[str], removed: Sequence[str]
) -> Iterator[ModifyMembers]:
    """Yield the steps that add and remove these members; `group` says of which group."""
    for chunk in chunks(settings, [(True, n) for n in added] + [(False, n) for n in removed]):
        come = tuple(name for comes, name in chunk if comes)
        go = tuple(name for comes, name in chunk if not comes)
        yield attrs.evolve(group, added=come, removed=go)
