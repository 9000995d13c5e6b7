"""Access: who may do what on a workspace or a folder, and what changed about that.

A target (workspace or folder) is an entity like a user or a group, versioned and delivered the
same way, but no SCIM resource. Its access is not part of its document: it is one `Access` a user,
kept one by one, because a group may have a hundred thousand.

Rule: a user stands at most once in `granted` and at most once in `revoked`; one whose level or
state changes stands in both, with what is and with what was.
"""

from collections.abc import Iterable
from enum import StrEnum

import attrs

WORKSPACE = "Workspace"
"""Entity type; attributes `{"displayName": str}`."""

FOLDER = "Folder"
"""Entity type; attributes `{"displayName": str, "workspace": id, "parent": folder id,
"access": "team" | "invite_only"}`, `parent` absent at the top of a workspace."""

TARGETS = frozenset({WORKSPACE, FOLDER})
"""The entity types that have access."""

RECORD_USERS = 1000
"""Users that the access of one change record names at most; more are several versions."""


class Level(StrEnum):
    """What a user may do on a target, weakest first; comparable by strength."""

    VIEW = "view"
    CHECK = "check"
    EDIT = "edit"

    @property
    def strength(self) -> int:
        """1, 2 or 3."""
        return _STRENGTH[self.value]

    def __lt__(self, other: str) -> bool:
        return self.strength < Level(other).strength

    def __le__(self, other: str) -> bool:
        return self.strength <= Level(other).strength

    def __gt__(self, other: str) -> bool:
        return self.strength > Level(other).strength

    def __ge__(self, other: str) -> bool:
        return self.strength >= Level(other).strength


_STRENGTH = {"view": 1, "check": 2, "edit": 3}


class AccessState(StrEnum):
    """How far a user has come on a target: reached by a grant, or there since the first click."""

    PENDING = "pending"
    MEMBER = "member"


@attrs.frozen(order=True)
class Access:
    """One user's effective access to one target."""

    user: str
    level: Level
    state: AccessState


@attrs.frozen
class AccessDelta:
    """What changed about a target's access: what is (`granted`) and what was (`revoked`)."""

    granted: tuple[Access, ...] = ()
    revoked: tuple[Access, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.granted or self.revoked)

    @property
    def users(self) -> frozenset[str]:
        """Ids of the users whose access changed."""
        return frozenset(access.user for access in (*self.granted, *self.revoked))


UNCHANGED = AccessDelta()


def net(deltas: Iterable[AccessDelta]) -> AccessDelta:
    """Return the one delta that has the same effect as `deltas` in order.

    The first delta that names a user says what was, the last one what is.
    """
    was: dict[str, Access | None] = {}
    now: dict[str, Access | None] = {}
    for delta in deltas:
        for access in delta.revoked:
            was.setdefault(access.user, access)
            now[access.user] = None
        for access in delta.granted:
            was.setdefault(access.user, None)
            now[access.user] = access
    differing = [user for user in now if now[user] != was[user]]
    return AccessDelta(
        granted=tuple(one for user in differing if (one := now[user]) is not None),
        revoked=tuple(old for user in differing if (old := was[user]) is not None),
    )
