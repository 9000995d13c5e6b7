"""Finding plugins and importing those that are named.

A plugin is the entry point of group `bridge` that has a backend type's name, or, if the
configuration names a directory of plugins, the file `<type>.py` in it. pluggy finds and registers;
it never delivers.

Rule: only what is named is imported, and a plugin that is missing, doubled, broken, open to other
accounts or written for another contract stops the start and is called by its distribution or file.
"""

import importlib.metadata
import os
import stat
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from bridge import plugin
from bridge.core.backend import CONTRACT_VERSION, BackendType
from bridge.core.errors import OperatorError

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
"""Permission bits of a file that accounts beside its owner's may change."""


@attrs.frozen
class Plugin:
    """A plugin that was found and is not imported: `module` is its module's name, or its file.

    `distribution` and `version` are empty for a file.
    """

    name: str
    distribution: str
    version: str
    module: str
    load: Callable[[], Any] = attrs.field(eq=False, repr=False)

    @property
    def called(self) -> str:
        """What a message calls it."""
        return f"{self.distribution} {self.version}" if self.distribution else self.module


def installed_plugins(directory: Path | None = None) -> list[Plugin]:
    """Return every plugin there is, sorted by name; imports none.

    `directory` is the directory of single-file plugins, None where there is none. Raises
    OperatorError BRG-PLUGIN-DIRECTORY if it cannot be read.
    """
    found = [_installed(point) for point in importlib.metadata.entry_points(group=plugin.PROJECT)]
    if directory is not None:
        found += [_filed(path) for path in _files(directory)]
    return sorted(found, key=lambda one: (one.name, one.called))


def load_backend_types(
    names: Iterable[str], directory: Path | None = None
) -> dict[str, BackendType]:
    """Import the plugins with these names and return the backend type of each.

    Raises OperatorError BRG-PLUGIN-MISSING, -DOUBLED, -BROKEN, -CONTRACT (written for another one),
    -TYPE (registers no such type), -UNSAFE (a file that other accounts may change) or -DIRECTORY.
    """
    plugins: dict[str, list[Plugin]] = {}
    for found in installed_plugins(directory):
        plugins.setdefault(found.name, []).append(found)
    return {name: _only(name, plugins) for name in sorted(names)}


def backend_type(found: Plugin) -> BackendType:
    """Import a plugin and return the backend type that it registers under its name.

    Raises OperatorError BRG-PLUGIN-BROKEN, -TYPE, -CONTRACT or -UNSAFE.
    """
    finder = pluggy.PluginManager(plugin.PROJECT)
    finder.add_hookspecs(plugin)
    try:
        finder.register(found.load(), found.name)
        finder.check_pending()
        offered: list[BackendType] = [
            kind for kinds in finder.hook.bridge_backend_types() for kind in kinds
        ]
    except OperatorError:
        raise
    except (Exception, SystemExit) as error:
        raise OperatorError(
            "BRG-PLUGIN-BROKEN",
            f"The plugin of {found.called} cannot be loaded: {type(error).__name__}: {error}.",
            "Repair, reinstall or upgrade it, or take its backends out of the file.",
        ) from error
    kind = next((one for one in offered if one.name == found.name), None)
    if kind is None:
        raise OperatorError(
            "BRG-PLUGIN-TYPE",
            f'The plugin of {found.called} registers no backend type "{found.name}".',
            "Have its bridge_backend_types() return a BackendType of that name.",
        )
    if kind.contract != CONTRACT_VERSION:
        raise OperatorError(
            "BRG-PLUGIN-CONTRACT",
            f"The plugin of {found.called} is written for contract {kind.contract}, "
            f"this bridge speaks {CONTRACT_VERSION}.",
            "Upgrade it and the bridge to versions that fit.",
        )
    return kind


def _only(name: str, plugins: dict[str, list[Plugin]]) -> BackendType:
    found = plugins.get(name, [])
    if not found:
        raise OperatorError(
            "BRG-PLUGIN-MISSING",
            f'No plugin offers the backend type "{name}".',
            f"Install the distribution that does; installed are: {', '.join(sorted(plugins))}."
            if plugins
            else "Install the distribution that does; no plugin is installed.",
        )
    if len(found) > 1:
        raise OperatorError(
            "BRG-PLUGIN-DOUBLED",
            f'{" and ".join(one.called for one in found)} both offer "{name}".',
            "Remove all but one of them.",
        )
    return backend_type(found[0])


def _installed(point: EntryPoint) -> Plugin:
    name, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")
    return Plugin(point.name, name, version, point.value, point.load)


def _filed(path: Path) -> Plugin:
    return Plugin(path.stem, "", "", str(path), lambda: _load_guarded(path))


def _files(directory: Path) -> list[Path]:
    try:
        return [path for path in sorted(directory.iterdir()) if path.suffix == ".py"]
    except OSError as error:
        raise OperatorError(
            "BRG-PLUGIN-DIRECTORY",
            f"The plugin directory {directory} cannot be read: {error.strerror}.",
            "Make it, or take plugins.directory out of the configuration.",
        ) from None


def _load_guarded(path: Path) -> ModuleType:
    path = path.resolve()
    for place in (path, *path.parents):
        _refuse_open(place, shared=place not in {path, path.parent})
    return load_file(path)


def load_file(path: Path) -> ModuleType:
    """Import one file, whoever may change it."""
    module = ModuleType(f"bridge_plugin_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # attrs and cattrs look annotations up there
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _refuse_open(place: Path, *, shared: bool) -> None:
    """Refuse what another account could change; `shared`: a sticky directory like /tmp will do."""
    status = place.stat()
    sticky = shared and bool(status.st_mode & stat.S_ISVTX)
    if status.st_uid not in {0, os.geteuid()}:
        problem = "belongs to another account"
    elif status.st_mode & OTHERS_WRITE and not sticky:
        problem = f"can be written to by other accounts (mode {stat.S_IMODE(status.st_mode):04o})"
    else:
        return
    raise OperatorError(
        "BRG-PLUGIN-UNSAFE",
        f"{place} {problem}; plugins run with all rights of the bridge.",
        f"chown it to root or to the bridge's account, and chmod go-w {place}.",
    )
