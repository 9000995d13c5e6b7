"""Turning `[[backends]]` tables into backends that can be opened.

Rule: a backend that is hosted has settings that were checked, and has connected to nothing yet.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from bridge.config import BackendTable, Loaded, structure
from bridge.core.access import TARGETS
from bridge.core.backend import Backend, BackendType
from bridge.core.changes import ChangeRecord
from bridge.core.schema.disclosure import disclosed
from bridge.loading import load_backend_types
from bridge.sealing import Sealer


@attrs.frozen
class HostedBackend:
    """A configured backend: `open()` makes one slot's instance and connects to nothing yet.

    A claimed change is ours for `lease_seconds`; one call may take a third of that. `settings` is
    the plugin's own value, for showing. `sealer` opens passwords for a backend that takes them.
    `untaken` are the entity types that it does not take. `disclose` leaves out of a change what may
    not be passed on, for a backend that does that.
    """

    name: str
    type: BackendType
    open: Callable[[], Backend]
    slots: int = 8
    lease_seconds: float = 30.0
    settings: Any = None
    sealer: Sealer | None = None
    untaken: frozenset[str] = TARGETS
    disclose: Callable[[ChangeRecord], ChangeRecord] | None = None


def host(loaded: Loaded, sealer: Sealer | None = None) -> list[HostedBackend]:
    """Return the configured backends, their settings structured and checked.

    `sealer` is needed to deliver, and not to look.

    Raises OperatorError BRG-PLUGIN-… for a plugin that cannot be used, and an ExceptionGroup of
    BRG-CONFIG-INVALID for settings that do not fit.
    """
    tables = loaded.configuration.backends
    types = load_backend_types(
        {table.type for table in tables}, loaded.configuration.plugins.directory
    )
    return [_hosted(table, types[table.type], loaded, sealer) for table in tables]


def _hosted(
    table: BackendTable, kind: BackendType, loaded: Loaded, sealer: Sealer | None
) -> HostedBackend:
    place = f"backends.{table.name}"
    settings = structure(kind.completed(table.settings), kind.settings, place, loaded.directory)
    return HostedBackend(
        name=table.name,
        type=kind,
        open=lambda: kind.open(settings),
        slots=table.slots,
        lease_seconds=table.lease_seconds,
        settings=settings,
        sealer=sealer if kind.takes_passwords(settings) else None,
        untaken=_untaken(kind, settings, loaded),
        disclose=partial(disclosed, loaded.registry) if kind.discloses else None,
    )


def _untaken(kind: BackendType, settings: Any, loaded: Loaded) -> frozenset[str]:
    if kind.takes is None:
        return TARGETS
    taken = kind.takes(settings)
    known = frozenset(rtype.name for rtype in loaded.registry.resource_types) | TARGETS
    return frozenset() if taken is None else known - taken
