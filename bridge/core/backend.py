"""The port: what a backend is to the host.

A backend is synchronous and owns one connection to its target; the host opens one per slot and
calls each from one thread only. Deadlines, ordering, retries, guard, audit and redaction of what
is stored belong to the host.

Rule: `plan` is pure. Whatever touches the target is in `check`, `execute` or `observe`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import attrs

from bridge.core.changes import ChangeRecord
from bridge.core.delivery import DIRECTORY, Schedule
from bridge.core.resources import Entity

CONTRACT_VERSION = 1
"""Grows when a backend written for the old contract would misbehave under the new one."""


@attrs.frozen
class Link:
    """Ties a resource to its identity in one target.

    `target_id` is immutable there (entryUUID, primary key); `name` is where it was last seen
    (a DN) and may change. The host stores links and hands them to `plan`.
    """

    resource_id: str
    target_id: str
    name: str = ""


@runtime_checkable
class Step(Protocol):
    """One operation on the target. `str(step)` is what a person reads: LDIF, SQL, an HTTP request.

    The text is complete and stable (dry run, audit line and golden file are this text), and
    secrets in it are shown as `***`.
    """

    def __str__(self) -> str: ...


@attrs.frozen
class Plan:
    """The steps that bring one entity to `version` in the target; no steps means in sync."""

    entity: Entity
    version: int
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)


@attrs.frozen
class Receipt:
    """What `execute` achieved. `links` are new or changed; `already` means nothing was to do."""

    links: tuple[Link, ...] = ()
    already: bool = False


@attrs.frozen
class Observed:
    """What the target holds for one resource; `link` None means that it holds nothing.

    `state` is the backend's own frozen value; the host only hands it back to `plan`.
    """

    resource_id: str
    link: Link | None = None
    state: Any = None


@attrs.frozen
class Finding:
    """One result of `check`: `code` (BRG-…), what was found, and what to do (empty when fine)."""

    ok: bool
    code: str
    message: str
    next_step: str = ""


@runtime_checkable
class Backend(Protocol):
    """One slot's worth of a target: one connection, called from one thread."""

    def check(self) -> Sequence[Finding]:
        """Look at settings, connection, rights and schema of the target; change nothing.

        Raises BackendDown when the target cannot be reached at all.
        """
        ...

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        """Return the steps for one entity's pending versions, in order. Pure.

        `links` holds what is known of the entity itself and of `references` of the changes, by
        resource id. Without `observed` the changes' own before and after are trusted: O(change)
        steps. With `observed`, `changes` is one snapshot (a CREATE record) or one deletion, and
        the plan converges from what is there. No steps: in sync.

        Raises Defer when a needed link is missing, Park when the change cannot be expressed.
        """
        ...

    def execute(self, plan: Plan) -> Receipt:
        """Do the steps. Safe to repeat: doing a plan twice equals doing it once.

        Raises a NotApplied error when the target is not (surely) at the plan's version.
        """
        ...

    def close(self) -> None:
        """Release the connection; never raises."""
        ...


@runtime_checkable
class Observer(Protocol):
    """Optional capability: reading the target, for conflicts, adoption and drift."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        """Return what the target holds for each snapshot, in order (link None where nothing).

        Looks by the link's immutable `target_id` first, then where the resource should be.
        Raises BackendDown or RetryLater when it could not be read.
        """
        ...


@attrs.frozen
class BackendType:
    """What a plugin registers: a kind of backend that the configuration can name.

    `settings` is an attrs class; the host structures the `[[backends]]` table into it.
    `open(settings)` makes one slot's backend and must not connect before it is used.
    `takes_passwords(settings)` tells whether it applies the `password` of a change record; only
    for one that does are passwords kept, sealed, until it has them.
    `takes(settings)` names the entity types that it is given, None for all of them. A type without
    `takes` is given every resource type, and no workspaces and folders.
    `coalesces` False: the backend wants every change on its own (one event each).
    """

    name: str
    summary: str
    settings: type[Any]
    open: Callable[[Any], Backend]
    contract: int = CONTRACT_VERSION
    coalesces: bool = True
    schedule: Schedule = DIRECTORY
    takes_passwords: Callable[[Any], bool] = lambda _settings: False
    takes: Callable[[Any], frozenset[str] | None] | None = None
