"""Everything a backend plugin may import, in one place.

    from bridge.plugin import BackendType, Plan, Receipt, hookimpl

    @hookimpl
    def bridge_backend_types():
        return [BackendType(name="mine", summary="…", settings=Settings, open=MyBackend)]

Rule: what is not exported here is not part of the contract.
"""

from collections.abc import Sequence

import pluggy

from bridge.core.access import FOLDER, WORKSPACE, Access, AccessDelta, AccessState, Level
from bridge.core.backend import (
    CONTRACT_VERSION,
    Backend,
    BackendType,
    Batcher,
    Drift,
    DriftKind,
    Finding,
    Found,
    Link,
    Mending,
    Observed,
    Observer,
    Plan,
    Preparer,
    Receipt,
    Scanner,
    ScanPage,
    Step,
)
from bridge.core.changes import ChangeRecord, MemberDelta, Operation, coalesce
from bridge.core.delivery import DIRECTORY, WEBHOOK, Schedule
from bridge.core.errors import (
    BackendDown,
    Defer,
    Disable,
    InDoubt,
    NotApplied,
    OperatorError,
    Park,
    RetryLater,
    Surprise,
)
from bridge.core.events import Event, events
from bridge.core.resources import Attributes, Entity, Member
from bridge.core.secret import Secret

__all__ = [
    "CONTRACT_VERSION",
    "DIRECTORY",
    "FOLDER",
    "PROJECT",
    "WEBHOOK",
    "WORKSPACE",
    "Access",
    "AccessDelta",
    "AccessState",
    "Attributes",
    "Backend",
    "BackendDown",
    "BackendType",
    "Batcher",
    "ChangeRecord",
    "Defer",
    "Disable",
    "Drift",
    "DriftKind",
    "Entity",
    "Event",
    "Finding",
    "Found",
    "InDoubt",
    "Level",
    "Link",
    "Member",
    "MemberDelta",
    "Mending",
    "NotApplied",
    "Observed",
    "Observer",
    "Operation",
    "OperatorError",
    "Park",
    "Plan",
    "Preparer",
    "Receipt",
    "RetryLater",
    "ScanPage",
    "Scanner",
    "Schedule",
    "Secret",
    "Step",
    "Surprise",
    "coalesce",
    "events",
    "hookimpl",
    "hookspec",
]

PROJECT = "bridge"
"""pluggy project name and entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def bridge_backend_types() -> Sequence[BackendType]:  # type: ignore[empty-body]
    """Return the backend types that this plugin offers; called once at start-up."""
