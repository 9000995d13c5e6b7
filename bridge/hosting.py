"""Finding plugins and turning `[[backends]]` tables into backends that can be opened.

A backend's `type` is the name of an entry point in group `bridge`; the plugin behind it must
register a BackendType of that name. pluggy finds and registers; it never delivers.

Rule: only entry points that the configuration names are imported, and a plugin that is missing,
doubled, broken or written for another contract stops the start and is called by its distribution.
"""

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import attrs
import pluggy

from bridge import plugin
from bridge.config import BackendTable, structure
from bridge.core.backend import CONTRACT_VERSION, Backend, BackendType
from bridge.core.changes import ChangeRecord
from bridge.core.errors import OperatorError
from bridge.core.schema import Registry
from bridge.core.schema.disclosure import disclosed
from bridge.sealing import Sealer


@attrs.frozen
class HostedBackend:
    """A configured backend: `open()` makes one slot's instance and connects to nothing yet.

    A claimed change is ours for `lease_seconds`; one call may take a third of that. `settings` is
    the plugin's own value, for showing. `sealer` opens passwords for a backend that takes them.
    `disclose` leaves out of a change what may not be passed on, for a backend that does that.
    """

    name: str
    type: BackendType
    open: Callable[[], Backend]
    slots: int = 8
    lease_seconds: float = 30.0
    settings: Any = None
    sealer: Sealer | None = None
    disclose: Callable[[ChangeRecord], ChangeRecord] | None = None


@attrs.frozen
class InstalledPlugin:
    """An entry point of group `bridge`, not imported."""

    name: str
    distribution: str
    version: str
    module: str


def installed_plugins() -> list[InstalledPlugin]:
    """Return every installed entry point of group `bridge`, sorted by name; imports none."""
    return sorted(
        (
            InstalledPlugin(point.name, *_distribution(point), module=point.value)
            for point in importlib.metadata.entry_points(group=plugin.PROJECT)
        ),
        key=lambda found: (found.name, found.distribution),
    )


def host(
    tables: Iterable[BackendTable],
    directory: Path,
    registry: Registry,
    sealer: Sealer | None = None,
) -> list[HostedBackend]:
    """Return the configured backends, their settings structured and checked.

    `registry` says what of a resource may be passed on. `sealer` is needed to deliver, and not to
    look.

    Raises OperatorError BRG-PLUGIN-… for a plugin that cannot be used, and an ExceptionGroup of
    BRG-CONFIG-INVALID for settings that do not fit.
    """
    tables = list(tables)
    types = load_backend_types({table.type for table in tables})
    disclose = partial(disclosed, registry)
    return [
        _hosted(table, kind, directory, sealer, disclose if kind.discloses else None)
        for table in tables
        for kind in (types[table.type],)
    ]


def load_backend_types(names: Iterable[str]) -> dict[str, BackendType]:
    """Import the plugins with these entry-point names and return the backend type of each.

    Raises OperatorError BRG-PLUGIN-MISSING, -DOUBLED, -BROKEN, -CONTRACT (written for another one)
    or -TYPE (registers no such type).
    """
    points: dict[str, list[EntryPoint]] = {}
    for point in importlib.metadata.entry_points(group=plugin.PROJECT):
        points.setdefault(point.name, []).append(point)
    return {name: _load(name, points) for name in sorted(names)}


def _hosted(
    table: BackendTable,
    kind: BackendType,
    directory: Path,
    sealer: Sealer | None,
    disclose: Callable[[ChangeRecord], ChangeRecord] | None,
) -> HostedBackend:
    completed = kind.completed(table.settings)
    settings = structure(completed, kind.settings, f"backends.{table.name}", directory)
    return HostedBackend(
        name=table.name,
        type=kind,
        open=lambda: kind.open(settings),
        slots=table.slots,
        lease_seconds=table.lease_seconds,
        settings=settings,
        sealer=sealer if kind.takes_passwords(settings) else None,
        disclose=disclose,
    )


def _load(name: str, points: Mapping[str, list[EntryPoint]]) -> BackendType:
    found = points.get(name, [])
    if not found:
        raise OperatorError(
            "BRG-PLUGIN-MISSING",
            f'No installed plugin offers the backend type "{name}".',
            f"Install the distribution that does; installed are: {', '.join(sorted(points))}."
            if points
            else "Install the distribution that does; no plugin is installed.",
        )
    if len(found) > 1:
        raise OperatorError(
            "BRG-PLUGIN-DOUBLED",
            f'{" and ".join(_called(point) for point in found)} both offer "{name}".',
            "Uninstall all but one of them.",
        )
    return _backend_type(found[0])


def _backend_type(point: EntryPoint) -> BackendType:
    finder = pluggy.PluginManager(plugin.PROJECT)
    finder.add_hookspecs(plugin)
    try:
        finder.register(point.load(), point.name)
        finder.check_pending()
        offered: list[BackendType] = [
            kind for kinds in finder.hook.bridge_backend_types() for kind in kinds
        ]
    except Exception as error:
        raise OperatorError(
            "BRG-PLUGIN-BROKEN",
            f"The plugin of {_called(point)} cannot be loaded: {type(error).__name__}: {error}.",
            "Reinstall or upgrade that distribution, or take its backends out of the file.",
        ) from error
    kind = next((one for one in offered if one.name == point.name), None)
    if kind is None:
        raise OperatorError(
            "BRG-PLUGIN-TYPE",
            f'The plugin of {_called(point)} registers no backend type "{point.name}".',
            "Report it to the authors of that distribution.",
        )
    if kind.contract != CONTRACT_VERSION:
        raise OperatorError(
            "BRG-PLUGIN-CONTRACT",
            f"The plugin of {_called(point)} is written for contract {kind.contract}, "
            f"this bridge speaks {CONTRACT_VERSION}.",
            "Upgrade that distribution and the bridge to versions that fit.",
        )
    return kind


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")


def _called(point: EntryPoint) -> str:
    return "{} {}".format(*_distribution(point))
