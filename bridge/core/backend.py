"""The port: what a backend is to the host.

A backend is synchronous and owns one connection to its target; the host opens one per slot and
calls each from one thread only. Deadlines, ordering, retries, guard, audit and redaction of what
is stored belong to the host.

Rule: `plan` is pure. Whatever touches the target is in the other methods.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import attrs

from bridge.core.changes import ChangeRecord
from bridge.core.delivery import DIRECTORY, Schedule
from bridge.core.errors import NotApplied
from bridge.core.resources import Attributes, Entity

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
    """The steps that bring one entity to `version` in the target; no steps means in sync.

    `adopts`: they take what others made for the resource's own, as a configured rule says.
    """

    entity: Entity
    version: int
    steps: tuple[Step, ...] = ()
    adopts: bool = False

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)


@attrs.frozen
class Receipt:
    """What `execute` achieved. `links` are new or changed; `already` means nothing was to do.

    `awaited` are resources that had no link, where all was done that can be done without theirs (a
    person's manager): the host has this one looked at again until they have one, for a while.
    `answer` is what the target said, where that is worth keeping in the log of attempts.
    """

    links: tuple[Link, ...] = ()
    already: bool = False
    awaited: frozenset[str] = frozenset()
    answer: str = ""


@attrs.frozen
class Observed:
    """What the target holds for one resource; `link` None means that it holds nothing.

    `state` is the backend's own frozen value; the host only hands it back to `plan`.
    """

    resource_id: str
    link: Link | None = None
    state: Any = None


class DriftKind(StrEnum):
    """How a target is not as it should be.

    MISSING: nothing is there for a resource, and nothing was known to be. DELETED: what was there
    is gone. EXTRA: it holds what a deleted resource left. FOREIGN: it belongs to no resource.
    RENAMED: the name or place is another. CHANGED: values are. MEMBERS: the membership is.
    """

    MISSING = "missing"
    DELETED = "deleted"
    EXTRA = "extra"
    FOREIGN = "foreign"
    RENAMED = "renamed"
    CHANGED = "changed"
    MEMBERS = "members"


@attrs.frozen
class Drift:
    """One difference between what is there and what should be, as a step would mend it.

    `attributes` are the target's own names of what differs (attribute types, columns); `removes`
    is how many entries or members mending it takes away: the guard counts them.
    """

    kind: DriftKind
    attributes: tuple[str, ...] = ()
    removes: int = 0


@runtime_checkable
class Mending(Protocol):
    """What a step may say besides its text: which drift it mends. Others count as CHANGED."""

    @property
    def drift(self) -> Sequence[Drift]:
        """What is not as it should be where this step is planned; empty for what only follows."""
        ...


@attrs.frozen
class Found:
    """One thing that the target holds of a kind this backend keeps, whoever made it.

    `type` is the resource type it would be; `target_id` and `name` are those of its link.
    `attributes` is the document it would be, canonical (`bridge.core.schema`), as far as the target
    says. Members are told by keys: `key` is this one's, `members` are those of a group's members.
    `organization` is where the target tells it, else empty. `state` is what `Observed.state` would
    be. `problem` says why it cannot be a resource (it has no value that could be its userName).
    """

    type: str
    target_id: str
    name: str
    key: str
    attributes: Attributes = attrs.field(factory=dict)
    members: tuple[str, ...] = ()
    organization: str = ""
    state: Any = None
    problem: str = ""


@attrs.frozen
class ScanPage:
    """A part of what the target holds; `next_cursor` None: it is the last one.

    `incomplete` is empty, or says what kept the target from showing all (a size limit, a referral,
    a base that cannot be read): then nobody may conclude that what is not listed is not there.
    """

    entries: tuple[Found, ...]
    next_cursor: str | None = None
    incomplete: str = ""

    @property
    def complete(self) -> bool:
        """Whether the target showed all that belongs on this page."""
        return not self.incomplete


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
        the plan converges from what is there, and `links` also holds another resource whose it is,
        if it is one's. No steps: in sync.

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
class Batcher(Backend, Protocol):
    """Optional capability: many plans at once, where a round trip or a commit is what costs."""

    def execute_many(self, plans: Sequence[Plan]) -> Sequence[Receipt | NotApplied]:
        """Do plans of different entities, each as `execute` would; return how each one went.

        The outcomes are those of the first plans, in order: of all where there was time, of one
        at least. A plan that is refused takes no other one with it. A plan without an outcome is
        not done and will not be: the host hands it back. Together they may take as long as one
        `execute`. Raises a NotApplied error that then holds for every plan.
        """
        ...


@runtime_checkable
class Preparer(Protocol):
    """Optional capability: making what the backend needs in its target, when a person asks."""

    def prepare(self) -> Sequence[Finding]:
        """Create or migrate what the backend keeps in the target, and say what was done.

        Safe to repeat. Raises OperatorError where the target is not the backend's to change, and
        BackendDown where it cannot be reached.
        """
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


@runtime_checkable
class Scanner(Protocol):
    """Optional capability beside `observe`: listing the target, for import and reconcile."""

    def scan(self, cursor: str | None) -> ScanPage:
        """Return the page that `cursor` names, None for the first; writes nothing.

        Users come before groups. From None to a page without `next_cursor`, whatever the target
        holds throughout is listed at least once; what comes or goes meanwhile may be. A page is
        so small that a group of 100,000 members fits into memory with it.

        A cursor is text that another instance, in another process, understands: where it cannot
        go on there it begins again, and what was listed is listed twice. Raises BackendDown or
        RetryLater when the page could not be read; the same cursor may be tried again.
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
    `completed(table)` is the `[[backends]]` table as it is structured: where a key of it names a
    preset, with all that the preset says and the table does not.
    `coalesces` False: the backend wants every change on its own (one event each).
    `discloses` True: it passes on to others what it is given, so attributes that are
    `returned: never` are left out of that.
    """

    name: str
    summary: str
    settings: type[Any]
    open: Callable[[Any], Backend]
    contract: int = CONTRACT_VERSION
    coalesces: bool = True
    discloses: bool = False
    schedule: Schedule = DIRECTORY
    takes_passwords: Callable[[Any], bool] = lambda _settings: False
    takes: Callable[[Any], frozenset[str] | None] | None = None
    completed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda table: table
