"""Where a value comes from: default < file < environment.

`BRIDGE_SERVER__PORT=9000` overrides `server.port`; `BRIDGE_BACKENDS__CORP__PASSWORD` overrides
`password` of the backend named `corp` (a hyphen in a name is an underscore there).

Rule: after this module nobody reads the file or the environment again.
"""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from bridge.config.model import BackendTable, Configuration
from bridge.config.resource_types import registry_of
from bridge.config.structuring import EnvironmentText, structure
from bridge.core.errors import OperatorError
from bridge.core.schema import Registry

PREFIX = "BRIDGE_"
SEPARATOR = "__"

_OWN_KEYS = frozenset(field.name for field in attrs.fields(BackendTable)) - {"settings"}


class Source(StrEnum):
    """Who set a value."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


@attrs.frozen
class Loaded:
    """A configuration, where it was read from, and who set each key (by dotted path).

    `registry` has the resource types that it makes the bridge serve.
    """

    configuration: Configuration
    path: Path
    sources: Mapping[str, Source]
    registry: Registry

    @property
    def directory(self) -> Path:
        """What relative file names in the configuration are relative to."""
        return self.path.parent

    @property
    def journal_url(self) -> str:
        """The journal's address with a relative SQLite path made absolute."""
        url = self.configuration.journal.url
        scheme, _, place = url.partition(":///")
        if scheme != "sqlite" or not place:
            return url
        return f"sqlite:///{self.directory / place}"


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Read the file at `path` and the overrides in `environ`.

    Raises OperatorError BRG-CONFIG-UNREADABLE, -SYNTAX (not TOML) or -ENVIRONMENT, and an
    ExceptionGroup of BRG-CONFIG-INVALID for what the file says wrongly.
    """
    path = path.absolute()
    table = _read(path)
    sources = dict.fromkeys(_leaves(table), Source.FILE)
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and SEPARATOR in name:
            sources[_override(table, name, text)] = Source.ENVIRONMENT
    if isinstance(table.get("backends"), list):
        table["backends"] = [_split(backend) for backend in table["backends"]]
    configuration = structure(table, Configuration, "", path.parent)
    return Loaded(configuration, path, sources, registry_of(configuration))


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(
            "BRG-CONFIG-SYNTAX", f"{path} is not TOML: {error}.", "Mend the file at that place."
        ) from None
    except OSError as error:
        raise OperatorError(
            "BRG-CONFIG-UNREADABLE",
            f"Cannot read the configuration {path}: {error.strerror}.",
            "Name one with --config or BRIDGE_CONFIG, write one with `bridge init`, "
            "or try `bridge quickstart`.",
        ) from None


def _override(table: dict[str, Any], variable: str, text: str) -> str:
    section, *steps = variable.removeprefix(PREFIX).lower().split(SEPARATOR)
    place = section
    if section == "backends" and steps:
        backend = next((b for b in table.get(section, []) if _is_named(b, steps[0])), None)
        if backend is None:
            raise OperatorError(
                "BRG-CONFIG-ENVIRONMENT",
                f"{variable} names no backend of the file.",
                "Unset the variable, or write the backend's name in it.",
            )
        place, table, steps = f"{section}.{backend['name']}", backend, steps[1:]
    else:
        steps = [section, *steps]
        place = ""
    *parents, last = steps or [""]
    for step in parents:
        inner = table.setdefault(step, {})
        if not isinstance(inner, dict):
            break
        table = inner
    table[last] = EnvironmentText(text)
    # A secret and the file it is in are two ways to say one thing: the environment's way wins.
    table.pop(last.removesuffix("_file") if last.endswith("_file") else f"{last}_file", None)
    return ".".join(filter(None, [place, *steps]))


def _is_named(backend: Any, step: str) -> bool:
    return isinstance(backend, dict) and str(backend.get("name")).replace("-", "_") == step


def _split(backend: Any) -> Any:
    if not isinstance(backend, dict) or "settings" in backend:
        return backend
    own = {key: value for key, value in backend.items() if key in _OWN_KEYS}
    return own | {"settings": {k: v for k, v in backend.items() if k not in _OWN_KEYS}}


def _leaves(table: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{key}.")
        elif key == "backends" and isinstance(value, list):
            for backend in value:
                if isinstance(backend, dict):
                    found += _leaves(backend, f"backends.{backend.get('name')}.")
        else:
            found.append(f"{prefix}{key}")
    return found
