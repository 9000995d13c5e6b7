"""Journeys: the histories on which the contract's laws are tried.

A journey makes its changes one at a time, so that the world is never ahead of what was delivered.

Rule: every operation on every kind of resource is the last change of some journey.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bridge.plugin import AccessState, ChangeRecord, Level
from bridge.testing.world import World

Journey = Callable[[World], Iterator[ChangeRecord]]
Verb = Callable[[World], Iterable[ChangeRecord]]


def journey(*verbs: Verb) -> Journey:
    def walk(world: World) -> Iterator[ChangeRecord]:
        for verb in verbs:
            yield from verb(world)

    return walk


def user(handle: str, **attributes: Any) -> Verb:
    return lambda world: [world.user(handle, **attributes)]


def group(handle: str, *members: str) -> Verb:
    return lambda world: [world.group(handle, *members)]


def update(handle: str, **attributes: Any) -> Verb:
    return lambda world: [world.update(handle, **attributes)]


def add(handle: str, *members: str) -> Verb:
    return lambda world: [world.members(handle, add=members)]


def remove(handle: str, *members: str) -> Verb:
    return lambda world: [world.members(handle, remove=members)]


def swap(handle: str, leaving: str, coming: str) -> Verb:
    return lambda world: [world.members(handle, add=[coming], remove=[leaving])]


def delete(handle: str) -> Verb:
    return lambda world: world.delete(handle)


def workspace(handle: str) -> Verb:
    return lambda world: [world.workspace(handle)]


def folder(handle: str, within: str, parent: str | None = None) -> Verb:
    return lambda world: [world.folder(handle, within, parent)]


def grant(handle: str, state: AccessState = AccessState.PENDING, **levels: Level) -> Verb:
    return lambda world: [world.access(handle, levels, state)]


def revoke(handle: str, *users: str) -> Verb:
    return lambda world: [world.access(handle, dict.fromkeys(users))]


_ANN, _BOB = user("ann"), user("bob")
_SALES, _BOTH = group("sales", "ann"), group("sales", "ann", "bob")
_RENAME = update(
    "ann",
    userName="ann-baker@example.com",
    name={"givenName": "Ann", "familyName": "Baker"},
    displayName="Ann Baker",
    emails=[{"value": "ann-baker@example.com", "type": "work", "primary": True}],
)
_RICH = user("ann", title="Engineer", phoneNumbers=[{"value": "+46 8 1", "type": "work"}])
_RENAME_GROUP = update("sales", displayName="Sales Europe")

_SPACE, _PLANS = workspace("space"), folder("plans", "space")
_VIEW, _EDIT = grant("space", ann=Level.VIEW, bob=Level.EDIT), grant("space", ann=Level.EDIT)

JOURNEYS: Mapping[str, Journey] = {
    "creates-a-user": journey(_ANN),
    "creates-a-user-of-few-words": journey(
        user("ann", name=None, emails=None, displayName=None, externalId=None)
    ),
    "creates-an-inactive-user": journey(user("ann", active=False)),
    "updates-a-user": journey(_ANN, update("ann", title="Lead", locale="en-US")),
    "renames-a-user": journey(_ANN, _SALES, _RENAME),
    "changes-back-and-forth": journey(
        _RICH, update("ann", title="Lead"), update("ann", title="Engineer")
    ),
    "loses-values": journey(_RICH, update("ann", title=None, phoneNumbers=None, emails=None)),
    "deactivates-a-user": journey(_ANN, _SALES, update("ann", active=False)),
    "comes-back": journey(_ANN, _SALES, update("ann", active=False), update("ann", active=True)),
    "deletes-a-user": journey(_ANN, _BOB, delete("ann")),
    "deletes-a-member": journey(_ANN, _BOB, _BOTH, delete("ann")),
    "deletes-the-last-member": journey(_ANN, _SALES, delete("ann")),
    "creates-an-empty-group": journey(group("sales")),
    "creates-a-group": journey(_ANN, _BOB, _BOTH),
    "adds-a-member": journey(_ANN, _BOB, _SALES, add("sales", "bob")),
    "swaps-members": journey(_ANN, _BOB, _SALES, swap("sales", "ann", "bob")),
    "empties-a-group": journey(_ANN, _SALES, remove("sales", "ann")),
    "fills-an-empty-group": journey(_ANN, group("sales"), add("sales", "ann")),
    "leaves-and-returns": journey(_ANN, _BOB, _BOTH, remove("sales", "ann"), add("sales", "ann")),
    "moves-between-groups": journey(
        _ANN, _SALES, group("support"), remove("sales", "ann"), add("support", "ann")
    ),
    "renames-a-group": journey(_ANN, _SALES, _RENAME_GROUP),
    "renames-and-fills-a-group": journey(_ANN, group("sales"), _RENAME_GROUP, add("sales", "ann")),
    "nests-a-group": journey(_ANN, _SALES, group("all", "sales", "ann")),
    "deletes-a-group": journey(_ANN, _SALES, delete("sales")),
    "deletes-an-empty-group": journey(group("sales"), delete("sales")),
    "access-of-nobody": journey(_SPACE, _PLANS, folder("drafts", "space", "plans")),
    "access-is-granted": journey(_ANN, _BOB, _SPACE, _VIEW),
    "access-rises-and-falls": journey(
        _ANN, _BOB, _SPACE, _VIEW, _EDIT, grant("space", bob=Level.CHECK)
    ),
    "access-is-taken-up": journey(
        _ANN, _BOB, _SPACE, _VIEW, grant("space", AccessState.MEMBER, ann=Level.VIEW)
    ),
    "access-is-revoked": journey(_ANN, _BOB, _SPACE, _VIEW, revoke("space", "ann")),
    "access-is-revoked-and-granted": journey(
        _ANN, _BOB, _SPACE, _VIEW, revoke("space", "ann", "bob"), _EDIT
    ),
    "access-to-a-folder": journey(_ANN, _SPACE, _PLANS, grant("plans", ann=Level.CHECK)),
    "access-to-what-is-renamed": journey(
        _ANN, _BOB, _SPACE, _VIEW, update("space", displayName="Space Two")
    ),
    "access-ends-with-its-user": journey(_ANN, _BOB, _SPACE, _VIEW, delete("ann")),
    "access-ends-with-its-place": journey(
        _ANN, _BOB, _SPACE, _PLANS, _VIEW, delete("plans"), delete("space")
    ),
}
"""By name; the name is the test's id."""


def needs_access(name: str) -> bool:
    """Whether a journey goes through workspaces and folders."""
    return name.startswith("access-")
